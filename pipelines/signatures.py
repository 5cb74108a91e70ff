"""What the round over near-duplicate books reads of a split, and what it leaves for it: files, and no engine."""

from pathlib import Path

import pyarrow as pa

from filters.nearduplicates import BINS, Shingles, signature

SIGNATURES = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("characters", pa.int64(), nullable=False),
        pa.field("signature", pa.binary(BINS * 8), nullable=False),
    ]
)
SHINGLES = pa.schema([pa.field("shingle", pa.uint64(), nullable=False)])
VERDICTS = pa.schema([pa.field("kept", pa.string())])  # null: the book stays; else the id of the one that stays for it


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
        self._rows.append((id_, characters, signature(book).astype("<u8").tobytes()))


def read_verdicts(path: Path) -> list[str | None]:
    """For each book of a split, in order: the id of the book that is kept in its stead, or None if it stays."""
    kept: list[str | None] = pa.ipc.open_file(path.read_bytes()).read_all()["kept"].to_pylist()
    return kept
