"""Documents that say the same as another one, by a key of what is compared: a file's content, a page's address."""

import hashlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.decisions import BoolArray, drop, kept

Keys = npt.NDArray[np.uint64]

_DIGEST = np.dtype([("key", "<u8"), ("rest", "V12")])


def keys_of(values: Iterable[str]) -> Keys:
    """The key of each value: the first 8 bytes of the SHA-1 of its UTF-8, as a little-endian number."""
    digests = b"".join([hashlib.sha1(value.encode()).digest() for value in values])
    return np.frombuffer(digests, dtype=_DIGEST)["key"].astype(np.uint64)


def document_keys(batch: pa.RecordBatch) -> Keys:
    """The keys of the kept documents' texts, in their order."""
    return keys_of(batch["text"].filter(pa.array(kept(batch))).to_pylist())


def drop_kept(batch: pa.RecordBatch, where: BoolArray, reason: str) -> pa.RecordBatch:
    """Drop those of the kept documents that `where` marks: shape (kept documents,), in their order."""
    rows = kept(batch)
    rows[rows] = where
    return drop(batch, rows, reason)
