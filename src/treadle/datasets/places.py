"""Opens datasets and destinations: in S3, or in folders of this machine."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from treadle.datasets.contract import Destination, Owner
from treadle.datasets.destinations import FolderDestination, S3Destination
from treadle.datasets.objects import FileObjects, S3Objects, is_folder
from treadle.datasets.reading import Reading
from treadle.engine.map_children import ItemSource
from treadle.limits import Limits
from treadle.tasks.service_calls import ServiceCalls


class Places:
    """Implements `contract.Datasets`."""

    def __init__(self, calls: ServiceCalls, folders: Sequence[Path], limits: Limits) -> None:
        """`folders`: those whose files may be read and written."""
        self._calls = calls
        self._folders = folders
        self._limits = limits
        self._threads = ThreadPoolExecutor(max_workers=limits.reader_threads, thread_name_prefix="treadle-items")

    def open(self, source: ItemSource, owner: Owner, notes: Sequence[bytes]) -> Reading:
        bucket = source.parameters.get("Bucket") if isinstance(source.parameters, dict) else None
        objects = FileObjects(self._folders) if is_folder(bucket) else S3Objects(self._calls, owner)
        return Reading(source, objects, self._threads, self._limits, notes)

    def destination(self, bucket: str, owner: Owner) -> Destination:
        if is_folder(bucket):
            return FolderDestination(FileObjects(self._folders), bucket)
        return S3Destination(self._calls, owner, bucket, self._limits)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
