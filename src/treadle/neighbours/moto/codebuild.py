"""What moto's CodeBuild asks of projects that AWS does not: a location of sources where there are none, or where they
come from CodePipeline.
"""

from __future__ import annotations

from typing import Any

_WITHOUT_LOCATION = frozenset({"NO_SOURCE", "CODEPIPELINE"})


def correct() -> None:
    from moto.codebuild import responses

    module: Any = responses
    check = module._validate_required_params_source

    def checked(source: dict[str, Any]) -> None:
        if source["type"] not in _WITHOUT_LOCATION:
            check(source)

    module._validate_required_params_source = checked
