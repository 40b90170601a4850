"""The environment of a worker, as the Lambda developer guide's page on environment variables has it.

Three layers, the later wins: what the server lets through, the function's own settings, and what the runtime
must be able to rely on.  A function may not set the last kind (Lambda refuses them too).  The credentials are
for this server; a function may set its own.
"""

from __future__ import annotations

from pathlib import Path

from treadle.functions.function import Function, Logging
from treadle.functions.logs import LogStream
from treadle.functions.options import FunctionOptions
from treadle.functions.search_paths import LAYERS_VARIABLE, search_paths

RESERVED_VARIABLES = frozenset(
    {
        "_HANDLER",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_MAX_CONCURRENCY",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        LAYERS_VARIABLE,
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
        "_LAMBDA_TELEMETRY_LOG_FD",
        "_X_AMZN_TRACE_ID",
    }
)
"""What a function's settings may not set."""


def base_variables(options: FunctionOptions) -> dict[str, str]:
    """What every process finds that runs functions."""
    return {"LANG": "C.UTF-8", **options.inherited, "TZ": ":UTC"}


def worker_variables(
    function: Function, options: FunctionOptions, runtime_api: str, scratch: Path, log: LogStream
) -> dict[str, str]:
    """All environment variables of a new worker of `function`. `scratch`: its folder for temporary files."""
    region = function.region or options.region
    key_id, secret = options.access_key_id, options.secret_access_key
    if function.account is not None and options.key_of is not None:
        key_id, secret = options.key_of(function.account)
    variables = {
        **base_variables(options),
        "TMPDIR": str(scratch),
        "AWS_ACCESS_KEY_ID": key_id,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": region,
        "AWS_ENDPOINT_URL": options.endpoint_url,
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        "AWS_EC2_METADATA_DISABLED": "true",
        **function.environment,
    }
    return {
        **variables,
        **search_paths(function, options.runtimes, variables),
        "_HANDLER": function.handler,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_megabytes),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.published_version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "provisioned-concurrency" if function.provisioned else "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": log.group,
        "AWS_LAMBDA_LOG_STREAM_NAME": log.name,
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "AWS_REGION": region,
        "LAMBDA_TASK_ROOT": str(function.root),
        **_of_logging(function.logging),
    }


def _of_logging(logging: Logging) -> dict[str, str]:
    """What the runtimes' own loggers go by. None of it is there for the format Text."""
    if logging.format == "Text":
        return {}
    level = {} if logging.application_level is None else {"AWS_LAMBDA_LOG_LEVEL": logging.application_level}
    return {"AWS_LAMBDA_LOG_FORMAT": logging.format, **level}
