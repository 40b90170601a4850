"""Lambda as the door sees it: the table of its operations, each with its checker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

from treadle.aws import model
from treadle.aws.errors import not_implemented
from treadle.aws.functions import (
    aliases,
    concurrency,
    event_configs,
    event_sources,
    functions,
    invoke,
    invoke_stream,
    kept_configs,
    layer_permissions,
    layers,
    permissions,
    provisioned,
    tags,
    urls,
    versions,
)
from treadle.aws.functions.call import Backend, Call
from treadle.aws.functions.code_tokens import CodeTokens
from treadle.aws.model import Checker
from treadle.aws.service import Caller
from treadle.aws.tokens import PageTokens
from treadle.clock import Clock
from treadle.deliveries.event_sources import EventSources
from treadle.deliveries.invocations import EventIntake
from treadle.functions.created import CreatedFunctions
from treadle.functions.local import LocalFunctions
from treadle.limits import Limits
from treadle.store.contract import Store
from treadle.tasks.service_calls import ServiceCalls

Operation = Callable[[Call, dict[str, Any]], Awaitable[dict[str, Any]]]

SIGNING_NAME = "lambda"

OPERATIONS: dict[str, Operation] = {
    "AddLayerVersionPermission": layer_permissions.add_layer_version_permission,
    "AddPermission": permissions.add_permission,
    "CreateAlias": aliases.create_alias,
    "CreateEventSourceMapping": event_sources.create_event_source_mapping,
    "CreateFunction": functions.create_function,
    "CreateFunctionUrlConfig": urls.create_function_url_config,
    "DeleteAlias": aliases.delete_alias,
    "DeleteEventSourceMapping": event_sources.delete_event_source_mapping,
    "DeleteFunction": functions.delete_function,
    "DeleteFunctionCodeSigningConfig": kept_configs.delete_function_code_signing_config,
    "DeleteFunctionConcurrency": concurrency.delete_function_concurrency,
    "DeleteFunctionEventInvokeConfig": event_configs.delete_function_event_invoke_config,
    "DeleteFunctionUrlConfig": urls.delete_function_url_config,
    "DeleteLayerVersion": layers.delete_layer_version,
    "DeleteProvisionedConcurrencyConfig": provisioned.delete_provisioned_concurrency_config,
    "GetAccountSettings": concurrency.get_account_settings,
    "GetAlias": aliases.get_alias,
    "GetEventSourceMapping": event_sources.get_event_source_mapping,
    "GetFunction": functions.get_function,
    "GetFunctionCodeSigningConfig": kept_configs.get_function_code_signing_config,
    "GetFunctionConcurrency": concurrency.get_function_concurrency,
    "GetFunctionConfiguration": functions.get_function_configuration,
    "GetFunctionEventInvokeConfig": event_configs.get_function_event_invoke_config,
    "GetFunctionRecursionConfig": kept_configs.get_function_recursion_config,
    "GetFunctionUrlConfig": urls.get_function_url_config,
    "GetLayerVersion": layers.get_layer_version,
    "GetLayerVersionByArn": layers.get_layer_version_by_arn,
    "GetLayerVersionPolicy": layer_permissions.get_layer_version_policy,
    "GetPolicy": permissions.get_policy,
    "GetProvisionedConcurrencyConfig": provisioned.get_provisioned_concurrency_config,
    "GetRuntimeManagementConfig": kept_configs.get_runtime_management_config,
    "Invoke": invoke.invoke,
    "InvokeAsync": invoke.invoke_async,
    "InvokeWithResponseStream": invoke_stream.invoke_with_response_stream,
    "ListAliases": aliases.list_aliases,
    "ListCodeSigningConfigs": kept_configs.list_code_signing_configs,
    "ListEventSourceMappings": event_sources.list_event_source_mappings,
    "ListFunctionEventInvokeConfigs": event_configs.list_function_event_invoke_configs,
    "ListFunctionUrlConfigs": urls.list_function_url_configs,
    "ListFunctions": functions.list_functions,
    "ListLayerVersions": layers.list_layer_versions,
    "ListLayers": layers.list_layers,
    "ListProvisionedConcurrencyConfigs": provisioned.list_provisioned_concurrency_configs,
    "ListTags": tags.list_tags,
    "ListVersionsByFunction": versions.list_versions_by_function,
    "PublishLayerVersion": layers.publish_layer_version,
    "PublishVersion": versions.publish_version,
    "PutFunctionCodeSigningConfig": kept_configs.put_function_code_signing_config,
    "PutFunctionConcurrency": concurrency.put_function_concurrency,
    "PutFunctionEventInvokeConfig": event_configs.put_function_event_invoke_config,
    "PutFunctionRecursionConfig": kept_configs.put_function_recursion_config,
    "PutProvisionedConcurrencyConfig": provisioned.put_provisioned_concurrency_config,
    "PutRuntimeManagementConfig": kept_configs.put_runtime_management_config,
    "RemoveLayerVersionPermission": layer_permissions.remove_layer_version_permission,
    "RemovePermission": permissions.remove_permission,
    "TagResource": tags.tag_resource,
    "UntagResource": tags.untag_resource,
    "UpdateAlias": aliases.update_alias,
    "UpdateEventSourceMapping": event_sources.update_event_source_mapping,
    "UpdateFunctionCode": functions.update_function_code,
    "UpdateFunctionConfiguration": functions.update_function_configuration,
    "UpdateFunctionEventInvokeConfig": event_configs.update_function_event_invoke_config,
    "UpdateFunctionUrlConfig": urls.update_function_url_config,
}
"""What is served. Every other operation of the model answers that it is not implemented yet."""

_WITH_CODE = frozenset({"CreateFunction", "PublishLayerVersion", "UpdateFunctionCode"})


class FunctionService:
    model_name = "lambda"
    signing_name = SIGNING_NAME

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._checker = cache(self._compiled)

    def body_bytes(self, operation: str) -> int:
        limits = self._backend.limits
        if operation in ("Invoke", "InvokeAsync", "InvokeWithResponseStream"):
            return limits.function_request_bytes
        if operation in _WITH_CODE:
            # An archive in Base64, and a request about it.
            return limits.function_archive_bytes * 4 // 3 + limits.request_bytes
        return limits.request_bytes

    async def serve(self, operation: str, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        carry_out = OPERATIONS.get(operation)
        if carry_out is None:
            raise not_implemented(f"the operation {operation}")
        check = self._checker(operation)
        if operation in _WITH_CODE:  # megabytes of Base64
            checked = await asyncio.to_thread(check, request)
        else:
            checked = check(request)
        return await carry_out(Call(operation, self._backend, caller), checked)

    def _compiled(self, operation: str) -> Checker:
        shape = model.load(self.model_name).operation_model(operation).input_shape
        return model.compile_checker(shape, {}, _called)


def _called(member: str) -> str:
    """What Lambda's messages call a member: `functionName`."""
    return member[:1].lower() + member[1:]


async def function_service(
    *,
    store: Store,
    functions: LocalFunctions,
    created: CreatedFunctions,
    sources: EventSources,
    events: EventIntake,
    services: ServiceCalls,
    clock: Clock,
    limits: Limits,
) -> FunctionService:
    """The service, on a store that is open."""
    backend = Backend(
        store=store,
        functions=functions,
        created=created,
        sources=sources,
        events=events,
        clock=clock,
        limits=limits,
        tokens=PageTokens(await store.secret()),
        code_tokens=CodeTokens(await store.secret()),
        services=services,
    )
    return FunctionService(backend)
