"""A Step Functions client for the server at hand, whatever the user's own AWS configuration says."""

from __future__ import annotations

import os
from typing import Any

_CONNECT_SECONDS = 5
_READ_SECONDS = 30


def states_client(url: str, region: str) -> Any:
    """A botocore client for `url`. Slow to make (it imports botocore and reads its models)."""
    import botocore.config
    import botocore.session

    # The user's profile, configuration files and proxies are meant for AWS, and could only lead astray here.
    session = botocore.session.Session(
        session_vars={
            "profile": (None, None, None, None),
            "config_file": (None, None, os.devnull, None),
            "credentials_file": (None, None, os.devnull, None),
        }
    )
    return session.create_client(
        "stepfunctions",
        region_name=region,
        endpoint_url=url,
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - the server takes any, and these are what its README names
        config=botocore.config.Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": 2},
            inject_host_prefix=False,
            proxies={},
        ),
    )
