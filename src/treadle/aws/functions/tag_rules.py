"""Which tags a function or an event source mapping may have."""

from __future__ import annotations

import re
from collections.abc import Mapping

from treadle.aws.errors import ApiError
from treadle.limits import Limits

_KEY_CHARACTERS, _VALUE_CHARACTERS = 128, 256
_ALLOWED = re.compile(r"[\w\s.:/=+@-]*")


def check_tags(tags: Mapping[str, str], limits: Limits) -> Mapping[str, str]:
    """Raises InvalidParameterValueException."""
    if len(tags) > limits.tags:
        raise ApiError("InvalidParameterValueException", "Number of tags exceeds resource tag limit")
    for key, value in tags.items():
        if not 0 < len(key) <= _KEY_CHARACTERS or len(value) > _VALUE_CHARACTERS:
            text = (
                f"The tag '{key}' is not valid: keys have 1 to {_KEY_CHARACTERS} characters, values at most "
                f"{_VALUE_CHARACTERS}."
            )
            raise ApiError("InvalidParameterValueException", text)
        if not _ALLOWED.fullmatch(key) or not _ALLOWED.fullmatch(value):
            text = f"The tag '{key}' is not valid: letters, digits, spaces and _ . : / = + - @ are allowed."
            raise ApiError("InvalidParameterValueException", text)
        if key.lower().startswith("aws:"):
            text = f"The tag '{key}' is not valid: the prefix aws: is reserved."
            raise ApiError("InvalidParameterValueException", text)
    return tags
