"""Documents between two segments of a chain: what a round was asked about, until it has answered."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from filters.decisions import kept, set_column
from pipelines.documents import SCHEMA, ReadReport
from pipelines.tasks import Work
from pipelines.writer import SAMPLE_CHARACTERS

_REPORT = b"altiplano.report"
_ROWS = 1_000


class Spool:
    """Writes batches, dropped documents among them, and what the reader reported. Use as a context manager.

    A dropped document keeps as much of its text as the sample of dropped ones shows. The next segment's `read_spool`
    gives the same rows in the same order, so that all of them are counted where people look: at the chain's end.
    """

    def __init__(self, work: Work, folder: str, measured: Sequence[pa.Field] = ()) -> None:
        self._path = work.output("documents", folder, ".parquet")
        self._schema = pa.schema([*SCHEMA, *measured])

    def __enter__(self) -> "Spool":
        self._writer = pq.ParquetWriter(
            self._path, self._schema, compression="zstd", compression_level=1, write_statistics=False
        )
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._writer.close()

    def write(self, batch: pa.RecordBatch) -> None:
        shown = pc.utf8_slice_codeunits(batch["text"], 0, SAMPLE_CHARACTERS)
        batch = set_column(batch, "text", pc.if_else(pa.array(kept(batch)), batch["text"], shown))
        self._writer.write_batch(batch.select(self._schema.names).cast(self._schema))

    def report(self, report: ReadReport) -> None:
        """Pass on what the reader met apart from documents."""
        met = json.dumps({"counts": report.counts, "truncated": report.truncated}, sort_keys=True)
        self._writer.add_key_value_metadata({_REPORT: met.encode()})


def read_spool(path: Path, report: ReadReport) -> Iterator[pa.RecordBatch]:
    """The batches of a `Spool`, whose report is added to `report` before the first one."""
    with pq.ParquetFile(path) as file:
        met = json.loads(file.metadata.metadata[_REPORT])
        report.counts.update(met["counts"])
        report.truncated = met["truncated"]
        for group in range(file.num_row_groups):
            yield from file.iter_batches(batch_size=_ROWS, row_groups=[group])
