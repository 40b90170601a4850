"""What comes of a map run: the result of its state, and the files that a ResultWriter has written.

    PREFIX/RUN/manifest.json     where the results are: of every file its key and size
    PREFIX/RUN/SUCCEEDED_0.json  the children that succeeded
    PREFIX/RUN/FAILED_0.json     those that failed, timed out or were aborted
    PREFIX/RUN/PENDING_0.json    the inputs of those that were not begun, because the run failed before

(AWS's page "ResultWriter (Map)".)  A run writes when all of its children have ended, also if it has failed, and before
it ends itself.  A server that dies meanwhile writes the same files again, from the children in the store, under the
same keys: each child is in them once.

Results go from the store to the file page by page, so that memory does not grow with them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from treadle.datasets.contract import DatasetError, Datasets, Destination
from treadle.document import Document, decode, encode
from treadle.engine.map_children import ResultTarget
from treadle.expressions.errors import EvaluationError
from treadle.expressions.timestamps import format_timestamp
from treadle.limits import Limits
from treadle.runtime.map_run import Run
from treadle.runtime.redrivable import NOT_REDRIVABLE, REDRIVABLE_BY_MAP_RUN, wrong_status
from treadle.store.contract import ExecutionRow, ExecutionStatus, Store

_PAGE = 500
"""Children that one read answers, with input and output: of 256 KiB each at most, and rarely so."""
_SUCCEEDED: tuple[ExecutionStatus, ...] = ("SUCCEEDED",)
_FAILED: tuple[ExecutionStatus, ...] = ("FAILED", "TIMED_OUT", "ABORTED")
"""The statuses of the children that are in the files of these names."""


class MapResults:
    def __init__(self, store: Store, datasets: Datasets, limits: Limits) -> None:
        self._store = store
        self._datasets = datasets
        self._limits = limits

    async def refusal(self, run: Run) -> str | None:
        """Why results cannot be written where they are to go; None: they can, or none are wanted."""
        if run.target is not None and run.target.exports:
            try:
                await self._destination(run, run.target).check()
            except DatasetError as error:
                return str(error)
        return None

    async def result(self, run: Run) -> Document | None:
        """Of the state, of a run that succeeded; None if it is larger than a result may be. What is written has been
        written."""
        target = run.target
        if target is not None and target.exports:
            details = {"Bucket": target.parameters["Bucket"], "Key": f"{_folder(run, target)}manifest.json"}
            return Document({"MapRunArn": run.row.arn, "ResultWriterDetails": details})
        outputs: list[str] = []
        size = len("[]")
        async for text in self._texts(run, _SUCCEEDED, "COMPACT" if target is None else target.transformation):
            outputs.append(text)
            size += len(text.encode()) + 1
            if size - 1 > self._limits.payload_bytes:
                return None
        if target is not None and target.lines:  # What AWS gives then is not known.
            return Document("".join(f"{text}\n" for text in outputs))
        return Document(text=f"[{','.join(outputs)}]")

    # -- files -----------------------------------------------------------------------------------------------

    async def write(self, run: Run) -> bool:
        """Write all files of a run whose children have ended; False: none are wanted. Raises DatasetError."""
        target = run.target
        if target is None or not target.exports:
            return False
        destination, folder = self._destination(run, target), _folder(run, target)
        files = _Files(destination, folder, self._limits.result_file_bytes, lines=target.lines)
        written = {
            "FAILED": await files.write("FAILED", self._texts(run, _FAILED, "NONE")),
            "PENDING": await files.write("PENDING", _pending(run)),
            "SUCCEEDED": await files.write("SUCCEEDED", self._texts(run, _SUCCEEDED, target.transformation)),
        }
        manifest = {"DestinationBucket": target.parameters["Bucket"], "MapRunArn": run.row.arn, "ResultFiles": written}
        await destination.write(f"{folder}manifest.json", _once(encode(manifest).encode()))
        return True

    async def _texts(self, run: Run, statuses: tuple[ExecutionStatus, ...], transformation: str) -> AsyncIterator[str]:
        """JSON of each result, in the order of the children."""
        last = -1
        while page := await self._store.child_results(run.row.arn, statuses, last, _PAGE):
            for child in page:
                for text in _transformed(child, transformation):
                    yield text
            assert page[-1].child is not None
            last = page[-1].child

    def _destination(self, run: Run, target: ResultTarget) -> Destination:
        """Raises DatasetError."""
        parameters = target.parameters
        bucket = parameters.get("Bucket") if isinstance(parameters, dict) else None
        if not isinstance(bucket, str) or not bucket:
            raise DatasetError("The ResultWriter's parameter 'Bucket' must be a text that is not empty")
        if not isinstance(parameters.get("Prefix", ""), str):
            raise DatasetError("The ResultWriter's parameter 'Prefix' must be a text")
        return self._datasets.destination(bucket, run.owner)


class _Files:
    """The files of one map run, but for its manifest."""

    def __init__(self, destination: Destination, folder: str, most_bytes: int, *, lines: bool) -> None:
        self._destination = destination
        self._folder = folder
        self._most_bytes = most_bytes
        self._lines = lines

    async def write(self, group: str, texts: AsyncIterator[str]) -> list[dict[str, Any]]:
        """Write what `texts` gives to as many files as it takes: what the manifest says of them. Raises
        DatasetError."""
        written: list[dict[str, Any]] = []
        ahead = await anext(texts, None)
        while ahead is not None:
            key = f"{self._folder}{group}_{len(written)}.{'jsonl' if self._lines else 'json'}"
            content = _Content(ahead, texts, self._most_bytes, lines=self._lines)
            size = await self._destination.write(key, content.pieces())
            written.append({"Key": key, "Size": size})
            ahead = content.ahead
        return written


class _Content:
    """The content of one file."""

    def __init__(self, first: str, texts: AsyncIterator[str], most_bytes: int, *, lines: bool) -> None:
        self.ahead: str | None = first
        """What comes next and is not in this file."""
        self._texts = texts
        self._most_bytes = most_bytes
        self._open, self._between, self._close = ("", "\n", "\n") if lines else ("[", ",", "]")

    async def pieces(self) -> AsyncIterator[bytes]:
        size, before = 0, self._open
        while self.ahead is not None:
            piece = (before + self.ahead).encode()
            if size and size + len(piece) + len(self._close) > self._most_bytes:
                break
            yield piece
            size, before = size + len(piece), self._between
            self.ahead = await anext(self._texts, None)
        yield self._close.encode()


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def _pending(run: Run) -> AsyncIterator[str]:
    """What would have been begun. If the inputs that follow cannot be read or made, those before are told."""
    inputs = run.inputs
    while inputs is not None and not run.exhausted:
        try:
            child = inputs.next()
            if child is None:
                if inputs.complete:
                    run.exhausted = True
                    return
                await inputs.read()
                continue
        except (DatasetError, EvaluationError):
            return
        number, run.next = run.next, run.next + 1
        if not run.is_taken(number):
            yield encode({"Input": child.input.text, "InputDetails": {"Included": True}, "Status": "PENDING"})


def _folder(run: Run, target: ResultTarget) -> str:
    prefix = target.parameters.get("Prefix", "").strip("/")
    name = run.row.arn.rpartition(":")[2]
    return f"{prefix}/{name}/" if prefix else f"{name}/"


def _transformed(child: ExecutionRow, transformation: str) -> Sequence[str]:
    """The JSON texts that a child adds to the results."""
    if transformation == "NONE":
        return (encode(_facts(child)),)
    output = child.output or "null"
    if transformation == "FLATTEN" and output.lstrip().startswith("["):
        return [encode(item) for item in decode(output)]
    return (output,)


def _facts(child: ExecutionRow) -> dict[str, Any]:
    """All that is known of a child, as AWS's page shows it."""
    facts: dict[str, Any] = {
        "Cause": child.cause,
        "Error": child.error,
        "ExecutionArn": child.arn,
        "Input": child.input,
        "InputDetails": {"Included": True},
        "Name": child.name,
        "Output": child.output,
        "OutputDetails": None if child.output is None else {"Included": True},
        "RedriveCount": child.redrives,
        **_redrive(child),
        "StartDate": format_timestamp(child.started),
        "StateMachineArn": child.machine_arn,
        "Status": child.status,
        "StopDate": None if child.stopped is None else format_timestamp(child.stopped),
    }
    return {name: fact for name, fact in facts.items() if fact is not None}


def _redrive(child: ExecutionRow) -> dict[str, str]:
    reason = wrong_status(child)
    if reason is None:
        return {"RedriveStatus": REDRIVABLE_BY_MAP_RUN}
    return {"RedriveStatus": NOT_REDRIVABLE, "RedriveStatusReason": reason}
