"""C4 as published: `en/c4-train.*.json.gz`, a JSON object `{text, url, timestamp}` a line."""

import hashlib
from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa

from pipelines.documents import MAX_DOCUMENT_BYTES, Batcher, ReadReport
from pipelines.readers.jsonlines import read_rows


def read_c4(
    stream: BinaryIO, *, collection: str, report: ReadReport, max_document_bytes: int = MAX_DOCUMENT_BYTES
) -> Iterator[pa.RecordBatch]:
    """The rows of one file, in its order; metadata are url and timestamp, as far as they are there.

    Rows carry no id, so theirs is `c4/<collection>/<a hash of url, timestamp and text>`. A row without a text is
    counted as `c4: row without text`; one whose text is blank is dropped as `empty`.

    Raises:
        UnreadableInputError: the file is empty, or holds no JSON lines.
    """
    batcher = Batcher("c4", max_document_bytes)
    for row in read_rows(stream, report):
        text = row.get("text")
        if not isinstance(text, str):
            report.count("c4: row without text")
            continue
        metadata = {name: row[name] for name in ("url", "timestamp") if isinstance(row.get(name), str) and row[name]}
        facts = [metadata.get("url", ""), metadata.get("timestamp", ""), text]
        key = hashlib.sha1("\n".join(facts).encode()).hexdigest()
        yield from batcher.add(f"c4/{collection}/{key}", text, metadata, None if text.strip() else "empty")
    yield from batcher.flush()
