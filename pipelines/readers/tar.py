"""The files in a tar, streamed: nothing is extracted, a file of any size costs bounded memory, and its name is a name
and never a path.

The standard library's `tarfile` reads the headers; walking them is ours, since its own walk holds a header's extension
of any size in memory and gives up a tar at the first damaged header.
"""

import tarfile
from collections.abc import Iterator
from typing import BinaryIO

from pipelines.documents import ReadReport

BLOCK = 512
PIECE_BYTES = 1 << 20  # also what a long name or a pax header may take
MEMBER_BYTES = 1 << 50

_EXTENSIONS = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE)
_LINKS = (tarfile.LNKTYPE, tarfile.SYMTYPE)


class Member:
    """A regular file in a tar, to be read before the next one is asked for."""

    def __init__(self, stream: "_Stream", name: str, size: int, start: int) -> None:
        self.name = name
        self.size = size
        self.start = start  # of its first header, in bytes from where the walk began
        self._stream = stream
        self._left = size

    def read(self, number: int) -> bytes:
        """Up to `number` of the bytes that are left; fewer only at the end of the file, or of a tar that is cut."""
        data = self._stream.take(min(number, self._left))
        self._left -= len(data)
        return data

    def finish(self) -> None:
        """Pass over what was not read."""
        self._stream.skip(self._left + -self.size % BLOCK)


def read_tar(stream: BinaryIO, report: ReadReport, end: int | None = None) -> Iterator[Member]:
    """The regular files of a tar from where `stream` stands, at a header, to `end` bytes further on.

    Counted and passed over: links and devices, names that lead out of a folder, damaged headers (the walk goes on at
    the next one that is not). A tar cut short sets `report.truncated`.
    """
    walked = _Stream(stream)
    start, name = 0, ""
    while end is None or walked.position < end:
        header = walked.take(BLOCK)
        if not header or walked.ended:
            break
        if not header.strip(b"\0"):
            start = walked.position
            continue
        try:
            info = tarfile.TarInfo.frombuf(header, "utf-8", "replace")
        except tarfile.HeaderError:
            info = None
        if info is None or not 0 <= info.size <= MEMBER_BYTES:
            report.count("tar: damaged header")
            start, name = walked.position, ""
            continue
        if info.type in _EXTENSIONS:
            extension = walked.take(min(info.size, PIECE_BYTES))
            walked.skip(info.size - len(extension) + -info.size % BLOCK)
            name = _long_name(info.type, extension) or name
            continue
        name = name or info.name
        member = Member(walked, name, 0 if info.type in _LINKS else info.size, start)
        if name.startswith("/") or ".." in name.split("/"):
            report.count("tar: a name that leads out of its folder")
        elif info.isreg():
            yield member
        elif not info.isdir():
            report.count("tar: neither file nor folder")
        member.finish()
        start, name = walked.position, ""
    if walked.ended:
        report.truncated = f"the tar ends inside a file, after {walked.position} bytes"


def tar_ranges(stream: BinaryIO, target_bytes: int) -> list[tuple[int, int]]:
    """Byte ranges of about `target_bytes` that cut a tar where a member begins; they cover it, in order."""
    size = stream.seek(0, 2)
    stream.seek(0)
    cuts = [0]
    for member in read_tar(stream, ReadReport()):
        if member.start - cuts[-1] >= target_bytes:
            cuts.append(member.start)
    return list(zip(cuts, [*cuts[1:], size], strict=True))


class _Stream:
    """What is left of a stream, counted."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.position = 0
        self.ended = False  # inside of what was asked for

    def take(self, number: int) -> bytes:
        pieces = []
        while number and (piece := self._stream.read(min(number, PIECE_BYTES))):
            pieces.append(piece)
            number -= len(piece)
        data = b"".join(pieces)
        self.position += len(data)
        self.ended = self.ended or (number > 0 and bool(self.position % BLOCK or number != BLOCK))
        return data

    def skip(self, number: int) -> None:
        if number > 0:
            self._stream.seek(number - 1, 1)
            self.position += number - 1
            self.ended = self.ended or len(self.take(1)) < 1


def _long_name(kind: bytes, extension: bytes) -> str:
    """The name that an extension gives the next file: GNU's long name, or the `path` among pax' records."""
    if kind == tarfile.GNUTYPE_LONGNAME:
        return extension.split(b"\0", 1)[0].decode("utf-8", "replace")
    found = b""
    while kind == tarfile.XHDTYPE and extension:
        length = extension.partition(b" ")[0]
        if not (length.isdigit() and len(length) < 8 and len(length) < int(length) <= len(extension)):
            break
        key, _, value = extension[len(length) + 1 : int(length)].partition(b"=")
        found = value.removesuffix(b"\n") if key == b"path" else found
        extension = extension[int(length) :]
    return found.decode("utf-8", "replace")
