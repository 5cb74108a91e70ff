"""Rows that belong together, brought together: a file of any size is spread over buckets once, then read bucket by
bucket, and inside a bucket by groups of keys that fit in memory.

The buckets are the record batches of one Arrow file; a second, small file says which batch is of which bucket. So
there is no limit to how many there are, and no text goes through a shuffle.
"""

from array import array
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt
import pyarrow as pa

WAITING_BYTES = 32 << 20
BATCH_ROWS = 4_096

Numbers = npt.NDArray[np.int64]


class BucketWriter:
    """Spreads batches over `number` buckets by the int64 column `key`. Use as a context manager.

    Holds at most `WAITING_BYTES` of rows and one batch; the files' bytes depend on the rows and their order alone.
    """

    def __init__(self, path: Path, index: Path, schema: pa.Schema, key: str, number: int) -> None:
        self._path, self._index, self._schema, self._key, self._number = path, index, schema, key, number
        self._waiting: list[pa.RecordBatch] = []
        self._written = array("L")  # the bucket of each batch

    def __enter__(self) -> "BucketWriter":
        options = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", compression_level=1))
        self._writer = pa.ipc.new_file(self._path, self._schema, options=options)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if kind is None:
            self._flush()
        self._writer.close()
        if kind is None:
            np.save(self._index, np.array(self._written, np.uint32), allow_pickle=False)

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
            for start in range(0, len(rows), BATCH_ROWS):
                self._writer.write_batch(waiting.take(pa.array(rows[start : start + BATCH_ROWS])))
                self._written.append(bucket)


class BucketReader:
    """What a `BucketWriter` wrote. `sizes` names the int64 column that says how many bytes a row takes."""

    def __init__(self, path: Path, index: Path, key: str, sizes: str) -> None:
        self._key, self._sizes = key, sizes
        file = pa.memory_map(str(path))
        self._whole = pa.ipc.open_file(file)
        columns = [self._whole.schema.get_field_index(name) for name in (key, sizes)]
        self._narrow = pa.ipc.open_file(file, options=pa.ipc.IpcReadOptions(included_fields=columns))
        self._bucket_of = np.load(index, allow_pickle=False)
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
