"""Rows that belong together, brought together: a file of any size is spread over buckets once, then read bucket by
bucket, and inside a bucket by groups of keys that fit in memory.

A row's bucket is its key modulo their number. Runs of buckets are files of their own, so that each can be a task's; in
a file each record batch is of one bucket. No text goes through a shuffle.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt
import pyarrow as pa

WAITING_BYTES = 32 << 20
BATCH_ROWS = 4_096
_NUMBER = b"altiplano.buckets"

Numbers = npt.NDArray[np.int64]


class BucketWriter:
    """Spreads batches over `number` buckets, a run of them in each of `paths`, by the int64 column `key`. Use as a
    context manager.

    Holds at most `WAITING_BYTES` of rows and one batch; the files' bytes depend on the rows and their order alone.
    """

    def __init__(self, paths: Sequence[Path], schema: pa.Schema, key: str, number: int) -> None:
        self._paths, self._key, self._number = paths, key, number
        self._schema = schema.with_metadata({_NUMBER: str(number)})
        self._waiting: list[pa.RecordBatch] = []
        self._files = ExitStack()

    def __enter__(self) -> "BucketWriter":
        options = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", compression_level=1))
        self._writers = [
            self._files.enter_context(pa.ipc.new_file(path, self._schema, options=options)) for path in self._paths
        ]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        with self._files:
            if kind is None:
                self._flush()

    def write(self, batch: pa.RecordBatch) -> None:
        if len(batch):
            self._waiting.append(batch)
        if sum(b.nbytes for b in self._waiting) >= WAITING_BYTES:
            self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        waiting = pa.concat_batches(self._waiting)
        self._waiting = []
        buckets = waiting[self._key].to_numpy() % self._number
        order = np.argsort(buckets, kind="stable")
        present, starts = np.unique(buckets[order], return_index=True)
        for bucket, rows in zip(present, np.split(order, starts[1:]), strict=True):
            writer = self._writers[bucket * len(self._writers) // self._number]
            for start in range(0, len(rows), BATCH_ROWS):
                writer.write_batch(waiting.take(pa.array(rows[start : start + BATCH_ROWS])))


class BucketReader:
    """One file of a `BucketWriter`. `sizes` names the int64 column that says how many bytes a row takes."""

    def __init__(self, path: Path, key: str, sizes: str) -> None:
        self._key, self._sizes = key, sizes
        file = pa.memory_map(str(path))
        self._whole = pa.ipc.open_file(file)
        columns = [self._whole.schema.get_field_index(name) for name in (key, sizes)]
        self._narrow = pa.ipc.open_file(file, options=pa.ipc.IpcReadOptions(included_fields=columns))
        number = int(self._whole.schema.metadata[_NUMBER])
        first_keys = (self._narrow.get_batch(i)[key][0].as_py() for i in range(self._narrow.num_record_batches))
        self._bucket_of = np.fromiter((first % number for first in first_keys), np.int64)
        self.buckets: list[int] = np.unique(self._bucket_of).tolist()

    def groups(self, bucket: int, group_bytes: int, key_bytes: int) -> Iterator[tuple[pa.Table, Numbers]]:
        """A bucket's rows as tables of about `group_bytes` bytes that hold all rows of their keys.

        Beside each table come its keys with more than `key_bytes` bytes of rows: those rows are left out. Keys ascend
        from table to table. A bucket that is too large for one table is read once for each, so memory stays bounded
        however unevenly the keys fall.
        """
        keys, sizes = self._weigh(bucket)
        oversized = sizes > key_bytes
        before = np.cumsum(np.where(oversized, 0, sizes))
        group_of = np.searchsorted(np.arange(1, before[-1] // group_bytes + 1) * group_bytes, before, side="left")
        for group in np.unique(group_of):
            here = group_of == group
            yield self._read(bucket, keys[here & ~oversized]), keys[here & oversized]

    def _weigh(self, bucket: int) -> tuple[Numbers, Numbers]:
        """The bucket's keys, distinct and ascending, and how many bytes of rows each has."""
        narrow = self._batches(self._narrow, bucket)
        found = [(batch[self._key].to_numpy(), batch[self._sizes].to_numpy()) for batch in narrow]
        keys, inverse = np.unique(np.concatenate([k for k, _ in found]), return_inverse=True)
        return keys, np.bincount(inverse, np.concatenate([s for _, s in found])).astype(np.int64)

    def _read(self, bucket: int, keys: Numbers) -> pa.Table:
        wanted = [
            batch.filter(pa.array(np.isin(batch[self._key].to_numpy(), keys)))
            for batch in self._batches(self._whole, bucket)
        ]
        return pa.Table.from_batches(wanted)

    def _batches(self, file: pa.ipc.RecordBatchFileReader, bucket: int) -> Iterator[pa.RecordBatch]:
        for number in np.flatnonzero(self._bucket_of == bucket):
            yield file.get_batch(int(number))
