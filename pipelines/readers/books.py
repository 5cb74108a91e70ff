"""Books as text files: one file (`.txt`, `.txt.gz`), or a tar of many (`.tar`, `.tar.gz`), told apart by content."""

import tarfile
from collections.abc import Iterator
from typing import BinaryIO, cast

import pyarrow as pa

from filters.books import decode, describe
from pipelines.documents import MAX_DOCUMENT_BYTES, TOO_LARGE, Batcher, ReadReport, UnreadableInputError
from pipelines.readers.gunzip import InflateError, inflate_member
from pipelines.readers.tar import BLOCK, PIECE_BYTES, read_tar

NOT_TEXT = "not_text"
INFLATED_BYTES = 64 << 10  # what is lost in front of a damaged place
TEXT_NAMES = (".txt", ".text")

_GZIP = b"\x1f\x8b"
_FOREIGN_FORMATS = {
    b"PK\x03\x04": "zip", b"%PDF": "PDF", b"7z\xbc\xaf\x27\x1c": "7z", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd", b"Rar!": "rar",
}  # fmt: skip


def read_books(
    stream: BinaryIO,
    *,
    collection: str,
    name: str,
    report: ReadReport,
    member_range: tuple[int, int] | None = None,
    max_document_bytes: int = MAX_DOCUMENT_BYTES,
) -> Iterator[pa.RecordBatch]:
    """The books of one file as batches of text as it stands, newlines and frame included.

    The id is `books/<collection>/<name>`, of a tar's member `books/<collection>/<name>/<member>`, without `.gz`;
    metadata are `encoding` and what Gutenberg's header says. A book over `max_document_bytes` is not read to its end,
    and dropped as `too_large`; one with NUL bytes is dropped as `not_text`. Members not named `*.txt` are counted.
    `stream` is seekable, `member_range` one of `tar.tar_ranges`. Raises UnreadableInputError for other formats.
    """
    batcher = Batcher("books", max_document_bytes)
    place = f"books/{collection}/{name.removesuffix('.gz')}"
    head = _read(_content(stream, ReadReport()), BLOCK)
    content = _content(stream, report)
    if _is_tar(head):
        start, end = member_range or (0, None)
        content.seek(start)
        for member in read_tar(content, report, None if end is None else end - start):
            if member.name.lower().endswith(TEXT_NAMES):
                yield from _add(
                    batcher, f"{place}/{member.name}", member.read(max_document_bytes + 1), max_document_bytes
                )
            else:
                report.count("tar: not a .txt file")
    else:
        for magic, format_ in _FOREIGN_FORMATS.items():
            if head.startswith(magic):
                raise UnreadableInputError(f"the file is {format_}; books are read as text or tar, plain or gzip")
        if not head:
            content.read(1)
            raise UnreadableInputError(report.truncated or "the file is empty")
        yield from _add(batcher, place, _read(content, max_document_bytes + 1), max_document_bytes)
    yield from batcher.flush()


def is_plain_tar(stream: BinaryIO) -> bool:
    """Whether the file is a tar without compression, which can be cut."""
    stream.seek(0)
    return _is_tar(stream.read(BLOCK))


def _is_tar(head: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "replace")
    except tarfile.HeaderError:
        return False
    return True


def _add(batcher: Batcher, id_: str, data: bytes, max_bytes: int) -> Iterator[pa.RecordBatch]:
    if len(data) > max_bytes:
        yield from batcher.add(id_, "", {}, TOO_LARGE)
        return
    text, encoding = decode(data)
    metadata = {**describe(text), "encoding": encoding}
    yield from batcher.add(id_, text, metadata, NOT_TEXT if "\0" in text else None)


def _read(content: BinaryIO, number: int) -> bytes:
    """Up to `number` bytes, in pieces that do not grow with it."""
    pieces = []
    while number and (piece := content.read(min(number, PIECE_BYTES))):
        pieces.append(piece)
        number -= len(piece)
    return b"".join(pieces)


def _content(stream: BinaryIO, report: ReadReport) -> BinaryIO:
    """The file from its start, unpacked."""
    stream.seek(0)
    compressed = stream.read(len(_GZIP)) == _GZIP
    stream.seek(0)
    return cast(BinaryIO, _Gunzipped(stream, report)) if compressed else stream


class _Gunzipped:
    """The text of a gzip file, read forward; where it is damaged or cut, it ends, and the report says so."""

    def __init__(self, stream: BinaryIO, report: ReadReport) -> None:
        self._pieces = _gunzip(stream, report)
        self._piece = b""

    def read(self, number: int) -> bytes:
        self._piece = self._piece or next(self._pieces, b"")
        data, self._piece = self._piece[:number], self._piece[number:]
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        """Pass over `offset` bytes: from the start only where nothing was read, so that both are the same."""
        while offset and (skipped := len(self.read(min(offset, PIECE_BYTES)))):
            offset -= skipped
        return 0


def _gunzip(stream: BinaryIO, report: ReadReport) -> Iterator[bytes]:
    raw = stream.read(PIECE_BYTES)
    while raw:
        try:
            behind = yield from inflate_member(raw, lambda: stream.read(PIECE_BYTES), INFLATED_BYTES)
        except EOFError:
            report.truncated = "the file ends inside a gzip member"
            return
        except InflateError as error:
            report.truncated = f"the gzip data is damaged: {error}"
            return
        raw = (behind + stream.read(PIECE_BYTES)).lstrip(b"\0")
        if raw and not raw.startswith(_GZIP):
            report.count("gzip: garbage behind the data")
            return
