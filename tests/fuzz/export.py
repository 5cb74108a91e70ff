"""Exports of code: JSON lines or Parquet with BigQuery's columns."""

import io
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.documents import ReadReport, UnreadableInputError
from pipelines.readers.github import read_export

_ROWS = [
    {"repo_name": "a/b", "ref": "heads/x", "path": "c.py", "content": "x = 1\n", "binary": False, "license": "mit"},
    {"repo_name": "a/b", "ref": None, "path": "d/e.h", "content": None, "binary": True, "license": None},
]  # fmt: skip


def seeds() -> Iterator[bytes]:
    """Rows, as lines and as Parquet, plain and with dictionaries and compression."""
    yield (
        b'{"repo_name":"a/b","ref":"r","path":"c.py","content":"\\u00e9\\ufffd\\n","binary":false,"license":"mit"}\n'
        b'{"repo_name":"a/b","path":"d","binary":true}\n{"repo_name":1,"path":""}\n{"path":"a","content":"\\u0000"}\n'
    )
    for compression in ("none", "snappy", "zstd"):
        made = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(_ROWS), made, compression=compression, use_dictionary=compression != "none")
        yield made.getvalue()


def one_input(data: bytes) -> None:
    """Documents or a counted reason; no other error."""
    try:
        for batch in read_export(io.BytesIO(data), collection="c", report=ReadReport()):
            batch.validate(full=True)
    except UnreadableInputError:
        pass
