"""What the round over near-duplicate books reads of a split, what it decides by, and what it leaves: no engine."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.nearduplicates import (
    EMPTY,
    PERMUTATIONS,
    Indices,
    Shingles,
    bands,
    candidates,
    rows,
    signature,
    similar,
    sketches,
)

SIGNATURES = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("characters", pa.int64(), nullable=False),
        pa.field("signature", pa.binary(PERMUTATIONS * 4), nullable=False),  # little-endian uint32
    ]
)
SHINGLES = pa.schema([pa.field("shingle", pa.uint64(), nullable=False)])
VERDICTS = pa.schema([pa.field("kept", pa.string())])  # null: the book stays; else the id of the one that stays for it
COMPARED = 1 << 16  # pairs whose sketches are compared at a time


class SignatureWriter:
    """Writes what the round needs of a split's books, in their order: signatures, and shingles, a record batch a book.

    Use as a context manager.
    """

    def __init__(self, signatures: Path, shingles: Path) -> None:
        self._signatures, self._shingles = signatures, shingles
        self._rows: list[tuple[str, int, bytes]] = []

    def __enter__(self) -> "SignatureWriter":
        self._writer = pa.ipc.new_file(self._shingles, SHINGLES)
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._writer.close()
        if kind is None:
            rows = [dict(zip(SIGNATURES.names, row, strict=True)) for row in self._rows]
            with pa.ipc.new_file(self._signatures, SIGNATURES) as writer:
                writer.write_table(pa.Table.from_pylist(rows, SIGNATURES))

    def write(self, id_: str, characters: int, book: Shingles) -> None:
        self._writer.write_batch(pa.record_batch([pa.array(book, pa.uint64())], schema=SHINGLES))
        self._rows.append((id_, characters, signature(book).astype("<u4").tobytes()))


@dataclass(frozen=True)
class Packed:
    """The bands of some splits' books in one partition of the keys: what is shuffled. Books without words have none."""

    books: bytes  # int64, shape (n,): the split's number << 32 | the book's place in it
    characters: bytes  # int64, shape (n,)
    sketches: bytes  # uint8, shape (n, PERMUTATIONS)
    keys: bytes  # uint64, shape (m,)
    places: bytes  # uint32, shape (m,): of which of `books` each key is


def pack(first: int, tables: Sequence[pa.Table], partitions: int, share: float, times: float) -> Iterator[Packed]:
    """Of consecutive splits' `SIGNATURES`, the first split's number being `first`: one `Packed` for each partition."""
    books = np.concatenate([(first + i << 32) + np.arange(len(table)) for i, table in enumerate(tables)])
    table = pa.concat_tables(tables)
    joined = b"".join(table["signature"].to_pylist())
    signatures = np.frombuffer(joined, "<u4").reshape(-1, PERMUTATIONS)
    worded = (signatures != EMPTY).any(axis=1)
    books, characters, signatures = books[worded], table["characters"].to_numpy()[worded], signatures[worded]
    keys, bytes_ = bands(signatures, rows(share, times)), sketches(signatures)
    of = np.broadcast_to(np.arange(len(books), dtype=np.uint32)[:, None], keys.shape)
    partition = (keys >> np.uint64(32)) * np.uint64(partitions) >> np.uint64(32)
    for number in range(partitions):
        here = partition == number
        present, places = np.unique(of[here], return_inverse=True)
        arrays = books[present], characters[present], bytes_[present], keys[here], places.astype(np.uint32)
        yield Packed(*(array.tobytes() for array in arrays))


def propose(packed: Iterable[Packed], share: float, times: float) -> Indices:
    """The pairs of books that are worth comparing, of all `Packed` of one partition: shape (n, 2), each in order."""
    parts = sorted(packed, key=lambda p: p.books)
    books = np.concatenate([np.frombuffer(p.books, np.int64) for p in parts])
    characters = np.concatenate([np.frombuffer(p.characters, np.int64) for p in parts])
    sketch = np.concatenate([np.frombuffer(p.sketches, np.uint8) for p in parts]).reshape(-1, PERMUTATIONS)
    keys = np.concatenate([np.frombuffer(p.keys, np.uint64) for p in parts])
    before = np.cumsum([0, *(len(p.books) // 8 for p in parts)])
    places = [np.frombuffer(p.places, np.uint32) + start for p, start in zip(parts, before, strict=False)]
    of = np.concatenate(places).astype(np.int64)
    found = np.empty(0, np.int64)  # one book's place * the number of books + the other's
    for left, right in candidates(keys):
        met = np.setdiff1d(np.minimum(of[left], of[right]) * len(books) + np.maximum(of[left], of[right]), found)
        alike = [_alike(met[i : i + COMPARED], characters, sketch, share, times) for i in range(0, len(met), COMPARED)]
        found = np.union1d(found, np.concatenate([found[:0], *alike]))
    return np.sort(books[np.stack(np.divmod(found, max(1, len(books))), axis=1)], axis=1)


def _alike(met: Indices, characters: Indices, sketch: npt.NDArray[np.uint8], share: float, times: float) -> Indices:
    """Those of the pairs whose lengths and sketches allow that they are one book."""
    left, right = np.divmod(met, len(characters))
    lengths = characters[left], characters[right]
    near = np.minimum(*lengths) * times >= np.maximum(*lengths)
    near[near] = similar(sketch[left[near]], sketch[right[near]], share, times)
    return met[near]


def read_verdicts(path: Path) -> list[str | None]:
    """For each book of a split, in order: the id of the book that is kept in its stead, or None if it stays."""
    kept: list[str | None] = pa.ipc.open_file(path.read_bytes()).read_all()["kept"].to_pylist()
    return kept
