"""What an operation of EMR has at hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from treadle.aws.emr.cluster import KIND, Cluster, cluster_of, invalid
from treadle.aws.emr.life import Clusters
from treadle.aws.errors import ApiError
from treadle.aws.service import Caller
from treadle.aws.tokens import PageTokens

PAGE_ITEMS = 50
"""Of every listing (the API reference of ListClusters and ListSteps)."""


class Backend(Struct, frozen=True, kw_only=True):
    """What all calls share."""

    clusters: Clusters
    tokens: PageTokens


class Call(Struct, frozen=True):
    """One request."""

    backend: Backend
    caller: Caller

    @property
    def clusters(self) -> Clusters:
        return self.backend.clusters

    async def cluster(self, id: str) -> Cluster:
        """Raises InvalidRequestException."""
        record = await self.clusters.store.job_record_get(id)
        found = None if record is None or record.kind != KIND else cluster_of(record)
        if found is None or (found.account, found.region) != (self.caller.account, self.caller.region):
            raise invalid(f"Cluster id '{id}' is not valid.")
        return found

    async def cluster_of_arn(self, id_or_arn: str) -> Cluster:
        return await self.cluster(id_or_arn.rpartition("/")[2])

    def position(self, listing: str, request: dict[str, Any]) -> int | None:
        """Where the page that is asked for begins; None: at the beginning. Raises InvalidRequestException."""
        covered = _covered(request)
        if "Marker" in request:
            covered["nextToken"] = request["Marker"]
        try:
            position = self.backend.tokens.read(self._of_account(listing), covered, self.clusters.ledger.now())
        except ApiError as error:
            raise invalid(f"Marker '{request['Marker']}' is not valid.") from error
        return None if position is None else int(position[0])

    def page(
        self, member: str, listing: str, request: dict[str, Any], found: Sequence[tuple[int, dict[str, Any]]]
    ) -> dict[str, Any]:
        """The answer with the first of what was found, each with its position; and with a Marker if there is more."""
        shown = found[:PAGE_ITEMS]
        answer: dict[str, Any] = {member: [each for _, each in shown]}
        if len(found) > PAGE_ITEMS:
            position, now = shown[-1][0], self.clusters.ledger.now()
            covered = _covered(request)
            answer["Marker"] = self.backend.tokens.issue(self._of_account(listing), covered, [position], now)
        return answer

    def _of_account(self, listing: str) -> str:
        return f"emr {listing} {self.caller.account} {self.caller.region}"


def _covered(request: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in request.items() if name != "Marker"}
