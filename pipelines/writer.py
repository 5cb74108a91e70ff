"""Where documents end: kept ones in clean Parquet, dropped ones counted by reason with a sample for people to read."""

import hashlib
import heapq
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from filters.decisions import kept
from pipelines.documents import SCHEMA, ReadReport
from pipelines.tasks import Work

COMPRESSION_LEVEL = 3
SAMPLE_CHARACTERS = 10_000
ROW_GROUP_BYTES = 32 << 20
DROPPED_SCHEMA = pa.schema(
    [SCHEMA.field("id"), SCHEMA.field("text"), SCHEMA.field("metadata"), pa.field("dropped", pa.string())]
)


class DocumentWriter:
    """Splits kept from dropped and counts both. Use as a context manager; every batch must have the columns `measured`.

    Counts, in documents: `read`, `kept`, `dropped: <reason>`, `repeated_id`; in UTF-8 bytes:
    `bytes_kept`; and the sum of each measured integer column over documents that were kept.
    """

    def __init__(self, work: Work, source: str, measured: Sequence[pa.Field]) -> None:
        self._work = work
        self._source = source
        self._measured = tuple(measured)
        self._schema = pa.schema([*(f for f in SCHEMA if f.name != "dropped"), *measured])
        self._budget: int = work.settings["dropped_sample"]
        self._ids: list[bytes] = []  # 8 bytes of hash an id: a task may hold tens of millions
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_bytes = 0
        self._dropped: dict[str, list[tuple[int, int, dict[str, object]]]] = {}

    def __enter__(self) -> "DocumentWriter":
        self._writer = pq.ParquetWriter(
            self._work.output("text", f"text/{self._source}", ".parquet"),
            self._schema,
            compression="zstd",
            compression_level=COMPRESSION_LEVEL,
            write_statistics=False,
        )
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            self._flush()
        self._writer.close()
        if kind is None:
            ids = np.frombuffer(b"".join(self._ids), np.uint64)
            self._work.counts["repeated_id"] += len(ids) - len(np.unique(ids))
            self._write_sample()

    def write(self, batch: pa.RecordBatch) -> None:
        counts = self._work.counts
        keep = kept(batch)
        kept_rows = batch.filter(pa.array(keep)).select(self._schema.names).cast(self._schema)
        self._ids.append(b"".join(_hash(id_) for id_ in batch["id"].to_pylist()))
        counts["read"] += len(batch)
        counts["kept"] += len(kept_rows)
        counts["bytes_kept"] += pc.sum(pc.binary_length(kept_rows["text"])).as_py() or 0
        for field in self._measured:
            if pa.types.is_integer(field.type):
                counts[field.name] += pc.sum(kept_rows[field.name]).as_py() or 0
        self._sample(batch.filter(pa.array(~keep)))
        self._waiting.append(kept_rows)
        self._waiting_bytes += kept_rows.nbytes
        if self._waiting_bytes >= ROW_GROUP_BYTES:
            self._flush()

    def report(self, report: ReadReport) -> None:
        """Add what the reader met apart from documents."""
        add_report(self._work, report)

    def _flush(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.Table.from_batches(self._waiting, self._schema), row_group_size=1 << 30)
        self._waiting, self._waiting_bytes = [], 0

    def _sample(self, dropped: pa.RecordBatch) -> None:
        """Keep the documents with the lowest hashes of their ids: the same ones whatever the batches were."""
        columns = [dropped[name] for name in ("id", "metadata", "dropped")]
        for row, (id_, metadata, reason) in enumerate(zip(*(c.to_pylist() for c in columns), strict=True)):
            self._work.counts[f"dropped: {reason}"] += 1
            rank = -int.from_bytes(_hash(id_))
            chosen = self._dropped.setdefault(reason, [])
            if len(chosen) < self._budget or (chosen and rank > chosen[0][0]):
                text = dropped["text"][row].as_py()[:SAMPLE_CHARACTERS]
                entry = (
                    rank,
                    -self._work.counts["read"] - row,
                    {"id": id_, "text": text, "metadata": metadata, "dropped": reason},
                )
                if len(chosen) < self._budget:
                    heapq.heappush(chosen, entry)
                else:
                    heapq.heapreplace(chosen, entry)

    def _write_sample(self) -> None:
        rows = [row for reason in sorted(self._dropped) for *_, row in sorted(self._dropped[reason], reverse=True)]
        table = pa.Table.from_pylist(rows, DROPPED_SCHEMA)
        path = self._work.output("dropped", f"dropped/{self._source}", ".parquet")
        pq.write_table(table, path, compression="zstd", compression_level=COMPRESSION_LEVEL)


def add_report(work: Work, report: ReadReport) -> None:
    """Put what a reader met apart from documents into the task's record."""
    work.counts.update({f"reader: {reason}": number for reason, number in report.counts.items()})
    work.truncated = report.truncated


def _hash(id_: str) -> bytes:
    return hashlib.blake2b(id_.encode(), digest_size=8).digest()
