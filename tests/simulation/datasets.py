"""Datasets, of which there are none."""

from __future__ import annotations

from collections.abc import Sequence

from treadle.datasets.contract import Dataset, DatasetError, Destination, Owner
from treadle.engine.map_children import ItemSource


class SimulatedDatasets:
    """Implements `datasets.contract.Datasets`."""

    def open(self, source: ItemSource, owner: Owner, notes: Sequence[bytes]) -> Dataset:
        raise DatasetError("the simulation has no datasets")

    def destination(self, bucket: str, owner: Owner) -> Destination:
        raise DatasetError("the simulation has no datasets")
