"""The Distributed Map in the engine: its events, what its map run is asked for, and what its children get.

Histories that name a recording have the shape that was recorded on AWS under that name.
"""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET, Struct

from tests.engine.driver import START, Driver, Fails, child_inputs, compiled
from treadle.document import Document, encode
from treadle.engine.advance import advance
from treadle.engine.history import HistoryEvent
from treadle.engine.map_children import ItemSource
from treadle.engine.program import compile_definition
from treadle.engine.signals import CancelTask, Redrive, RunMap, Start, Stop, TaskFailed, TaskSucceeded
from treadle.expressions.errors import EvaluationError
from treadle.limits import Limits

MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:machine"
MAP_RUN = MACHINE.replace("stateMachine", "mapRun")
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:work"
PASS = {"Type": "Pass", "End": True}
WORK = {"Type": "Task", "Resource": FUNCTION, "End": True}
RUN = "1<0 ExecutionStarted, 2<0 MapStateEntered, 3<2 MapStateStarted, 4<3 MapRunStarted"
SUCCEEDED = f"{RUN}, 5<4 MapRunSucceeded, 6<5 MapStateSucceeded, 7<5 MapStateExited, 8<7 ExecutionSucceeded"
# recorded: map_item_reader_base_json_max_items_jsonata
SUCCEEDED_QUERY = SUCCEEDED.replace("7<5", "7<4")
FAILED = f"{RUN}, 5<4 MapRunFailed, 6<5 MapStateFailed, 7<6 ExecutionFailed"
REFUSED = "1<0 ExecutionStarted, 2<0 MapStateEntered, 3<2 MapStateStarted, 4<3 ExecutionFailed"


def processor(inner: dict[str, Any] = PASS, execution_type: str = "STANDARD", name: str = "Inner") -> dict[str, Any]:
    config = {"Mode": "DISTRIBUTED", "ExecutionType": execution_type}
    return {"ProcessorConfig": config, "StartAt": name, "States": {name: inner}}


def machine(inner: dict[str, Any] = PASS, language: str | None = None, **fields: Any) -> dict[str, Any]:
    state = {"Type": "Map", "ItemProcessor": processor(inner), "End": True, **fields}
    definition: dict[str, Any] = {"StartAt": "M", "States": {"M": state}}
    return definition if language is None else {"QueryLanguage": language, **definition}


def driven(definition: dict[str, Any], given: Any, **options: Any) -> Driver:
    return Driver(compiled(definition), encode(given), **options).run()


def begun(definition: dict[str, Any], given: Any) -> tuple[Driver, RunMap]:
    """Up to the start of the map run, which is left open."""
    driver = Driver(compiled(definition), encode(given))
    driver.signal(Start())
    return driver, driver.map_runs[0]


class Case(Struct):
    definition: dict[str, Any]
    given: Any
    shape: str = SUCCEEDED
    output: Any = UNSET
    cause: str = ""
    error: str = "States.Runtime"


ITEMS = {"items": [1, 2], "n": 1}
CASES = {
    # recorded: map_state_config_distributed_parameters
    "a selector": Case(
        machine(Parameters={"v.$": "$$.Map.Item.Value", "all.$": "$"}),
        ["a", "b"],
        output=[{"v": "a", "all": ["a", "b"]}, {"v": "b", "all": ["a", "b"]}],
    ),
    # recorded: map_state_label
    "a label": Case(machine(Label="TestMap"), ["a"], output=["a"]),
    "no items": Case(machine(), [], output=[]),
    "where an item comes from": Case(
        machine(ItemSelector={"item.$": "$$.Map.Item"}),
        ["a"],
        output=[{"item": {"Index": 0, "Value": "a", "Source": "STATE_DATA"}}],
    ),
    "items by JSONata": Case(
        machine(language="JSONata", Items="{% [1..3] %}", ItemSelector={"i": "{% $states.context.Map.Item.Index %}"}),
        {},
        SUCCEEDED_QUERY,
        output=[{"i": 0}, {"i": 1}, {"i": 2}],
    ),
    "a result in its place": Case(
        machine(ItemsPath="$.items", ResultSelector={"all.$": "$"}, ResultPath="$.r"),
        ITEMS,
        output={**ITEMS, "r": {"all": [1, 2]}},
    ),
    "batches by number": Case(
        machine(ItemBatcher={"MaxItemsPerBatch": 2, "BatchInput": {"n.$": "$.n"}}, ItemsPath="$.xs"),
        {"n": 7, "xs": [1, 2, 3]},
        output=[{"BatchInput": {"n": 7}, "Items": [1, 2]}, {"BatchInput": {"n": 7}, "Items": [3]}],
    ),
    # recorded: reference_in_map_state_max_items_path--MAP_STATE_REFERENCE_IN_MAX_PER_BATCH_PATH
    "batches by numbers that are texts": Case(
        machine(ItemBatcher={"MaxItemsPerBatchPath": "$.n", "MaxInputBytesPerBatchPath": "$.b"}, ItemsPath="$.xs"),
        {"n": "2", "b": "15000", "xs": [1, 2, 3]},
        output=[{"Items": [1, 2]}, {"Items": [3]}],
    ),
    "batches by bytes": Case(
        machine(ItemBatcher={"MaxInputBytesPerBatch": 21}),
        ["aaa", "bbb", "ccc"],
        output=[{"Items": ["aaa"]}, {"Items": ["bbb"]}, {"Items": ["ccc"]}],
    ),
    # recorded: map_state_tolerated_failure_count_path, --percentage_path
    "a negative count": Case(
        machine(ItemsPath="$.items", ToleratedFailureCountPath="$.n"),
        {"items": [0], "n": -1},
        REFUSED,
        cause="ToleratedFailureCount cannot be negative.",
    ),
    "a percentage that is none": Case(
        machine(ItemsPath="$.items", ToleratedFailurePercentagePath="$.n"),
        {"items": [0], "n": 100.1},
        REFUSED,
        cause="ToleratedFailurePercentage must be between 0 and 100.",
    ),
    "no array": Case(
        machine(),
        {"a": 1},
        "1<0 ExecutionStarted, 2<0 MapStateEntered, 3<2 ExecutionFailed",
        cause='Map state input must be an array but was: {"a":1}',
    ),
    # The shape is that of a run whose items cannot be read (recorded: map_item_reader_json_no_json_list_object).
    "an item that cannot be selected": Case(
        machine(ItemSelector={"a.$": "$$.Map.Item.Value.a"}),
        [{"a": 1}, {}],
        FAILED,
        cause="The JSONPath '$$.Map.Item.Value.a' specified for the field 'a.$' could not be found",
    ),
    "a child that fails": Case(
        machine({"Type": "Fail", "Error": "E"}),
        [1],
        FAILED,
        cause="exceeded",
        error="States.ExceedToleratedFailureThreshold",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_distributed_map(name: str) -> None:
    case = CASES[name]
    driver = driven(case.definition, case.given)
    assert driver.shape() == case.shape
    execution = driver.execution
    if case.output is UNSET:
        assert (execution.status, execution.error) == ("FAILED", case.error)
        assert case.cause in (execution.cause or "")
    else:
        assert execution.output is not None
        assert execution.output.value == case.output


def test_behind_another_state() -> None:
    """The shape that was recorded as map_state_nested_config_distributed."""
    definition = machine()
    definition["States"]["A"] = {"Type": "Pass", "Next": "M"}
    definition["StartAt"] = "A"
    assert (
        driven(definition, [1])
        .shape()
        .endswith(
            "6<5 MapRunStarted, 7<6 MapRunSucceeded, 8<7 MapStateSucceeded, 9<6 MapStateExited, 10<9 ExecutionSucceeded"
        )
    )


def test_what_is_asked_for() -> None:
    fields: dict[str, Any] = {
        "MaxConcurrency": 7,
        "ToleratedFailureCount": 3,
        "ToleratedFailurePercentage": 12.5,
        "Label": "L",
    }
    _, run = begun(machine(**fields), [1, 2])
    assert (run.attempt, run.state_name, run.machine_arn) == (4, "M", f"{MACHINE}/L")
    assert (run.concurrency, run.tolerated_count, run.tolerated_percentage) == (7, 3, 12.5)
    assert run.arn.startswith(f"{MAP_RUN}/L:")
    assert (run.children.known_items, [child.input.value for child in child_inputs(run)]) == (2, [1, 2])
    assert [child.input.value for child in child_inputs(run)] == [1, 2]  # any number of times


def test_a_map_without_a_label_is_given_one_of_its_own() -> None:
    first_map = {"Type": "Map", "ItemProcessor": processor(), "Next": "N"}
    second_map = {"Type": "Map", "ItemProcessor": {**processor(), "StartAt": "X", "States": {"X": PASS}}, "End": True}
    definition = {"StartAt": "M", "States": {"M": first_map, "N": second_map}}
    driver = driven(definition, [1])
    first, second = (run.machine_arn.rpartition("/")[2] for run in driver.map_runs)
    assert first != second
    assert [run.machine_arn.rpartition("/")[2] for run in driven(definition, [2]).map_runs] == [first, second]


def test_the_whole_of_a_child() -> None:
    """It is an execution like any other, of a program of its own."""
    definition = machine({**WORK, "Parameters": {"machine.$": "$$.StateMachine.Name", "v.$": "$"}})
    driver = driven(definition, ["a"], tasks={"work": lambda given: given["v"] * 2})
    (child,) = driver.children
    assert child.shape().startswith("1<0 ExecutionStarted, 2<0 TaskStateEntered, 3<2 LambdaFunctionScheduled")
    assert driver.execution.output == Document(["aa"])


def test_children_of_express_type_end_sooner() -> None:
    definition = machine()
    definition["States"]["M"]["ItemProcessor"] = processor(execution_type="EXPRESS")
    children = compiled(definition).children
    assert (children["M"].express, children["M"].timeout_seconds) == (True, 300)


def test_maps_within_maps() -> None:
    inner = {"Type": "Map", "ItemProcessor": {**processor(), "States": {"X": PASS}, "StartAt": "X"}, "End": True}
    driver = driven(machine(inner, Label="Outer"), [[1, 2], [3]])
    assert driver.execution.output == Document([[1, 2], [3]])
    assert all("/" in run.machine_arn and run.machine_arn.count("/") == 1 for run in driver.map_runs)


def test_outer_variables_are_not_seen() -> None:
    definition = machine({**PASS, "Parameters": {"v.$": "$v"}})
    definition["States"] = {"A": {"Type": "Pass", "Assign": {"v": 1}, "Next": "M"}, **definition["States"]}
    definition["StartAt"] = "A"
    (child,) = driven(definition, [1]).children
    assert child.execution.error == "States.Runtime"
    assert "$v" in (child.execution.cause or "")


def test_variables_in_the_selector() -> None:
    definition = machine(ItemSelector={"v.$": "$v"})
    definition["States"] = {
        "A": {"Type": "Pass", "Assign": {"v.$": "States.MathRandom(1, 1000000)"}, "Next": "M"},
        **definition["States"],
    }
    definition["StartAt"] = "A"
    output = driven(definition, [1, 2]).execution.output
    assert output is not None
    assert output.value[0] == output.value[1]


def test_retry_begins_another_map_run() -> None:
    calls: list[Any] = []

    def work(given: Any) -> Any:
        calls.append(given)
        if len(calls) == 1:
            raise Fails("E")
        return given

    retry = [{"ErrorEquals": ["States.ExceedToleratedFailureThreshold"], "IntervalSeconds": 1}]
    driver = driven(machine(WORK, Retry=retry), [1, 2], tasks={"work": work})
    assert driver.execution.output == Document([1, 2])
    assert (calls, len({run.arn for run in driver.map_runs})) == ([1, 1, 2], 2)
    types = [event.type for event in driver.events()]
    assert types[2:7] == ["MapStateStarted", "MapRunStarted", "MapRunFailed", "MapStateStarted", "MapRunStarted"]


def test_catch() -> None:
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Z", "ResultPath": "$.e"}]
    definition = machine({"Type": "Fail"}, ItemsPath="$.xs", Catch=catch)
    definition["States"]["Z"] = PASS
    driver = driven(definition, {"xs": [1]})
    assert driver.execution.output is not None
    assert driver.execution.output.value["e"]["Error"] == "States.ExceedToleratedFailureThreshold"
    assert driver.shape().startswith(f"{RUN}, 5<4 MapRunFailed, 6<5 MapStateFailed, 7<6 MapStateExited")


def test_the_result_is_too_large() -> None:
    driver, run = begun(machine(), [1])
    driver.signal(TaskSucceeded(run.attempt, Document(["x" * Limits().payload_bytes])))
    assert driver.execution.error == "States.DataLimitExceeded"


def test_a_child_that_would_get_too_much() -> None:
    _, run = begun(machine(ItemSelector={"a.$": "$", "b.$": "$"}), ["x" * 200_000])
    with pytest.raises(EvaluationError) as raised:
        list(child_inputs(run))
    assert raised.value.error == "States.DataLimitExceeded"


def test_stop_gives_the_map_run_up() -> None:
    driver, run = begun(machine(), [1])
    outcome = advance(driver.execution, Stop(), START)
    assert outcome.commands == [CancelTask(run.attempt)]
    assert not advance(driver.execution, TaskSucceeded(run.attempt, Document([1])), START).in_time


def test_beside_another_branch_that_fails() -> None:
    parallel = {
        "Type": "Parallel",
        "Branches": [
            machine(),
            {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 1, "Next": "F"}, "F": {"Type": "Fail"}}},
        ],
        "End": True,
    }
    driver = Driver(compiled({"StartAt": "P", "States": {"P": parallel}}), "[1]")
    outcome = advance(driver.execution, Start(), START)
    run = next(command for command in outcome.commands if isinstance(command, RunMap))
    outcome = advance(driver.execution, Start(), START)
    driver.history += outcome.events
    ended = advance(driver.execution, TaskFailed(run.attempt, "E", None), START)
    assert [event.type for event in ended.events if isinstance(event, HistoryEvent) and event.id][:3] == [
        "MapRunFailed",
        "MapStateFailed",
        "WaitStateAborted",
    ]


@pytest.mark.parametrize(
    "fields",
    [{"ItemBatcher": {"MaxItemsPerBatch": 2}}, {"ToleratedFailureCount": 1}, {"ToleratedFailurePercentage": 1}],
)
def test_what_only_a_distributed_map_does(fields: dict[str, Any]) -> None:
    definition = machine(**fields)
    del definition["States"]["M"]["ItemProcessor"]["ProcessorConfig"]
    result = compile_definition(encode(definition), "STANDARD", Limits(), lambda resource: None)
    (field,) = fields
    assert [(found.code, found.location) for found in result.diagnostics] == [("NOT_IMPLEMENTED", f"/States/M/{field}")]


# -- ItemReader ----------------------------------------------------------------------------------------------


def reading(config: dict[str, Any], language: str | None = None, **parameters: Any) -> dict[str, Any]:
    name = "Arguments" if language == "JSONata" else "Parameters"
    reader = {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": config, name: parameters}
    return machine(language=language, ItemReader=reader)


@pytest.mark.parametrize(
    ("definition", "given", "parameters", "most"),
    [
        # recorded: map_item_reader_csv_max_items_paths--100000001, ...-1: what is wrong with it is for the run to say
        (reading({"MaxItemsPath": "$.n"}, **{"Key.$": "$.k"}), {"n": 100_000_001, "k": "x"}, {"Key": "x"}, 100_000_001),
        (reading({"MaxItemsPath": "$.n"}), {"n": -1}, {}, -1),
        (reading({"MaxItems": 2}, Bucket="b"), {}, {"Bucket": "b"}, 2),
        (reading({}), {}, {}, 0),
        # recorded: reference_in_map_state_max_items_path--MAP_STATE_REFERENCE_IN_MAX_ITEMS_PATH
        (reading({"MaxItemsPath": "$.n"}), {"n": "2"}, {}, 2),
        # recorded: map_item_reader_base_json_max_items_jsonata
        (reading({"MaxItems": "{% $m := 2 %}"}, "JSONata", Key="{% $states.input.k %}"), {"k": 7}, {"Key": 7}, 2),
    ],
)
def test_what_is_to_be_read(definition: dict[str, Any], given: Any, parameters: dict[str, Any], most: int) -> None:
    driver, run = begun(definition, given)
    source = run.children.items
    assert isinstance(source, ItemSource)
    assert (source.action, source.parameters, source.most_items) == ("getObject", parameters, most)
    started = driver.history[2]
    assert (started.type, started.details) == ("MapStateStarted", {"length": 0})
    assert [child.input.value for child in child_inputs(run, ["a", "b"])] == ["a", "b"]


def test_a_number_of_items_that_is_none() -> None:
    """Recorded: map_item_reader_csv_max_items_paths--1.5."""
    driver = driven(reading({"MaxItemsPath": "$.MaxItems"}), {"MaxItems": 1.5})
    assert driver.shape() == "1<0 ExecutionStarted, 2<0 MapStateEntered, 3<2 MapStateStarted, 4<3 ExecutionFailed"
    assert (driver.execution.cause or "").endswith(
        'The MaxItemsPath field refers to value "1.5" which is not a valid integer: $.MaxItems'
    )


def test_what_items_path_selects_is_not_looked_at() -> None:
    """Recorded: map_item_reader_base_json_with_items_path--INVALID_ITEMS_PATH."""
    definition = reading({})
    definition["States"]["M"]["ItemsPath"] = "$.no_such_path"
    _, run = begun(definition, {})
    assert isinstance(run.children.items, ItemSource)


# -- redrives ------------------------------------------------------------------------------------------------


def redriven(driver: Driver) -> list[str]:
    """The events of a redrive of the execution as the store would give it back."""
    before = len(driver.events())
    driver.execution = driver.folded()
    driver.signal(Redrive())
    return [f"{event.id}<{event.previous_id} {event.type}" for event in driver.events()[before:]]


def failed_with(driver: Driver, error: str) -> Driver:
    driver.signal(TaskFailed(driver.map_runs[-1].attempt, error, "why"))
    return driver


@pytest.mark.parametrize("language", [None, "JSONata"])
def test_a_redrive_goes_on_with_the_same_run(language: str | None) -> None:
    fields: dict[str, Any] = (
        {"ItemsPath": "$.a"} if language is None else {"Items": "{% $states.input.a.($random()) %}"}
    )
    driver, first = begun(machine(language=language, **fields), {"a": [1, 2]})
    failed_with(driver, "States.ExceedToleratedFailureThreshold")
    assert redriven(driver) == ["8<7 ExecutionRedriven", "9<8 MapRunRedriven"]
    second = driver.map_runs[-1]
    assert (second.attempt, second.redrives, second.arn) == (9, 1, first.arn)
    inputs = [[child.input.value for child in child_inputs(run)] for run in (first, second)]
    assert inputs[0] == inputs[1]
    failed_with(driver, "States.ExceedToleratedFailureThreshold")
    assert redriven(driver) == ["13<12 ExecutionRedriven", "14<13 MapRunRedriven"]
    assert driver.events()[-1].details == {"mapRunArn": first.arn, "redriveCount": 2}
    driver.signal(TaskSucceeded(14, Document([])))
    assert driver.execution.status == "SUCCEEDED"


def test_a_redrive_goes_on_with_a_run_that_was_stopped() -> None:
    driver, first = begun(machine(), [1])
    driver.signal(Stop())
    assert redriven(driver) == ["6<5 ExecutionRedriven", "7<6 MapRunRedriven"]
    assert driver.map_runs[-1].arn == first.arn


@pytest.mark.parametrize("error", ["States.DataLimitExceeded", "States.Runtime", "States.ItemReaderFailed"])
def test_a_redrive_begins_another_run(error: str) -> None:
    """The first two are those of AWS's page "Redriving Map Runs"."""
    driver, first = begun(machine(), [1])
    failed_with(driver, error)
    assert redriven(driver) == ["8<7 ExecutionRedriven", "9<8 MapStateStarted", "10<9 MapRunStarted"]
    assert driver.map_runs[-1].arn != first.arn


def test_a_redrive_begins_another_run_if_the_result_could_not_be_used() -> None:
    """AWS, "Redriving Map Runs": "you selected a non-existent JSON node in Output"."""
    driver, first = begun(machine(ResultSelector={"a.$": "$.missing"}), [1])
    driver.signal(TaskSucceeded(first.attempt, Document([])))
    assert driver.execution.status == "FAILED"
    assert redriven(driver)[-1].endswith("MapRunStarted")
    assert driver.map_runs[-1].arn != first.arn


def test_runs_of_other_branches_are_redriven_too() -> None:
    """What failed and what was aborted because of it."""
    other = {"StartAt": "N", "States": {"N": machine()["States"]["M"] | {"ItemProcessor": processor(name="Other")}}}
    parallel = {"Type": "Parallel", "Branches": [machine(), other], "End": True}
    driver, first = begun({"StartAt": "P", "States": {"P": parallel}}, [1])
    driver.signal(TaskFailed(first.attempt, "E", None))
    assert driver.execution.status == "FAILED"
    assert [event.rpartition(" ")[2] for event in redriven(driver)] == ["ExecutionRedriven"] + ["MapRunRedriven"] * 2
    arns = [run.arn for run in driver.map_runs]
    assert arns[:2] == arns[2:]
