"""arXiv's source archives as document batches whose submissions are still apart in files.

An archive is `arXiv_src_YYMM_NNN.tar` with a member for each submission, `YYMM/<id>.gz`: a gzipped tar, one gzipped TeX
file, or a PDF. Nothing is ever written to a disk, and a submission that unpacks to more than it may is given up.
"""

import codecs
import posixpath
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, cast

import pyarrow as pa
from isal import isal_zlib

from pipelines.documents import (
    BATCH_BYTES,
    BATCH_DOCUMENTS,
    MAX_DOCUMENT_BYTES,
    SCHEMA,
    TOO_LARGE,
    ReadReport,
    UnreadableInputError,
)
from pipelines.readers.gunzip import InflateError
from pipelines.readers.tar import BLOCK, PIECE_BYTES, Member, read_tar

__all__ = ["FILES", "read_arxiv", "submission_id"]

MAX_UNPACKED_BYTES = 1 << 30  # of one submission, figures and all
MAX_FILES = 10_000  # of one submission

DAMAGED = "damaged_archive"
BOMB = "unpacks_too_large"
POSTSCRIPT = "postscript"
NO_TEX = "no_tex"

FILES = pa.field("files", pa.list_(pa.struct([("name", pa.string()), ("text", pa.string())])))

# What TeX may input; figures, data and bibliographies are not unpacked. A README may name the main file.
_TEX_NAME = re.compile(
    r"\.(?:tex|ltx|latex|sty|cls|clo|cfg|def|tikz|pgf|pstex_t|pdf_tex|txt|inc|mac|macros)$|(?:^|/)(?:00readme[^/]*|[^./]+)$",
    re.IGNORECASE,
)
_NEW_ID = re.compile(r"(\d{4})\.\d{4,5}(?:v\d+)?")
_OLD_ID = re.compile(r"([a-z][a-z-]*(?:\.[A-Z]{2})?)((\d{4})\d{3})(?:v\d+)?")
_ENDINGS = re.compile(r"\.(?:tar\.gz|tar|tex\.gz|gz|tex|pdf)$", re.IGNORECASE)
_GZIP = b"\x1f\x8b"
_INPUT_ENCODING = re.compile(rb"^[^%\n]*\\usepackage\s*\[([a-z0-9-]{1,20})\]\s*\{inputenc\}", re.MULTILINE)
_ENCODINGS = {
    "ansinew": "cp1252", "applemac": "mac_roman", "cp850": "cp850", "cp852": "cp852", "cp866": "cp866",
    "cp1250": "cp1250", "cp1251": "cp1251", "koi8-r": "koi8_r", "latin2": "iso8859_2", "latin3": "iso8859_3",
    "latin4": "iso8859_4", "latin5": "iso8859_9", "latin9": "iso8859_15", "latin10": "iso8859_16",
}  # fmt: skip
_UTF_16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8", **_UTF_16}


class _UnusableError(Exception):
    """A submission that gives no TeX; the message is its reason."""


def submission_id(member: str) -> tuple[str, str] | None:
    """A submission's arXiv id and its year and month, `YYMM`, from its member's name; None if that has no id.

    >>> submission_id("9301/hep-th9301001.gz")
    ('hep-th/9301001', '9301')
    """
    stem = _ENDINGS.sub("", posixpath.basename(member))
    if (match := _NEW_ID.fullmatch(stem)) is not None:
        return stem, match[1]
    if (match := _OLD_ID.fullmatch(stem)) is not None:
        return f"{match[1]}/{stem[len(match[1]) :]}", match[3]
    return None


def read_arxiv(
    stream: BinaryIO,
    *,
    collection: str,
    report: ReadReport,
    member_range: tuple[int, int] | None = None,
    max_document_bytes: int = MAX_DOCUMENT_BYTES,
) -> Iterator[pa.RecordBatch]:
    """Submissions as rows of `SCHEMA` with an empty text and a column `FILES`: their TeX files by name, decoded.

    The id is `arxiv/<collection>/<arXiv id>`; metadata are arxiv_id, yymm, url and license, which arXiv's archives do
    not tell. PDFs and members without an arXiv id are counted. A submission that cannot be unpacked, holds no TeX or
    more than `max_document_bytes` of it is dropped. `stream` is seekable, `member_range` one of `tar.tar_ranges`.

    Raises UnreadableInputError for what is no tar.
    """
    _sniff(stream)
    start, end = member_range or (0, None)
    stream.seek(start)
    batch = _Batch()
    for member in read_tar(stream, report, None if end is None else end - start):
        found = submission_id(member.name)
        content = _Peeked(member)
        if found is None:
            report.count("member: no arXiv id")
        elif content.head.startswith(b"%PDF"):
            report.count("member: pdf")
        else:
            try:
                files, dropped = _files(content, report, max_document_bytes), None
            except _UnusableError as error:
                files, dropped = {}, str(error)
            if batch.bytes + sum(map(len, files.values())) > BATCH_BYTES or len(batch.rows) == BATCH_DOCUMENTS:
                yield from batch.flush()
            batch.add(collection, *found, files, dropped)
    yield from batch.flush()


@dataclass
class _Batch:
    """Submissions that wait to become a batch."""

    rows: list[dict[str, object]] = field(default_factory=list)
    bytes: int = 0

    def add(self, collection: str, arxiv_id: str, yymm: str, files: Mapping[str, str], dropped: str | None) -> None:
        metadata = {
            "arxiv_id": arxiv_id,
            "license": "unknown",
            "url": f"https://arxiv.org/abs/{arxiv_id}",
            "yymm": yymm,
        }
        self.rows.append(
            {
                "id": f"arxiv/{collection}/{arxiv_id}",
                "source": "arxiv",
                "text": "",
                "metadata": sorted(metadata.items()),
                "dropped": dropped,
                "files": [{"name": name, "text": text} for name, text in sorted(files.items())],
            }
        )
        self.bytes += sum(map(len, files.values()))

    def flush(self) -> Iterator[pa.RecordBatch]:
        if self.rows:
            yield pa.RecordBatch.from_pylist(self.rows, schema=SCHEMA.append(FILES))
        self.rows, self.bytes = [], 0


class _Peeked:
    """A member's bytes, of which the first are known; they are not read past its end."""

    def __init__(self, member: Member) -> None:
        self._member = member
        self.head = self._waiting = member.read(BLOCK)

    def read(self, number: int) -> bytes:
        waiting, self._waiting = self._waiting[:number], self._waiting[number:]
        return waiting + self._member.read(number - len(waiting)) if len(waiting) < number else waiting

    def seek(self, offset: int, whence: int) -> int:
        assert whence == 1
        return _skip(self, offset)


class _Gunzipped:
    """The text of one gzip member after the other. Raises _UnusableError for damage, and for too much of it."""

    def __init__(self, content: _Peeked) -> None:
        self._content = content
        self._inflate = isal_zlib.decompressobj(31)
        self._waiting = b""
        self._text = b""
        self._total = 0

    def read(self, number: int) -> bytes:
        pieces = []
        while number and (self._text or self._unpack()):
            pieces.append(self._text[:number])
            self._text = self._text[number:]
            number -= len(pieces[-1])
        return b"".join(pieces)

    def seek(self, offset: int, whence: int) -> int:
        assert whence == 1
        return _skip(self, offset)

    def _unpack(self) -> bytes:
        while not self._text:
            if self._inflate.eof:
                rest = self._inflate.unused_data + self._content.read(PIECE_BYTES)
                if not rest.startswith(_GZIP):
                    break  # padding, or nothing
                self._inflate, self._waiting = isal_zlib.decompressobj(31), rest
            data = self._waiting or self._content.read(PIECE_BYTES)
            try:
                self._text = self._inflate.decompress(data, PIECE_BYTES)
            except InflateError:
                raise _UnusableError(DAMAGED) from None
            if not data and not self._text:
                raise _UnusableError(DAMAGED)
            self._waiting = self._inflate.unconsumed_tail
            self._total += len(self._text)
            if self._total > MAX_UNPACKED_BYTES:
                raise _UnusableError(BOMB)
        return self._text


def _skip(content: _Peeked | _Gunzipped, number: int) -> int:
    """Read on without keeping what is read; gives how much there was."""
    skipped = 0
    while skipped < number and (piece := content.read(min(number - skipped, PIECE_BYTES))):
        skipped += len(piece)
    return skipped


class _Replayed:
    """A stream whose first bytes were read already."""

    def __init__(self, head: bytes, content: _Peeked | _Gunzipped) -> None:
        self._head, self._content = head, content

    def read(self, number: int) -> bytes:
        head, self._head = self._head[:number], self._head[number:]
        return head + self._content.read(number - len(head))

    def seek(self, offset: int, whence: int) -> int:
        taken = min(offset, len(self._head))
        self._head = self._head[taken:]
        return taken + self._content.seek(offset - taken, whence)


def _sniff(stream: BinaryIO) -> None:
    """Raises for what is no tar."""
    stream.seek(0)
    head = stream.read(BLOCK)
    if not head:
        raise UnreadableInputError("the file is empty")
    if not _is_header(head) and head.strip(b"\0"):
        what = {b"\x1f\x8b": "is gzip", b"%P": "is a PDF"}.get(head[:2], "does not start with a tar header")
        raise UnreadableInputError(f"the file {what}; an archive of arXiv sources is an uncompressed .tar")


def _is_header(block: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "replace")
    except tarfile.HeaderError:
        return False
    return True


def _files(content: _Peeked, report: ReadReport, max_bytes: int) -> dict[str, str]:
    """A submission's TeX files by name."""
    source = _Gunzipped(content) if content.head.startswith(_GZIP) else content
    head = source.read(BLOCK)
    raw = (
        _unpack(_Replayed(head, source), report, max_bytes)
        if _is_header(head)
        else {"main.tex": _single(head, source, max_bytes)}
    )
    declared = next((m[1].decode() for text in raw.values() if (m := _INPUT_ENCODING.search(text)) is not None), "")
    return {path: _decoded(text, declared, report) for path, text in raw.items()}


def _single(head: bytes, source: _Peeked | _Gunzipped, max_bytes: int) -> bytes:
    """A submission that is one file."""
    if head.startswith((b"%!", b"\x04%!", b"\xc5\xd0\xd3\xc6")):
        raise _UnusableError(POSTSCRIPT)
    if not head.strip() or head.startswith(b"%PDF") or (b"\0" in head and not head.startswith(tuple(_UTF_16))):
        raise _UnusableError(NO_TEX)
    text = head + source.read(max_bytes)
    if len(text) > max_bytes:
        raise _UnusableError(TOO_LARGE)
    return text


def _unpack(stream: _Replayed, report: ReadReport, max_bytes: int) -> dict[str, bytes]:
    """The TeX files of a tar; one that is damaged gives none, since half a paper is no paper."""
    files: dict[str, bytes] = {}
    found, total = ReadReport(), 0
    for number, member in enumerate(read_tar(cast(BinaryIO, stream), found)):
        path = posixpath.normpath(member.name)
        if number == MAX_FILES:
            raise _UnusableError(TOO_LARGE)
        if _TEX_NAME.search(path):
            total += member.size
            if total > max_bytes:
                raise _UnusableError(TOO_LARGE)
            files[path] = member.read(member.size)
    if found.truncated is not None or found.counts.pop("tar: damaged header", 0):
        raise _UnusableError(DAMAGED)
    report.counts.update(found.counts)
    if not files:
        raise _UnusableError(NO_TEX)
    return files


def _decoded(data: bytes, declared: str, report: ReadReport) -> str:
    """The text of a file with `\\n` for every end of line: UTF-8, else what the submission declares, else CP1252."""
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            text = data[len(mark) :].decode(encoding, "replace")
            break
    else:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            encoding = _ENCODINGS.get(declared, "cp1252")
            report.count(f"file: decoded as {encoding}")
            try:
                text = data.decode(encoding)
            except UnicodeDecodeError:
                text = data.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")
