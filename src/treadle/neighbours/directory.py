"""Which neighbour answers for a service: an endpoint that the settings name, or else the embedded emulator."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container, Mapping

from treadle.limits import Limits
from treadle.neighbours.catalogue import AwsService, catalogue
from treadle.neighbours.contract import Incoming, Neighbour, NeighbourUnavailable, Outgoing, OwnServices
from treadle.neighbours.transport import Transport


class UnknownNeighbour(NeighbourUnavailable):
    """Nobody answers for the service, or for this operation of it: no endpoint is set, and moto does not emulate it."""


def is_known(service: AwsService, endpoints: Container[str]) -> bool:
    """Whether anybody answers for the service. `endpoints`: botocore's names of the services that have one."""
    return service.name in endpoints or service.emulated


class Neighbours:
    def __init__(self, emulator: Neighbour, endpoints: Mapping[str, str], limits: Limits) -> None:
        """`endpoints`: base URLs by botocore's name of the service."""
        self._emulator = emulator
        self._own: OwnServices | None = None
        self._before: dict[str, Callable[[], Awaitable[None]]] = {}
        self._endpoints = dict(endpoints)
        self._transports = {
            name: Transport(f"the endpoint of {name} ({url})", url, limits) for name, url in endpoints.items()
        }

    def before(self, name: str, prepare: Callable[[], Awaitable[None]]) -> None:
        """Wait for `prepare` before each request to the service of this name."""
        self._before[name] = prepare

    def connect(self, own: OwnServices) -> None:
        """What `own` serves does not reach the emulator."""
        self._own = own

    def endpoint(self, service: AwsService) -> str | None:
        """The URL that is set for it; None: the emulator answers, if anybody."""
        return self._endpoints.get(service.name)

    def known(self, service: AwsService) -> bool:
        return is_known(service, self._endpoints) or (self._own is not None and service.name in self._own.names)

    def is_there(self, service: AwsService) -> bool:
        """Whether somebody answers for the service whom nobody has to start first."""
        return service.name in self._endpoints or self._emulator.is_running

    async def send(self, service: AwsService, request: Outgoing) -> Incoming:
        """Raises NeighbourUnavailable, UnknownNeighbour."""
        prepare = self._before.get(service.name)
        if prepare is not None:
            await prepare()
        transport = self._transports.get(service.name)
        if transport is not None:
            return await transport.send(request)
        if self._own is not None and self._own.serves(request):
            return await self._own.send(request)
        if not service.emulated:
            raise UnknownNeighbour(
                f"Treadle does not serve '{service.name}', and nothing else is set to: {service.variable} names an"
                " endpoint for it"
            )
        return await self._emulator.send(request)

    async def close(self) -> None:
        await self._emulator.close()
        for transport in self._transports.values():
            await transport.close()

    @staticmethod
    def all() -> Mapping[str, AwsService]:
        """By name."""
        return catalogue().services
