"""Documents as they travel inside a task: Arrow record batches of about a thousand documents or 8 MB.

A reader turns one raw file into such batches and says in a `ReadReport` what it could not take. The columns `id`,
`source`, `text`, `metadata` and `dropped` always come first; filters append one column for each thing they measure.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pyarrow as pa

BATCH_DOCUMENTS = 1_000
BATCH_BYTES = 8 << 20
MAX_DOCUMENT_BYTES = 32 << 20
TOO_LARGE = "too_large"

SCHEMA = pa.schema(
    [
        pa.field(
            "id", pa.string(), nullable=False
        ),  # <source>/<collection>/<natural key>: never a path of this machine
        pa.field("source", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("metadata", pa.map_(pa.string(), pa.string()), nullable=False),  # keys sorted
        pa.field("dropped", pa.string()),  # null: kept so far
    ]
)


class UnreadableInputError(Exception):
    """A raw file that no reader can take: not of the format, or damaged before its first document."""


@dataclass
class ReadReport:
    """What a reader met apart from documents: counted reasons, and whether the file was cut short."""

    counts: Counter[str] = field(default_factory=Counter)
    truncated: str | None = None

    def count(self, reason: str, number: int = 1) -> None:
        self.counts[reason] += number


class Batcher:
    """Collects documents into batches of bounded size; `add` and `flush` give the batches that are ready.

    A document over `max_document_bytes` UTF-8 bytes keeps its id and metadata, loses its text, and is dropped as
    `too_large`.
    """

    def __init__(self, source: str, max_document_bytes: int = MAX_DOCUMENT_BYTES) -> None:
        self._source = source
        self._max_document_bytes = max_document_bytes
        self._clear()

    def _clear(self) -> None:
        self._ids: list[str] = []
        self._texts: list[str] = []
        self._metadata: list[list[tuple[str, str]]] = []
        self._dropped: list[str | None] = []
        self._bytes = 0

    def add(
        self, id_: str, text: str, metadata: Mapping[str, str], dropped: str | None = None
    ) -> Iterator[pa.RecordBatch]:
        size = len(text.encode())
        if size > self._max_document_bytes:
            text, size, dropped = "", 0, dropped or TOO_LARGE
        if self._bytes + size > BATCH_BYTES:
            yield from self.flush()
        self._ids.append(id_)
        self._texts.append(text)
        self._metadata.append(sorted(metadata.items()))
        self._dropped.append(dropped)
        self._bytes += size
        if len(self._ids) == BATCH_DOCUMENTS:
            yield from self.flush()

    def flush(self) -> Iterator[pa.RecordBatch]:
        if not self._ids:
            return
        sources = [self._source] * len(self._ids)
        columns = [self._ids, sources, self._texts, self._metadata, self._dropped]
        arrays = [pa.array(values, type=field.type) for values, field in zip(columns, SCHEMA, strict=True)]
        self._clear()
        yield pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)
