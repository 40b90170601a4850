"""Every line of the table, against the models of the services: what it names is there, and its expressions fit."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape

from treadle.language import integrations as language
from treadle.language.resources import parse_resource
from treadle.tasks.integration_table import INTEGRATIONS
from treadle.tasks.integrations import Integration, Job, evaluate
from treadle.tasks.optimised import problem, shown
from treadle.tasks.sdk_shapes import epoch_milliseconds, misfit, to_request, to_result

JOBS = {key: integration for key, integration in INTEGRATIONS.items() if integration.job is not None}


def sample(shape: Shape, within: tuple[str, ...] = ()) -> Any:
    """A value of the shape with every member, lists and maps of one; a structure within itself is empty."""
    if isinstance(shape, StructureShape):
        if shape.name in within:
            return {}
        return {name: sample(member, (*within, shape.name)) for name, member in shape.members.items()}
    if isinstance(shape, ListShape):
        return [sample(shape.member, within)]
    if isinstance(shape, MapShape):
        return {"key": sample(shape.value, within)}
    values: dict[str, Any] = {"boolean": True, "integer": 0, "long": 0, "float": 0, "double": 0, "timestamp": 0}
    return values.get(shape.type_name, "text")


def parameters_of(integration: Integration) -> dict[str, Any]:
    """Every parameter that the task may have."""
    shape = integration.model.input_shape
    members = to_result(shape, sample(shape), epoch_milliseconds)
    if integration.sends is None:
        return {name: value for name, value in members.items() if name not in integration.left_out}
    values = {"Step": members.get("Steps", [{}])[0], "InstanceFleet": {}, "InstanceGroup": {}}
    return {name: values.get(name, members.get(name, "text")) for name in integration.parameters}


def asked_about_a_job(integration: Integration) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parameters of a task, and its answer."""
    output = integration.model.output_shape
    answer = {} if output is None else shown(integration.model, sample(output))
    return parameters_of(integration), answer if integration.answers is None else evaluate(integration.answers, answer)


@pytest.mark.parametrize("key", INTEGRATIONS, ids=".".join)
def test_a_definition_may_name_it(key: tuple[str, str]) -> None:
    resource = parse_resource(f"arn:aws:states:::{':'.join(key)}")
    assert resource is not None
    assert language.integration(resource) is not None


@pytest.mark.parametrize("key", INTEGRATIONS, ids=".".join)
def test_its_parameters_are_those_of_the_operation(key: tuple[str, str]) -> None:
    integration = INTEGRATIONS[key]
    shape = integration.model.input_shape
    assert integration.left_out <= shape.members.keys()
    parameters = parameters_of(integration)
    assert problem(integration, parameters) is None
    sent = parameters if integration.sends is None else evaluate(integration.sends, parameters)
    assert set(shape.required_members) <= to_request(shape, sent).keys()
    assert problem(integration, {**parameters, "NoSuchField": 1}) is not None


@pytest.mark.parametrize("key", JOBS, ids=".".join)
def test_its_job_can_be_asked_for(key: tuple[str, str]) -> None:
    integration, job = JOBS[key], job_of(key)
    request, answer = asked_about_a_job(integration)
    about = {"request": request, "answer": answer}
    _check_request(integration, job.describe, evaluate(job.of, about))
    output = integration.operation_model(job.describe).output_shape
    described = shown(integration.operation_model(job.describe), sample(output))
    assert isinstance(evaluate(job.state, described), str)
    assert isinstance(evaluate(job.result, described), dict)
    assert None not in evaluate(job.result, described).values()


@pytest.mark.parametrize("key", JOBS, ids=".".join)
def test_the_states_of_its_job_are_those_of_the_model(key: tuple[str, str]) -> None:
    integration, job = JOBS[key], job_of(key)
    assert not job.succeeded & job.failed
    if job.state.startswith("Tasks["):
        return  # Containers of ECS have no state of their own that says how they ended.
    shape: Shape = integration.operation_model(job.describe).output_shape
    for name in job.state.replace("[0]", "").split("."):
        members = {member[:1].upper() + member[1:]: of for member, of in shape.members.items()}
        shape = members[name].member if isinstance(members[name], ListShape) else members[name]
    assert set(shape.enum) >= job.succeeded | job.failed


@pytest.mark.parametrize("key", [key for key in JOBS if JOBS[key].job.cancel], ids=".".join)  # type: ignore[union-attr]
def test_its_job_can_be_cancelled(key: tuple[str, str]) -> None:
    integration, job = JOBS[key], job_of(key)
    request, answer = asked_about_a_job(integration)
    assert job.cancel is not None
    _check_request(integration, job.cancel, evaluate(job.cancel_of, {"request": request, "answer": answer}))


def job_of(key: tuple[str, str]) -> Job:
    job = JOBS[key].job
    assert job is not None
    return job


def _check_request(integration: Integration, name: str, parameters: dict[str, Any]) -> None:
    shape = integration.operation_model(name).input_shape
    members = to_request(shape, parameters)
    assert set(shape.required_members) <= members.keys()
    assert misfit(shape, members) is None
    assert None not in parameters.values()
    for value in parameters.values():
        assert value != [None]
