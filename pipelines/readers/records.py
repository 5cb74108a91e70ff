"""WARC records, whatever they hold: headers, and a body that is as long as they say.

A file is gzip with one member for each record (as published), gzip in any other cut, or plain: its bytes say which.

The framing is our own, because libraries take the next record into one whose length lies, and end a file at a negative
length. Here a record counts only if its declared length ends where the record really ends: at the end of a gzip member
whose checksum is right, or where the next record begins. Otherwise it is counted, never given, and reading goes on at
the next record. ISA-L decompresses member by member, so that damage in one costs its own records and no others.

What a report counts:

- `warc: length differs`, `warc: bad length` (none, negative, no number), `warc: bad header`: records not to trust;
- `warc: garbage between records`, `gzip: garbage between members`: bytes that belong to nothing;
- `gzip: damaged member`: its last record, or all that it held, is lost.

Where a gzip member holds many records, its checksum comes after the last of them: damage that leaves every length right
is counted too late to say which documents it touched.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from enum import Enum, auto
from typing import BinaryIO, NamedTuple

from isal import isal_zlib

from pipelines.documents import ReadReport, UnreadableInputError
from pipelines.readers.gunzip import InflateError

MAX_HEADER_BYTES = 64 << 10

_READ_BYTES = 64 << 10  # small: what is left of a chunk is copied at the end of each gzip member
_PIECE_BYTES = 1 << 20  # decompressed at a time, however well a member is packed
_KEPT_READS = 256  # of a member's compressed bytes, searched for the next member if this one is damaged
_PROBE_BYTES = 4 << 10  # compressed bytes that surely decompress to a first few


_GZIP = b"\x1f\x8b\x08"
_WARC = b"WARC/1."
_LENGTH = re.compile(r"\d{1,18}", re.ASCII)
_TYPES = {"continuation", "conversion", "metadata", "request", "resource", "response", "revisit", "warcinfo"}


class Record(NamedTuple):
    """A record's headers by lower-case name, and its body: None if that is too large to be held."""

    headers: Mapping[str, str]
    body: bytes | None

    @property
    def type(self) -> str:
        """One of WARC's types, or `unknown`."""
        type_ = self.headers.get("warc-type", "").lower()
        return type_ if type_ in _TYPES else "unknown"


def read_records(stream: BinaryIO, *, max_body_bytes: int, report: ReadReport) -> Iterator[Record]:
    """The records of one file, in its order; a body of more than `max_body_bytes` bytes is passed over.

    Raises:
        UnreadableInputError: the file is empty, neither gzip nor WARC, or holds no record that can be read.
    """
    members, found = _Members(stream, report), False
    while members.next():
        while members.seek_record():
            record = _read_record(members, max_body_bytes, report)
            if record:
                found = True
                yield record
    if not found and not report.truncated:
        raise UnreadableInputError("it holds no WARC record that can be read")


def _read_record(members: "_Members", max_body_bytes: int, report: ReadReport) -> Record | None:
    """The record that begins the members' buffer, or None for one that is counted instead.

    Leaves the buffer after the record; after one that lies, behind its header, where the next may begin anywhere.
    """
    buffer, newline = members.buffer, members.newline
    end_of_record = newline * 2
    while (header_end := buffer.find(end_of_record, 0, MAX_HEADER_BYTES)) < 0:
        endless = len(buffer) >= MAX_HEADER_BYTES
        if endless or not members.fill():
            if endless or not members.unfinished():
                report.count("warc: bad header")
            del buffer[: len(_WARC)]
            return None
    headers = parse_headers(buffer[:header_end])
    del buffer[: header_end + len(end_of_record)]

    if not _LENGTH.fullmatch(headers.get("content-length", "")):
        report.count("warc: bad length")
        return None
    left = int(headers["content-length"])  # bytes of the body in the buffer and still to come
    too_large = left > max_body_bytes
    next_record, nested = newline + _WARC, -1
    while len(buffer) < left + len(end_of_record) + len(_WARC) and members.fill():
        if too_large:
            nested = buffer.find(next_record, 0, left)
            if nested >= 0:
                break
            passed = max(0, min(len(buffer), left) - len(next_record))
            del buffer[:passed]
            left -= passed

    if nested < 0:
        nested = buffer.find(next_record, 0, left)
    after = left + len(end_of_record)
    if nested < 0 and len(buffer) < after:
        ended = members.end is _End.OPEN and len(buffer) < left and buffer.endswith(end_of_record)
        if ended or not members.unfinished():
            report.count("warc: length differs")
        buffer.clear()
        return None
    followed = _WARC.startswith(buffer[after : after + len(_WARC)])
    if nested >= 0 or not buffer.startswith(end_of_record, left) or not followed:
        # A page may quote a record, and garbage may follow one: where the length is in doubt, the digest decides.
        if too_large or not _has_digest(buffer[:left], headers):
            report.count("warc: length differs")
            return None
        if not followed:
            report.count("warc: garbage between records")
    elif len(buffer) == after and members.end in (_End.DAMAGED, _End.CUT):
        buffer.clear()
        return None
    body = None if too_large else bytes(memoryview(buffer)[:left])
    del buffer[:after]
    return Record(headers, body)


def parse_headers(block: bytes | bytearray) -> dict[str, str]:
    """The values of a record's, or of HTTP's, headers by lower-case name: the first of a repeated name stands. The
    first line is passed over.
    """
    headers: dict[str, str] = {}
    name = ""
    for line in block.decode(errors="replace").split("\n")[1:]:
        if line.startswith((" ", "\t")) and name:  # a folded line
            headers[name] = f"{headers[name]} {line.strip()}".lstrip()
            continue
        name, _, value = line.partition(":")
        name = name.strip().lower()
        headers.setdefault(name, value.strip())
    return headers


def _has_digest(body: bytearray, headers: Mapping[str, str]) -> bool:
    """Whether a digest says that this is the body; the payload's is of what follows HTTP's headers."""
    digest = headers.get("warc-block-digest", "")
    if not digest:
        digest = headers.get("warc-payload-digest", "")
        if headers.get("content-type", "").lower().startswith("application/http"):
            body = body.partition(b"\r\n\r\n")[2]
    algorithm, _, value = digest.partition(":")
    return algorithm.lower() == "sha1" and value.upper().encode() == base64.b32encode(hashlib.sha1(body).digest())


# ---- bytes: what was stored, decompressed, and where it may be cut


class _End(Enum):
    """How a member ended."""

    WHOLE = auto()  # its checksum and length are right
    DAMAGED = auto()
    CUT = auto()  # the stored bytes stop inside it
    OPEN = auto()  # the end of a plain file, which looks the same whole and cut


class _Members:
    """A file's decompressed bytes, one gzip member at a time; a plain file is one member.

    `buffer` holds what was decompressed and not yet taken. A record may run on into the next member (files that were
    compressed in blocks), unless that one begins with a record of its own.
    """

    def __init__(self, stream: BinaryIO, report: ReadReport) -> None:
        self.buffer = bytearray()
        self.newline = b"\r\n"  # of the latest record: tools that tidy line ends leave LF
        self.end: _End | None = None
        self._report = report
        self._pieces = _pieces(stream, report)
        self._ahead = b""  # how the next member begins
        self._over = False
        self._sniffed = False

    def next(self) -> bool:
        """Go on to the next member; False after the last."""
        if self._over:
            return False
        self.buffer[:] = self._ahead
        self._ahead, self.end = b"", None
        return True

    def fill(self) -> bool:
        """Add bytes to the buffer; False once nothing more can belong to what is in it, and `end` says why."""
        ahead, whole = b"", False
        while self.end is None:
            piece = next(self._pieces, None)
            if isinstance(piece, bytes):
                ahead += piece
                if whole and ahead.startswith(_WARC):
                    self._ahead, self.end = ahead, _End.WHOLE
                elif not (whole and _WARC.startswith(ahead)):
                    self.buffer += ahead
                    return True
            elif piece is _End.WHOLE:
                whole = True
            else:
                self._over = piece is not _End.DAMAGED
                self._sniffed |= piece is _End.DAMAGED
                self.end = _End.WHOLE if whole or piece is None else piece
        return False

    def seek_record(self) -> bool:
        """Drop bytes until a record begins the buffer; False if the member ends first."""
        buffer = self.buffer
        while True:
            while len(buffer) < len(_WARC) + 3 and self.fill():  # the first line: WARC/1.0 and its end
                pass
            if buffer.startswith(_WARC):
                self.newline = b"\n" if buffer.startswith(b"\n", len(_WARC) + 1) else b"\r\n"
                self._sniffed = True
                return True
            if not self._sniffed and not _WARC.startswith(buffer):
                raise UnreadableInputError(f"not a WARC: its text begins with {bytes(buffer[:16])!r}")
            marker = self.newline + _WARC
            found = buffer.find(marker)
            if found >= 0:
                del buffer[: found + len(self.newline)]
                continue
            if _WARC.startswith(buffer) and buffer:
                self.unfinished()
            del buffer[: 1 - len(marker)]
            if not self.fill():
                return False

    def unfinished(self) -> bool:
        """Called where a record lacks bytes: whether they were lost with the member, not withheld by the record."""
        if self.end is _End.OPEN:
            self._report.truncated = "the file ends inside a record"
        return self.end is not _End.WHOLE


def _pieces(stream: BinaryIO, report: ReadReport) -> Iterator[bytes | _End]:
    """Decompressed bytes, and after each member how it ended."""
    start = b""
    while len(start) < len(_WARC) and (chunk := stream.read(_READ_BYTES)):
        start += chunk
    if start.startswith(_GZIP):
        yield from _gunzip(start, lambda: stream.read(_READ_BYTES), report)
    elif start.startswith(_WARC):
        while start:
            yield start
            start = stream.read(_READ_BYTES)
        yield _End.OPEN
    elif _GZIP.startswith(start) or _WARC.startswith(start):
        if not start:
            raise UnreadableInputError("the file is empty")
        report.truncated = f"the file ends after {len(start)} bytes"
    else:
        raise UnreadableInputError(f"neither gzip nor WARC: it begins with {start[:16]!r}")


def _gunzip(raw: bytes, read: Callable[[], bytes], report: ReadReport) -> Iterator[bytes | _End]:
    """The members of a gzip file that begins with `raw` and goes on with what `read` gives."""
    while raw:
        inflater = isal_zlib.decompressobj(31)
        kept = [raw]  # the member's compressed bytes, from its header on
        piece, damaged = b"", False
        try:
            while not inflater.eof:
                if not raw and len(piece) < _PIECE_BYTES:
                    raw = read()
                    if not raw:
                        break
                    kept.append(raw)
                    if len(kept) > 2 * _KEPT_READS:
                        del kept[:_KEPT_READS]
                piece = inflater.decompress(raw, _PIECE_BYTES)
                raw = inflater.unconsumed_tail
                if piece:
                    yield piece
        except InflateError:
            damaged = True
        if inflater.eof:
            yield _End.WHOLE
            raw = inflater.unused_data
            while len(raw) < len(_GZIP) and (chunk := read()):
                raw += chunk
            if not raw.startswith(_GZIP[: len(raw)]):
                report.count("gzip: garbage between members")
                raw = _find_member(raw, read)
                yield _End.DAMAGED  # a record must not go on behind the gap
            continue
        # A damaged member may also run on to the end of the file, over others that begin with a record.
        raw = _find_member(b"".join(kept)[1:], read, b"" if damaged else _WARC)
        if damaged or raw:
            report.count("gzip: damaged member")
            yield _End.DAMAGED
        else:
            report.truncated = "the file ends inside a gzip member"
            yield _End.CUT


def _find_member(raw: bytes, read: Callable[[], bytes], opening: bytes = b"") -> bytes:
    """The file from the first gzip member on whose text begins with `opening`; empty if there is none."""
    start = 0
    while True:
        found = raw.find(_GZIP, start)
        if found < 0 or len(raw) - found < _PROBE_BYTES:
            chunk = read()
            if chunk:
                raw, start = raw[found if found >= 0 else 1 - len(_GZIP) :] + chunk, 0
                continue
            if found < 0:
                return b""
        try:
            if isal_zlib.decompressobj(31).decompress(raw[found : found + _PROBE_BYTES], 64).startswith(opening):
                return raw[found:]
        except InflateError:
            pass
        start = found + 1
