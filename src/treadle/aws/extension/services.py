"""Who answers for each service of AWS at this endpoint."""

from __future__ import annotations

from typing import Any

from treadle.aws.extension.call import Backend, Call
from treadle.aws.messages import Answer, json_answer
from treadle.neighbours.catalogue import AwsService, catalogue


async def services(call: Call) -> Answer:
    """Those for which somebody does, by botocore's names of them."""
    backend = call.backend
    told = {name: _answerer(service, backend) for name, service in catalogue().services.items()}
    return json_answer({"services": {name: answerer for name, answerer in told.items() if answerer is not None}})


def _answerer(service: AwsService, backend: Backend) -> dict[str, Any] | None:
    own = catalogue().by_signing_name[service.signing_name][0] == service
    if own and service.signing_name in {*backend.operations, *backend.jobs.whole}:
        return {"by": "treadle", "durable": True}
    url = backend.neighbours.endpoint(service)
    if url is not None:
        return {"by": "endpoint", "url": url}
    others = {"by": "moto", "durable": False} if service.emulated else None
    jobs = backend.jobs.operations.get(service.signing_name) if own else None
    if jobs is None:
        return others
    return {"by": "treadle", "durable": True, "operations": jobs, "others": others}
