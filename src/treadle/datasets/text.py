"""Text of a stream, by lines and by characters, with no more of it in memory than a line or an item may have."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

from treadle.datasets.contract import DatasetError
from treadle.datasets.streams import ByteStream, pieces


def characters(stream: ByteStream) -> Iterator[str]:
    """The text, piece by piece, without a byte order mark. Raises DatasetError if it is not UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    try:
        for piece in pieces(stream):
            text = decoder.decode(piece)
            if text:
                yield text
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise DatasetError("The data is not encoded in UTF-8") from error


def lines(stream: ByteStream, longest: int) -> Iterator[str]:
    """Its lines, with their ends. `longest`: characters that one may have. Raises DatasetError."""
    rest = ""
    for text in characters(stream):
        *whole, rest = (rest + text).split("\n")
        for line in whole:
            yield line + "\n"
        if len(rest) > longest:
            raise DatasetError(f"A line has more than {longest} characters")
    if rest:
        yield rest
