"""Token shards: clean documents as lists of ids, in Parquet.

A row is a document: `id`, and `tokens` with BOS first. Documents stand in the order of a keyed hash of their ids, so
that a row group is a random sample of its shard. A row group closes at the first document that takes it to a fixed
number of tokens, so that groups never depend on how documents came in.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tokenizer.encode import Encoder
from tokenizer.texts import TextFile, keyed_hashes, read_texts

ROW_GROUP_TOKENS = 2_000_000
TOKENIZER_KEY, CONFIGURATION_KEY = b"altiplano.tokenizer", b"altiplano.configuration"
# Measured on real pages and on prose (docs/tokenizer.md): plain pages as long as the row group, where zstd finds
# repeated words, are 5 to 17 % smaller than byte stream split, and writing them costs about a third of what encoding
# the text does.
PARQUET: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 7,
    "use_dictionary": False,
    "data_page_size": 64 << 20,
    "write_statistics": False,
}


@dataclass(frozen=True)
class ShardInfo:
    """A shard as the manifest lists it: documents, tokens, the file's size and sha256, and each row group's tokens."""

    rows: int
    tokens: int
    bytes: int
    sha256: str
    row_groups: tuple[int, ...]


def write_shard(
    texts: Sequence[TextFile],
    out: Path,
    *,
    encoder: Encoder,
    seed: int,
    configuration_sha256: str,
    row_group_tokens: int = ROW_GROUP_TOKENS,
    counts: Counter[str] | None = None,
) -> ShardInfo:
    """Write the documents of clean text files (Parquet: id, text) as one shard; equal input gives equal bytes.

    No documents give a shard without rows. Holds the shard's tokens, 2 bytes each (4 beyond 65,535 pieces), and its
    ids. Adds to `counts` what `Encoder.encode_batch` does. Raises ValueError for a file that is not clean text, and
    RuntimeError for a shard that does not read back as it was written.
    """
    documents = _Documents(encoder.dtype)
    for file in texts:
        for batch in read_texts(file):
            documents.add(
                batch["id"], encoder.encode_batch(batch["text"], counts), keyed_hashes(batch["id"], seed, "shard")
            )
    schema = pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            pa.field("tokens", pa.list_(pa.from_numpy_dtype(encoder.dtype)), nullable=False),
        ],
        {TOKENIZER_KEY: encoder.model.sha256, CONFIGURATION_KEY: configuration_sha256},
    )
    row_groups, content = [], hashlib.sha256()
    with pq.ParquetWriter(out, schema, **PARQUET) as writer:
        for ids, tokens in documents.row_groups(row_group_tokens):
            writer.write_table(pa.table([ids, tokens], schema=schema), row_group_size=len(ids))
            row_groups.append(len(tokens.values))
            _add_content(content, ids, tokens)
    info, read_content = _read(out)
    if info.row_groups != tuple(row_groups) or info.rows != documents.rows or read_content != content.hexdigest():
        raise RuntimeError(f"{out}: the shard does not read back as it was written: is the disk sound?")
    return info


def read_shard_info(path: Path) -> ShardInfo:
    """Count a shard by reading all of it. Raises ValueError, in one sentence, for a file that is not a sound shard."""
    return _read(path)[0]


class _Documents:
    """Encoded documents, compact, in the order they came in."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self._dtype = dtype
        self._ids: list[pa.Array] = []
        self._tokens: list[npt.NDArray[np.integer]] = []
        self._ends: list[npt.NDArray[np.int32]] = []
        self._keys: list[npt.NDArray[np.uint64]] = []

    @property
    def rows(self) -> int:
        return sum(map(len, self._ids))

    def add(self, ids: pa.Array, tokens: pa.ListArray, keys: npt.NDArray[np.uint64]) -> None:
        self._ids.append(ids)
        self._tokens.append(tokens.values.to_numpy())
        self._ends.append(tokens.offsets.to_numpy())
        self._keys.append(keys)

    def row_groups(self, least_tokens: int) -> Iterator[tuple[pa.Array, pa.ListArray]]:
        """Ids and tokens of one row group after the other, documents by key, then id, then the order they came in."""
        if not self.rows:
            return
        ids = pa.concat_arrays(self._ids)
        columns = {"key": np.concatenate(self._keys), "id": ids, "row": np.arange(len(ids))}
        order = pc.sort_indices(pa.table(columns), [(name, "ascending") for name in columns]).to_numpy()
        batch = np.repeat(np.arange(len(self._ids)), [len(i) for i in self._ids])[order]
        start = np.concatenate([ends[:-1] for ends in self._ends])[order]
        end = np.concatenate([ends[1:] for ends in self._ends])[order]
        total = np.cumsum(end - start, dtype=np.int64)
        first = 0
        while first < len(order):
            before = total[first - 1] if first else 0
            last = min(len(order), int(np.searchsorted(total, before + least_tokens)) + 1)
            rows = slice(first, last)
            places = zip(batch[rows].tolist(), start[rows].tolist(), end[rows].tolist(), strict=True)
            values = np.concatenate([self._tokens[b][s:e] for b, s, e in places])
            offsets = np.concatenate([[0], total[rows] - before]).astype(np.int32)
            yield ids.take(pa.array(order[rows])), pa.ListArray.from_arrays(offsets, values)
            first = last


def _add_content(digest: "hashlib._Hash", ids: pa.Array, tokens: pa.ListArray) -> None:
    digest.update(b"\0".join(ids.cast(pa.binary()).to_pylist()))
    digest.update(np.diff(tokens.offsets.to_numpy()).astype("<i4").tobytes())
    digest.update(tokens.flatten().to_numpy().astype("<u4").tobytes())


def _read(path: Path) -> tuple[ShardInfo, str]:
    """The shard's counts, and a digest of its rows."""
    rows, row_groups, content = 0, [], hashlib.sha256()
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
            parquet = pq.ParquetFile(file)
            for group in range(parquet.num_row_groups):
                table = parquet.read_row_group(group, ["id", "tokens"], use_threads=False).combine_chunks()
                ids, tokens = (table[name].chunk(0) for name in ("id", "tokens"))
                rows += len(ids)
                row_groups.append(len(tokens.flatten()))
                _add_content(content, ids, tokens)
    except (OSError, KeyError, pa.ArrowException) as error:
        raise ValueError(f"{path}: not a token shard, or a damaged one ({str(error).partition(chr(10))[0]})") from None
    return ShardInfo(rows, sum(row_groups), size, sha256, tuple(row_groups)), content.hexdigest()
