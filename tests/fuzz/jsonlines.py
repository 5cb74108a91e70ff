"""JSON lines: published C4 rows."""

import gzip
import io
from collections.abc import Iterator
from pathlib import Path

from pipelines.documents import ReadReport, UnreadableInputError
from pipelines.readers.c4 import read_c4
from tests.fuzz._inputs import heads

_ROWS = (
    b'{"text":"One. Two \\u00e9.\\nThree.","url":"https://a.example/x","timestamp":"2019-04-25T12:57:54Z"}\n'
    b'{"text":"","url":null}\n{"text":3}\n[1,{"a":"\\ud83d\\ude00"}]\n'
)


def seeds() -> Iterator[bytes]:
    """Rows, plain and as gzip of one and of two members."""
    yield _ROWS
    yield gzip.compress(_ROWS, mtime=0)
    yield gzip.compress(_ROWS[:120], mtime=0) + gzip.compress(_ROWS[120:], mtime=0)


def real(folder: Path) -> Iterator[bytes]:
    yield from heads(folder, "c4/*.jsonl", 8_000)


def one_input(data: bytes) -> None:
    """Documents or a counted reason; no other error."""
    try:
        for batch in read_c4(io.BytesIO(data), collection="c", report=ReadReport()):
            batch.validate(full=True)
    except UnreadableInputError:
        pass
