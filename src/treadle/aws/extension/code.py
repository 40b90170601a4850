"""The archive behind a URL that GetFunction or GetLayerVersion gave out."""

from __future__ import annotations

from treadle.aws.errors import ApiError
from treadle.aws.extension.call import Call
from treadle.aws.messages import Answer


async def code(call: Call) -> Answer:
    """Raises AccessDeniedException."""
    backend = call.backend
    sha256 = backend.code_tokens.read(call.path["token"], backend.clock.now())
    archive = None if sha256 is None else await backend.store.function_code(sha256)
    if archive is None:
        text = "This URL has expired, or the code is not there any more: ask for another with GetFunction."
        raise ApiError("AccessDeniedException", text, status=403)
    return Answer(200, b"application/zip", archive)
