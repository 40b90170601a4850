"""The fields of a definition: one line per field, for every kind of object that the language has.

This is the single source of what is allowed where.  Unknown, missing, misplaced, mistyped and conflicting
fields are all found by `kinds.read_object` from these tables, and the attributes it returns make the tree.

Sources: the Amazon States Language in the AWS developer guide; and what others measured on AWS with
ValidateStateMachineDefinition and published: which of 50 fields each state type takes, the ranges and the
messages (cdk-preflight, rules/stepfunctions), the query language (floci, issue 2968).  Two results differ
from the guide: IntervalSeconds of a retrier and TimeoutSeconds of the machine may be 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import structs

from treadle.language import definition as tree
from treadle.language.kinds import (
    Context,
    Field,
    Group,
    Kind,
    Language,
    Shape,
    anything,
    array,
    boolean,
    check_group,
    integer,
    listed,
    mapping,
    nullable,
    number,
    one_of,
    or_expression,
    read_object,
    shape,
    string,
    timestamp,
)
from treadle.language.operators import operators
from treadle.language.resources import parse_resource

_predefined_errors = frozenset(
    "States." + name
    for name in (
        "ALL",
        "BranchFailed",
        "DataLimitExceeded",
        "ExceedToleratedFailureThreshold",
        "HeartbeatTimeout",
        "Http.Socket",
        "IntrinsicFailure",
        "ItemReaderFailed",
        "NoChoiceMatched",
        "ParameterPathFailure",
        "Permissions",
        "QueryEvaluationError",
        "ResultPathMatchFailure",
        "ResultWriterFailed",
        "Runtime",
        "TaskFailed",
        "Timeout",
    )
)
_http_status = "States.Http.StatusCode."


def effective_language(value: Mapping[str, Any], inherited: Language) -> Language:
    """The query language of a machine or state. AWS takes whatever is not exactly JSONPath for JSONata."""
    if "QueryLanguage" not in value:
        return inherited
    return "JSONPath" if value["QueryLanguage"] == "JSONPath" else "JSONata"


# Retry and Catch


def _retrier(value: Any, at: str, context: Context) -> tree.Retrier | None:
    attributes = read_object(value, _retrier_shape, at, context)
    if attributes is None:
        return None
    retrier = tree.Retrier(**attributes)
    # The rule is documented; its wording on AWS is not known.
    if retrier.max_delay_seconds is not None and retrier.max_delay_seconds <= retrier.interval_seconds:
        context.report(f"{at}/MaxDelaySeconds", "MaxDelaySeconds must be greater than IntervalSeconds")
    return retrier


def _catcher(value: Any, at: str, context: Context) -> tree.Catcher | None:
    attributes = read_object(value, _catcher_shape, at, context)
    return None if attributes is None else tree.Catcher(**attributes)


def _error_name(value: Any, at: str, context: Context) -> Any:
    string(value, at, context)
    reserved = isinstance(value, str) and value.startswith("States.")
    if reserved and value not in _predefined_errors and not value.startswith(_http_status):
        # The name matches nothing.  AWS is not known to refuse it, so this is no more than a warning.
        message = f"'{value}' is no predefined error name, and 'States.' must not start any other"
        context.report(at, message, severity="WARNING")
    return value


def _handlers(kind: Kind) -> Kind:
    """A list of retriers or catchers. States.ALL stands alone, in the last one."""
    read_all = array(kind, may_be_empty=True)

    def read(value: Any, at: str, context: Context) -> Any:
        read = read_all(value, at, context)
        for index, handler in enumerate(value if isinstance(value, list) else []):
            names = handler.get("ErrorEquals") if isinstance(handler, dict) else None
            if not isinstance(names, list) or "States.ALL" not in names:
                continue
            if len(names) > 1 or index < len(value) - 1:
                place = f"{at}[{index}]/ErrorEquals[{names.index('States.ALL')}]"
                context.report(place, "States.ALL must appear alone and at end of list")
        return read

    return read


_error_equals = Field("ErrorEquals", array(_error_name), "error_equals", required=True)
_comment = Field("Comment", string)
_assign = Field("Assign", mapping)
_output = Field("Output", anything, language="JSONata")
_result_path = Field("ResultPath", nullable(string), "result_path", language="JSONPath")

_retrier_shape = shape(
    [
        _error_equals,
        Field("IntervalSeconds", integer(0, "seconds_max"), "interval_seconds"),
        Field("MaxAttempts", integer(0, "retry_attempts_max"), "max_attempts"),
        Field("BackoffRate", number(minimum=1), "backoff_rate"),
        Field("MaxDelaySeconds", integer(1, "retry_delay_seconds_max"), "max_delay_seconds"),
        Field("JitterStrategy", one_of("NONE", "FULL"), "jitter_strategy"),
        _comment,
    ]
)

_catcher_shape = shape(
    [
        _error_equals,
        Field("Next", string, "next", required=True),
        _result_path,
        _output,
        _assign,
        _comment,
    ]
)

# Choice rules


def _rule(value: Any, at: str, context: Context) -> tree.ChoiceRule | None:
    attributes = read_object(value, _rule_shape, at, context)
    _check_comparison(value, at, context)
    if attributes is None:
        return None
    condition = {name: operand for name, operand in value.items() if name not in ("Next", "Comment")}
    return tree.ChoiceRule(condition=condition, next=attributes["next"])


def _nested_rule(value: Any, at: str, context: Context) -> None:
    read_object(value, _nested_rule_shape, at, context)
    _check_comparison(value, at, context)


def _check_comparison(value: Any, at: str, context: Context) -> None:
    if not isinstance(value, dict):
        return
    if sum(name in value for name in _selectors) != 1:
        context.report(at, f"The object must have only one of the following fields, {listed(_selectors)}")
    elif "Variable" in value:
        check_group(value, _comparison, at, context)
    else:
        for name in value:
            if name in operators:
                context.report(at, f"Field '{name}' is not supported")


_selectors = ("And", "Or", "Not", "Variable", "Condition")
_comparison = Group(tuple(operators), required=True)

_condition_fields = [
    Field("And", array(_nested_rule), language="JSONPath"),
    Field("Or", array(_nested_rule), language="JSONPath"),
    Field("Not", _nested_rule, language="JSONPath"),
    Field("Variable", string, language="JSONPath"),
    Field("Condition", anything, language="JSONata"),
    *(Field(name, kind, language="JSONPath") for name, kind in operators.items()),
    _comment,
]
_nested_rule_shape = shape(_condition_fields)
_rule_shape = shape([*_condition_fields, Field("Next", string, "next", required=True), _assign, _output])

# Scopes


def _states(value: Any, at: str, context: Context) -> Any:
    mapping(value, at, context)
    if not isinstance(value, dict):
        return None
    if not value:
        context.report(at, "Value cannot be empty")
    return {name: _state(item, name, f"{at}/{name}", context) for name, item in value.items()}


def _branch(value: Any, at: str, context: Context) -> tree.Scope | None:
    attributes = read_object(value, _branch_shape, at, context)
    return None if attributes is None else tree.Scope(**attributes)


def _processor(value: Any, at: str, context: Context) -> tree.Scope | None:
    attributes = read_object(value, _processor_shape, at, context)
    return None if attributes is None else tree.Scope(**attributes)


def _processor_config(value: Any, at: str, context: Context) -> None:
    read_object(value, _processor_config_shape, at, context)
    if not isinstance(value, dict):
        return
    if value.get("Mode") == "DISTRIBUTED" and "ExecutionType" not in value:
        context.report(at, "These fields are required: [ExecutionType]")
    elif value.get("Mode") == "INLINE" and "ExecutionType" in value:
        context.report(at, "Field 'ExecutionType' is not supported")


def _mode(value: Any, at: str, context: Context) -> None:
    _modes(value, at, context)
    if value == "DISTRIBUTED" and context.machine_type == "EXPRESS":
        message = "The field 'Mode' with value 'DISTRIBUTED' is not supported inside 'EXPRESS' state machines"
        context.report(at, message)


_modes = one_of("INLINE", "DISTRIBUTED")

_processor_config_shape = shape(
    [
        Field("Mode", _mode),
        Field("ExecutionType", one_of("STANDARD", "EXPRESS")),
    ]
)

_scope_fields = [
    Field("States", _states, "states", required=True),
    Field("StartAt", string, "start_at", required=True),
]
_branch_shape = shape([*_scope_fields, _comment])
_processor_shape = shape([*_scope_fields, _comment, Field("ProcessorConfig", _processor_config)])

machine_shape = shape(
    [
        *_scope_fields,
        Field("Comment", string, "comment"),
        Field("Version", one_of("1.0")),
        Field("TimeoutSeconds", integer(0, "seconds_max"), "timeout_seconds"),
        Field("QueryLanguage", one_of("JSONPath", "JSONata")),
    ]
)

# States


def _resource(value: Any, at: str, context: Context) -> Any:
    string(value, at, context)
    if not isinstance(value, str):
        return value
    resource = parse_resource(value)
    if not value.startswith("arn:"):
        context.report(at, "Value is not a valid resource ARN")
    elif resource is None:
        context.report(
            at,
            f"The resource provided {value} is not recognized. The value is not a valid resource ARN, "
            "or the resource is not available in this region.",
        )
    elif context.machine_type == "EXPRESS":
        if resource.kind == "activity":
            context.report(at, "Express state machine does not support Activity ARN")
        elif resource.pattern == "waitForTaskToken":
            # AWS ends this message with a blank, so that two stand before the place (recorded).
            message = "Express state machine does not support '.waitForTaskToken' service integration "
            context.report(at, message)
        elif resource.pattern:
            context.report(at, "Express state machine does not support '.sync' service integration")
    return value


def _credentials(value: Any, at: str, context: Context) -> Any:
    mapping(value, at, context)
    if isinstance(value, dict) and not {"RoleArn", "RoleArn.$"} & value.keys():
        context.report(at, "The field 'RoleArn' is required but was missing")
    return value


_common = [Field("Type", anything), _comment, Field("QueryLanguage", one_of("JSONPath", "JSONata"))]
_data = [
    Field("InputPath", nullable(string), "input_path", language="JSONPath"),
    Field("OutputPath", nullable(string), "output_path", language="JSONPath"),
    _output,
]
_parameters = Field("Parameters", anything, "parameters", language="JSONPath")
_arguments = Field("Arguments", anything, language="JSONata")
_result_selector = Field("ResultSelector", anything, "result_selector", language="JSONPath")
_transition = [Field("Next", string, "next"), Field("End", boolean)]
_next_or_end = Group(("Next", "End"), required=True, absent=False)
_handling = [
    Field("Retry", _handlers(_retrier), "retry"),
    Field("Catch", _handlers(_catcher), "catch"),
]
_seconds = or_expression(integer(1, "seconds_max"))
_share = or_expression(number(0, 100))
_count = or_expression(integer())

_state_shapes: Mapping[str, tuple[Callable[..., tree.State], Shape]] = {
    # In the order of AWS's message about a wrong Type.
    "Task": (
        tree.TaskState,
        shape(
            [
                *_common,
                *_data,
                Field("Resource", _resource, "resource", required=True),
                _parameters,
                _arguments,
                _result_selector,
                _result_path,
                _assign,
                Field("Credentials", _credentials, "credentials"),
                Field("TimeoutSeconds", _seconds, "timeout_seconds"),
                Field("TimeoutSecondsPath", string, "timeout_seconds_path", language="JSONPath"),
                Field("HeartbeatSeconds", _seconds, "heartbeat_seconds"),
                Field("HeartbeatSecondsPath", string, "heartbeat_seconds_path", language="JSONPath"),
                *_handling,
                *_transition,
            ],
            Group(("TimeoutSeconds", "TimeoutSecondsPath")),
            Group(("HeartbeatSeconds", "HeartbeatSecondsPath")),
            _next_or_end,
        ),
    ),
    "Wait": (
        tree.WaitState,
        shape(
            [
                *_common,
                *_data,
                Field("Seconds", or_expression(integer(0, "seconds_max")), "seconds"),
                Field("SecondsPath", string, "seconds_path", language="JSONPath"),
                Field("Timestamp", or_expression(timestamp), "timestamp"),
                Field("TimestampPath", string, "timestamp_path", language="JSONPath"),
                _assign,
                *_transition,
            ],
            Group(("SecondsPath", "Seconds", "TimestampPath", "Timestamp"), required=True),
            _next_or_end,
        ),
    ),
    "Pass": (
        tree.PassState,
        shape(
            [
                *_common,
                *_data,
                _parameters,
                Field("Result", anything, "result", language="JSONPath"),
                _result_path,
                _assign,
                *_transition,
            ],
            _next_or_end,
        ),
    ),
    "Succeed": (tree.SucceedState, shape([*_common, *_data])),
    "Fail": (
        tree.FailState,
        shape(
            [
                *_common,
                Field("Error", string, "error"),
                Field("ErrorPath", string, "error_path", language="JSONPath"),
                Field("Cause", string, "cause"),
                Field("CausePath", string, "cause_path", language="JSONPath"),
            ],
            Group(("Error", "ErrorPath")),
            Group(("Cause", "CausePath")),
        ),
    ),
    "Choice": (
        tree.ChoiceState,
        shape(
            [
                *_common,
                *_data,
                Field("Choices", array(_rule), "choices", required=True),
                Field("Default", string, "default"),
                _assign,
            ]
        ),
    ),
    "Parallel": (
        tree.ParallelState,
        shape(
            [
                *_common,
                *_data,
                Field("Branches", array(_branch), "branches", required=True),
                _parameters,
                _arguments,
                _result_selector,
                _result_path,
                _assign,
                *_handling,
                *_transition,
            ],
            _next_or_end,
        ),
    ),
    "Map": (
        tree.MapState,
        shape(
            [
                *_common,
                *_data,
                Field("ItemProcessor", _processor, "processor"),
                Field("Iterator", _processor, "processor"),
                Field("ItemsPath", nullable(string), "items_path", language="JSONPath"),
                Field("Items", anything, language="JSONata"),
                Field("ItemSelector", anything, "item_selector"),
                Field("Parameters", anything, "item_selector", language="JSONPath"),
                Field("MaxConcurrency", _count, "max_concurrency"),
                Field("MaxConcurrencyPath", string, "max_concurrency_path", language="JSONPath"),
                _result_selector,
                _result_path,
                _assign,
                Field("Label", string),
                Field("ItemReader", mapping),
                Field("ItemBatcher", mapping),
                Field("ResultWriter", mapping),
                Field("ToleratedFailurePercentage", _share),
                Field("ToleratedFailurePercentagePath", string, language="JSONPath"),
                Field("ToleratedFailureCount", _count),
                Field("ToleratedFailureCountPath", string, language="JSONPath"),
                *_handling,
                *_transition,
            ],
            Group(("ItemProcessor", "Iterator"), required=True),
            Group(("ItemSelector", "Parameters")),
            Group(("MaxConcurrency", "MaxConcurrencyPath")),
            Group(("ToleratedFailurePercentage", "ToleratedFailurePercentagePath")),
            Group(("ToleratedFailureCount", "ToleratedFailureCountPath")),
            _next_or_end,
        ),
    ),
}


def _state(value: Any, name: str, at: str, context: Context) -> tree.State | None:
    if not isinstance(value, dict):
        context.report(at, "Expected value of type [OBJECT]")
        return None
    if "Type" not in value:
        context.report(at, "These fields are required: [Type]")
        return None
    found = _state_shapes.get(value["Type"]) if isinstance(value["Type"], str) else None
    if found is None:
        types = listed(_state_shapes)
        context.report(f"{at}/Type", f"The field 'Type' should have one of these values: {types}")
        return None
    build, fields = found
    attributes = read_object(value, fields, at, _state_context(value, at, context))
    _check_task(value, at, context)
    return None if attributes is None else build(name=name, location=at, **attributes)


def _state_context(value: Mapping[str, Any], at: str, context: Context) -> Context:
    language = effective_language(value, context.machine_language)
    if language == "JSONPath" and context.machine_language == "JSONata":
        message = "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine"
        context.report(at, message)
        return structs.replace(context, language=None)
    return structs.replace(context, language=language)


def _check_task(value: Mapping[str, Any], at: str, context: Context) -> None:
    """Rules between the fields of a Task state. AWS's wording of the first is not known."""
    timeout, heartbeat = value.get("TimeoutSeconds"), value.get("HeartbeatSeconds")
    if type(timeout) is int and type(heartbeat) is int and heartbeat >= timeout:
        context.report(f"{at}/HeartbeatSeconds", "HeartbeatSeconds must be smaller than TimeoutSeconds")
    resource = value.get("Resource")
    if "Credentials" in value and isinstance(resource, str):
        named = parse_resource(resource)
        if named is not None and named.kind == "activity":
            context.report(at, "The field 'Credentials' is not supported for activities")
