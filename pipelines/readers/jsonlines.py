"""JSON lines, plain or gzip, as bytes: what the readers of such files share.

Nothing is held but one line and one decompressed piece, whatever the file says of itself.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO

import orjson

from pipelines.documents import ReadReport, UnreadableInputError
from pipelines.readers.gunzip import InflateError, inflate_member

READ_BYTES = 64 << 10  # small: gzip that is damaged inside what was read gives nothing of it
PIECE_BYTES = 1 << 20
MAX_LINE_BYTES = 40 << 20  # a document may have 32 MiB; parsed into small objects a line takes twenty times its size

_GZIP = b"\x1f\x8b\x08"
_FOREIGN = {
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"(\xb5/\xfd": "zstd",
    b"PK\x03\x04": "zip",
    b"7z\xbc\xaf\x27\x1c": "7z",
}


def read_rows(
    stream: BinaryIO, report: ReadReport, *, max_line_bytes: int = MAX_LINE_BYTES
) -> Iterator[dict[str, Any]]:
    """The JSON objects of a file, in order.

    A line that is no JSON object in UTF-8 is counted as `json: not an object`, one of more than `max_line_bytes` bytes
    as `json: line too long`.

    Raises:
        UnreadableInputError: the file is empty, of another format, or does not begin with a line that can be read.
    """
    number = 0
    for line in _lines(stream, report, max_line_bytes):
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            row = None
        if isinstance(row, dict):
            number += 1
            yield row
        else:
            report.count("json: not an object")
    if not number and not report.truncated:
        raise UnreadableInputError("it holds no line with a JSON object")


def _lines(stream: BinaryIO, report: ReadReport, max_line_bytes: int) -> Iterator[bytes]:
    """Lines that are not blank, without their newlines; the last one of a file that was cut short is left out."""
    waiting: list[bytes] = []
    size = 0
    skipping = False
    for piece in _pieces(stream, report):
        *whole, rest = piece.split(b"\n")
        for line in whole:
            waiting.append(line)
            size += len(line)
            if skipping or size > max_line_bytes:
                report.count("json: line too long")
            elif found := b"".join(waiting).strip():
                yield found
            waiting, size, skipping = [], 0, False
        size += len(rest)
        if skipping or size > max_line_bytes:
            waiting, skipping = [], True
        else:
            waiting.append(rest)
    last = b"".join(waiting).strip()
    if skipping:
        report.count("json: line too long")
    elif last and report.truncated is None:
        yield last


def _pieces(stream: BinaryIO, report: ReadReport) -> Iterator[bytes]:
    """The file's text, decompressed, in pieces of bounded size."""
    raw = stream.read(READ_BYTES)
    if not raw:
        raise UnreadableInputError("the file is empty")
    for magic, name in _FOREIGN.items():
        if raw.startswith(magic):
            raise UnreadableInputError(f"the file is {name}; JSON lines are read plain or as gzip")
    if not raw.startswith(_GZIP):
        if raw.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] != b"{":
            raise UnreadableInputError("not JSON lines: it does not begin with an object")
        yield raw.removeprefix(b"\xef\xbb\xbf")
        while raw := stream.read(READ_BYTES):
            yield raw
        return
    yield from _inflate(raw, stream, report)


def _inflate(raw: bytes, stream: BinaryIO, report: ReadReport) -> Iterator[bytes]:
    while raw:
        try:
            behind = yield from inflate_member(raw, lambda: stream.read(READ_BYTES), PIECE_BYTES)
        except EOFError:
            report.truncated = "the file ends inside gzip data"
            return
        except InflateError:
            report.count("gzip: damaged")
            report.truncated = f"the gzip data is damaged before byte {stream.tell()}, and what follows is lost"
            return
        raw = behind or stream.read(READ_BYTES)
        while 0 < len(raw) < len(_GZIP) and (more := stream.read(READ_BYTES)):
            raw += more
        if raw.lstrip(b"\0") and not raw.startswith(_GZIP):
            report.count("gzip: garbage after the data")
            return
        raw = raw if raw.startswith(_GZIP) else b""
