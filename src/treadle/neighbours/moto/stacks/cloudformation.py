"""Stacks of CloudFormation in moto, carried out as AWS does: in the background, resource by resource, and back again
if one fails.

moto keeps stacks and change sets, works out references and conditions, and makes the resources of its own services.
The resources in the tables of resources.py are made by Treadle. A type that nobody makes is refused with the template,
where moto would say that it has been made. What is not here: rollback switched off, policies for updates, drift.

A stack is worked at by one thread at a time; only that thread may make resources, which moto otherwise does wherever a
reference is looked up.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from msgspec import Struct

from treadle.neighbours.moto.stacks.parsing import change, correct_parsing, properties_of
from treadle.neighbours.moto.stacks.resources import KINDS
from treadle.neighbours.moto.stacks.shapes import ResourceFailed
from treadle.neighbours.moto.stacks.templates import InvalidTemplate, order, prepare

_NOTHING_TO_MAKE = ("AWS::CDK::Metadata", "AWS::CloudFormation::WaitConditionHandle")
_LONGEST_REASON = 1_000

_log = logging.getLogger(__name__)


class _Failed(Exception):
    """The resource of this name could not be made, changed or deleted. The message is the reason."""

    def __init__(self, logical_id: str, reason: str) -> None:
        super().__init__(reason)
        self.logical_id = logical_id


class _Work(Struct):
    """What stands in a stack: beside moto's Stack, for those of this server."""

    thread: threading.Thread | None = None
    resolved: dict[str, Any] = {}
    """Properties of each resource as it was last made, references worked out."""
    outputs: list[dict[str, Any]] | None = None
    original: str | None = None
    """The template before its transforms."""


def correct() -> None:
    models: Any = import_module("moto.cloudformation.models")
    parsing: Any = import_module("moto.cloudformation.parsing")
    correct_parsing(parsing, models)
    backend, stack = models.CloudFormationBackend, models.Stack
    backend.create_stack = _create_stack
    backend.update_stack = _update_stack
    backend.delete_stack = _delete_stack
    backend.execute_change_set = _execute_change_set
    create_change_set, get_template = backend.create_change_set, backend.get_template

    def prepared_change_set(self: Any, stack_name: str, change_set_name: str, template: str, **more: Any) -> Any:
        text = _prepared(self, template, more.get("parameters") or {})
        stack = next((each for each in list(self.stacks.values()) if each.name == stack_name), None)
        if stack is not None:
            _check_open(stack, change_set_name, more["change_set_type"])
        made = create_change_set(self, stack_name, change_set_name, text, **more)
        changes = self.change_sets[made[0]]
        changes.original = template
        if stack is not None and changes.stack is not stack:  # moto has made a second stack of this name
            del self.stacks[changes.stack_id]
            changes.stack, changes.stack_id = stack, stack.stack_id
        return changes.change_set_id, changes.stack_id

    def original_template(self: Any, name_or_stack_id: str) -> Any:
        return _work(self.get_stack(name_or_stack_id)).original or get_template(self, name_or_stack_id)

    backend.create_change_set = prepared_change_set
    backend.get_template = original_template
    stack.outputs = property(lambda self: _work(self).outputs)
    stack.stack_resources = property(_resources)


def _prepared(backend: Any, template: str, parameters: dict[str, Any]) -> str:
    """Raises moto's ValidationError."""
    models: Any = import_module("moto.cloudformation.models")
    parsing: Any = import_module("moto.cloudformation.parsing")
    made = {*parsing.get_model_map(), *KINDS, *_NOTHING_TO_MAKE}
    try:
        parsed = models.Stack.parse_template(template)
        return prepare(parsed, parameters, (backend.account_id, backend.region_name), made)
    except InvalidTemplate as error:
        raise models.ValidationError(message=str(error)) from error


# -- the work at a stack -------------------------------------------------------------------------------------------


def _work(stack: Any) -> _Work:
    if not hasattr(stack, "work"):
        stack.work = _Work(resolved={})
    work: _Work = stack.work
    return work


def _resources(stack: Any) -> list[Any]:
    parsed = stack.resource_map._parsed_resources
    return [parsed[name] for name in stack.resource_map._resource_json_map if parsed.get(name) is not None]


def _begin(stack: Any, status: str, job: Callable[[], None]) -> None:
    """The job, in a thread of its own; `status`: of the stack meanwhile. While something is under way, only a deletion
    may begin, and waits for it."""
    work, resources = _work(stack), stack.resource_map
    before = work.thread
    if before is None:
        resources.worked_at_by = _NOBODY
    elif status != "DELETE_IN_PROGRESS" and stack.status.endswith("_IN_PROGRESS"):
        raise _not_updatable(stack)
    _tell(stack, status, "User Initiated")

    def run() -> None:
        if before is not None:
            before.join()
        if stack.status != status:
            _tell(stack, status)
        resources.worked_at_by = threading.current_thread()
        try:
            job()
        except Exception as error:
            _log.exception("stack %s", stack.name)
            _tell(stack, status.replace("_IN_PROGRESS", "_FAILED"), _reason(error))
        finally:
            resources.worked_at_by = _NOBODY

    work.thread = threading.Thread(target=run, name=f"stack {stack.name}", daemon=True)
    work.thread.start()


_NOBODY = object()
_UPDATABLE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_FAILED", "UPDATE_ROLLBACK_COMPLETE"})


def _check_updatable(stack: Any) -> None:
    """What became nothing when it was to be made can only be deleted. Raises moto's ValidationError."""
    if stack.status not in _UPDATABLE:
        raise _not_updatable(stack)


def _check_open(stack: Any, change_set_name: str, change_set_type: str) -> None:
    """Whether this stack may get a change set of the type: to be made, only if it never was. Raises moto's
    ValidationError."""
    models: Any = import_module("moto.cloudformation.models")
    if change_set_type == "UPDATE":
        _check_updatable(stack)
    elif stack.status != "REVIEW_IN_PROGRESS":
        text = f"Stack [{stack.name}] already exists and cannot be created again with the changeSet"
        raise models.ValidationError(message=f"{text} [{change_set_name}].")


def _not_updatable(stack: Any) -> Exception:
    models: Any = import_module("moto.cloudformation.models")
    text = f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated."
    error: Exception = models.ValidationError(message=text)
    return error


def _tell(stack: Any, status: str, reason: str | None = None) -> None:
    stack.status, stack.stack_status_reason = status, reason
    stack._add_stack_event(status, resource_status_reason=reason)


def _tell_of(stack: Any, name: str, status: str, reason: str | None = None) -> None:
    models: Any = import_module("moto.cloudformation.models")
    made = stack.resource_map._parsed_resources.get(name)
    event = models.Event(
        stack_id=stack.stack_id,
        stack_name=stack.name,
        logical_resource_id=name,
        physical_resource_id=getattr(made, "physical_resource_id", None) or "",
        resource_type=stack.resource_map._resource_json_map.get(name, {}).get("Type", ""),
        resource_status=status,
        resource_status_reason=reason,
        resource_properties=None,
    )
    stack.events.append(event)


def _reason(error: BaseException) -> str:
    told = getattr(error, "response", {}).get("Error", {})  # botocore's ClientError
    if told.get("Message"):
        return f"{told['Message']} ({told.get('Code')})"[:_LONGEST_REASON]
    return (str(error) or type(error).__name__)[:_LONGEST_REASON]


def _carry_out(stack: Any, name: str, verb: str, act: Callable[[], None]) -> None:
    """`verb`: CREATE, UPDATE, DELETE. Raises _Failed."""
    _tell_of(stack, name, f"{verb}_IN_PROGRESS")
    try:
        act()
    except Exception as error:
        reason = _reason(error)
        _tell_of(stack, name, f"{verb}_FAILED", reason)
        raise _Failed(name, reason) from error
    _tell_of(stack, name, f"{verb}_COMPLETE")


def _build(stack: Any) -> None:
    """All resources as the template has them now: those that are missing made, those that differ changed. Raises
    _Failed."""
    parsing: Any = import_module("moto.cloudformation.parsing")
    resources, work = stack.resource_map, _work(stack)
    for name in order(stack.template_dict):
        resource = resources._resource_json_map[name]
        if resource["Type"] in _NOTHING_TO_MAKE or not _wanted(resources, resource):
            continue
        if name not in resources._parsed_resources:
            _carry_out(stack, name, "CREATE", partial(_create, resources, name))
        elif properties_of(parsing, resource, resources) != work.resolved.get(name):
            _carry_out(stack, name, "UPDATE", partial(change, stack, name, resource))
        work.resolved[name] = properties_of(parsing, resource, resources)


def _wanted(resources: Any, resource: dict[str, Any] | None) -> bool:
    """By its condition, if it is in the template at all."""
    if resource is None:
        return False
    return not resource.get("Condition") or bool(resources.lazy_condition_map[resource["Condition"]])


def _create(resources: Any, name: str) -> None:
    made = resources[name]
    if made is None:
        raise ResourceFailed("nothing has been made")
    nested = getattr(made, "work", None)
    if nested is not None:  # a stack within the stack
        nested.thread.join()
        if made.status != "CREATE_COMPLETE":
            raise ResourceFailed(f"Embedded stack {made.stack_id} was not successfully created")


def _remove(stack: Any, names: list[str], templates: dict[str, Any]) -> list[str]:
    """Those that are there, in this order. The names of those that could not be."""
    resources, left = stack.resource_map, []
    for name in names:
        made = resources._parsed_resources.get(name)
        if made is None:
            continue
        resource = templates[name]
        if resource.get("DeletionPolicy") == "Retain":
            _tell_of(stack, name, "DELETE_SKIPPED")
        else:
            try:
                _carry_out(stack, name, "DELETE", partial(resources._delete_resource, made, resource))
            except _Failed:
                left.append(name)
                continue
        resources._parsed_resources.pop(name, None)
        _work(stack).resolved.pop(name, None)
    return left


def _finish(backend: Any, stack: Any, status: str) -> None:
    """Outputs, by their names in order (recorded: scenarios/sfn_scenarios--path_based_on_data), and exports. Raises
    moto's ValidationError."""
    models: Any = import_module("moto.cloudformation.models")
    stack.output_map = stack._create_output_map()
    exports = stack.output_map.exports
    taken = {name for name, export in backend.exports.items() if export._exporting_stack_id != stack.stack_id}
    for export in exports:
        if export.name in taken:
            raise models.ValidationError(message=f"Export with name {export.name} is already exported by stack")
    for name in [name for name, export in backend.exports.items() if export._exporting_stack_id == stack.stack_id]:
        del backend.exports[name]
    backend.exports.update({export.name: export for export in exports})
    named = {export.value: export.name for export in exports}
    _work(stack).outputs = [
        {"OutputKey": each.key, "OutputValue": each.value, "Description": each.description,
         "ExportName": named.get(each.value)}
        for each in sorted(filter(None, stack.output_map.values()), key=lambda each: each.key)
    ]  # fmt: skip
    _tell(stack, status)


def _use(stack: Any, template: str, parameters: dict[str, Any] | None) -> None:
    """Take over another template, before its resources are made. Raises moto's errors."""
    stack.template = template
    stack._parse_template()
    stack.description = stack.template_dict.get("Description")
    resources = stack.resource_map
    if parameters is not None:
        stack.parameters = resources.input_parameters = parameters
    resources._template, resources._resource_json_map = stack.template_dict, stack.template_dict["Resources"]
    resources.resolved_parameters = {}
    resources.load()


def _creation(backend: Any, stack: Any) -> None:
    try:
        _build(stack)
        _finish(backend, stack, "CREATE_COMPLETE")
        return
    except _Failed as error:
        reason = f"The following resource(s) failed to create: [{error.logical_id}]. Rollback requested by user."
    except Exception as error:
        reason = _reason(error)
    _tell(stack, "ROLLBACK_IN_PROGRESS", reason)
    left = _remove(stack, order(stack.template_dict)[::-1], stack.template_dict["Resources"])
    _tell(stack, "ROLLBACK_FAILED" if left else "ROLLBACK_COMPLETE", _not_deleted(left) or None)


def _change_all(backend: Any, stack: Any, template: str, parameters: dict[str, Any] | None) -> None:
    before, old = (stack.template, dict(stack.parameters)), dict(stack.resource_map._resource_json_map)
    try:
        _use(stack, template, parameters)
        _build(stack)
        gone = [name for name in old if not _wanted(stack.resource_map, stack.template_dict["Resources"].get(name))]
        if gone:
            _tell(stack, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
            _remove(stack, gone[::-1], old)
        _finish(backend, stack, "UPDATE_COMPLETE")
        return
    except _Failed as error:
        reason = f"The following resource(s) failed to update: [{error.logical_id}]. "
    except Exception as error:
        reason = _reason(error)
    _tell(stack, "UPDATE_ROLLBACK_IN_PROGRESS", reason)
    new = dict(stack.resource_map._resource_json_map)
    try:
        _use(stack, *before)
        _build(stack)
    except Exception as error:
        _tell(stack, "UPDATE_ROLLBACK_FAILED", _reason(error))
        return
    _remove(stack, [name for name in new if name not in old], new)
    _finish(backend, stack, "UPDATE_ROLLBACK_COMPLETE")


def _deletion(backend: Any, stack: Any) -> None:
    left = _remove(
        stack, order(stack.template_dict)[::-1] if stack.template_dict else [], stack.template_dict.get("Resources", {})
    )
    if left:
        _tell(stack, "DELETE_FAILED", _not_deleted(left))
        return
    for name in [name for name, export in backend.exports.items() if export._exporting_stack_id == stack.stack_id]:
        del backend.exports[name]
    _tell(stack, "DELETE_COMPLETE")
    backend.stacks.pop(stack.stack_id, None)
    backend.deleted_stacks[stack.stack_id] = stack


def _not_deleted(left: list[str]) -> str:
    return f"The following resource(s) failed to delete: [{', '.join(left)}]. " if left else ""


# -- moto's operations ---------------------------------------------------------------------------------------------


def _create_stack(self: Any, name: str, template: str, parameters: dict[str, Any], **more: Any) -> Any:
    """In place of the method of moto's backend."""
    models: Any = import_module("moto.cloudformation.models")
    if name in [stack.name for stack in self.stacks.values()]:
        raise models.AlreadyExistsException(f"Stack [{name}] already exists")
    stack = models.Stack(
        stack_id=models.generate_stack_id(name, self.region_name, self.account_id),
        name=name,
        template=_prepared(self, template, parameters),
        parameters=parameters,
        account_id=self.account_id,
        region_name=self.region_name,
        cross_stack_resources=self.exports,
        **more,
    )
    _work(stack).original = template
    self.stacks[stack.stack_id] = stack
    _begin(stack, "CREATE_IN_PROGRESS", partial(_creation, self, stack))
    return stack


def _update_stack(
    self: Any, name: str, template: str, role_arn: str | None, parameters: list[dict[str, Any]], tags: Any
) -> Any:
    """In place of the method of moto's backend."""
    models: Any = import_module("moto.cloudformation.models")
    stack = self.get_stack(name)
    _check_updatable(stack)
    resolved = self._resolve_update_parameters(instance=stack, incoming_params=parameters)
    text = _prepared(self, template, resolved)
    if stack.has_template(text) and stack.has_parameters(resolved):
        raise models.ValidationError(message="No updates are to be performed.")
    _work(stack).original = template
    stack.role_arn = role_arn
    stack.tags = stack.tags if tags is None else tags
    _begin(stack, "UPDATE_IN_PROGRESS", partial(_change_all, self, stack, text, resolved))
    return stack


def _delete_stack(self: Any, name_or_stack_id: str) -> None:
    """In place of the method of moto's backend."""
    for stack in list(self.stacks.values()):
        if name_or_stack_id in (stack.stack_id, stack.name):
            _begin(stack, "DELETE_IN_PROGRESS", partial(_deletion, self, stack))


def _execute_change_set(self: Any, change_set_name: str, stack_name: str | None = None) -> None:
    """In place of the method of moto's backend. The other change sets of the stack go, as they were made for the stack
    as it was (CloudFormation API Reference, ExecuteChangeSet)."""
    models: Any = import_module("moto.cloudformation.models")
    changes = self.describe_change_set(change_set_name)
    if changes.execution_status != "AVAILABLE":
        text = f"ChangeSet [{changes.change_set_id}] cannot be executed in its current execution status of"
        raise models.ValidationError(message=f"{text} [{changes.execution_status}]")
    stack = self.stacks[changes.stack_id]
    if changes.change_set_type == "CREATE":
        # The stack has these of the first change set that was made for it.
        stack.tags, stack.role_arn = changes.tags or {}, changes.role_arn
        stack.notification_arns = changes.notification_arns or []
        stack.resource_map.cross_stack_resources = self.exports
        _use(stack, changes.template, changes.parameters)
        _begin(stack, "CREATE_IN_PROGRESS", partial(_creation, self, stack))
    else:
        _begin(stack, "UPDATE_IN_PROGRESS", partial(_change_all, self, stack, changes.template, changes.parameters))
    _work(stack).original = changes.original
    changes.execution_status = "EXECUTE_COMPLETE"
    for other in [each for each in self.change_sets.values() if each.stack is stack and each is not changes]:
        del self.change_sets[other.change_set_id]
