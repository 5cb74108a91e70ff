"""Clean text as the pipeline leaves it: Parquet files of `id` and `text`, read a few megabytes at a time."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from os import PathLike, fspath
from typing import BinaryIO, cast

import fsspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

BATCH_BYTES = 8 << 20
TextFile = str | PathLike[str] | BinaryIO  # a path or URL that fsspec reaches, or an open file


def open_file(file: TextFile) -> AbstractContextManager[BinaryIO]:
    """The file, open for reading bytes. Raises ValueError, in one sentence, where there is none."""
    if not isinstance(file, str | PathLike):
        return nullcontext(file)
    try:
        return cast(BinaryIO, fsspec.open(fspath(file), "rb").open())
    except (OSError, ImportError, ValueError) as error:
        raise ValueError(f"{_name(file)}: cannot be read: {getattr(error, 'strerror', None) or error}") from None


def read_texts(file: TextFile, columns: Sequence[str] = ("id", "text")) -> Iterator[pa.RecordBatch]:
    """Batches of about 8 MB, in order. Raises ValueError, in one sentence, for a file that is not clean text."""
    with _parquet(file) as parquet:
        for group in range(parquet.num_row_groups):
            metadata = parquet.metadata.row_group(group)
            rows = max(1, metadata.num_rows * BATCH_BYTES // max(1, metadata.total_byte_size))
            yield from parquet.iter_batches(rows, [group], list(columns), use_threads=False)


def has_column(file: TextFile, name: str) -> bool:
    """Whether a file of clean text holds a column. Raises ValueError as `read_texts` does."""
    with _parquet(file) as parquet:
        return name in parquet.schema_arrow.names


@contextmanager
def _parquet(file: TextFile) -> Iterator[pq.ParquetFile]:
    with open_file(file) as stream:
        try:
            parquet = pq.ParquetFile(stream)
            if missing := {"id", "text"} - set(parquet.schema_arrow.names):
                raise pa.ArrowInvalid(f"it has no column {' and no column '.join(sorted(missing))}")
            yield parquet
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            reason = str(error).partition("\n")[0].rstrip(".")
            raise ValueError(f"{_name(file)}: not a Parquet file of clean text, or a damaged one ({reason})") from None


def _name(file: TextFile) -> str:
    return fspath(file) if isinstance(file, str | PathLike) else getattr(file, "name", "the file")


def keyed_hashes(ids: pa.Array, seed: int, purpose: str) -> npt.NDArray[np.uint64]:
    """A uint64 for each id: BLAKE2b keyed by `seed`; a `purpose` of at most 16 bytes keeps uses apart."""
    key, person = str(seed).encode(), purpose.encode()
    hashes = [
        hashlib.blake2b(id_, digest_size=8, key=key, person=person).digest()
        for id_ in ids.cast(pa.binary()).to_pylist()
    ]
    return np.frombuffer(b"".join(hashes), "<u8").astype(np.uint64)
