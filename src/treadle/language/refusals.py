"""Valid Amazon States Language that Treadle does not run yet, and says so.

One line is one refusal: a field, with the value that is refused (None: any), and what to call the feature.
A feature that gets built loses its line here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_refusals: Mapping[tuple[str, str | None], str] = {
    ("ResultWriter", None): "results that are written to S3",
}


def refusal(field: str, value: Any) -> str | None:
    """Why `field` with `value` is not accepted although it is valid, or None."""
    feature = _refusals.get((field, None))
    if feature is None and isinstance(value, str):
        feature = _refusals.get((field, value))
    return None if feature is None else refused(field, feature)


def refused(field: str, feature: str) -> str:
    return f"The field '{field}' is valid, but this version of Treadle does not support {feature} yet"
