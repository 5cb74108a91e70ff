"""7z archives. Their headers stand behind checksums, which are made right here: all mutations else end there."""

import io
import struct
import zlib
from collections.abc import Iterator

import py7zr

from pipelines.documents import ReadReport, UnreadableInputError
from pipelines.readers.sevenzip import MAGIC, find_member, read_member

MAX_BYTES = 2_048
_SIGNATURE = 32  # bytes in front of the data
_LENGTH = 2  # of what tells, in an input, where the header begins


def seeds() -> Iterator[bytes]:
    """Archives by each method, and of several files in one folder: data and header apart, their place in front."""
    for method in (py7zr.FILTER_LZMA2, py7zr.FILTER_LZMA, py7zr.FILTER_BZIP2, py7zr.FILTER_COPY, py7zr.FILTER_DEFLATE):
        made = io.BytesIO()
        with py7zr.SevenZipFile(made, "w", filters=[{"id": method}]) as archive:
            archive.set_encoded_header_mode(False)
            archive.writestr(b"<posts>" * 20, "Badges.xml")
            archive.writestr(b"<posts>" * 20, "Posts.xml")
        data = made.getvalue()
        offset, _ = struct.unpack("<QQ", data[12:28])
        yield offset.to_bytes(_LENGTH, "little") + data[_SIGNATURE:]


def _archive(data: bytes) -> bytes:
    place, content = int.from_bytes(data[:_LENGTH], "little"), data[_LENGTH:]
    place = min(place, len(content))
    start = struct.pack("<QQL", place, len(content) - place, zlib.crc32(content[place:]))
    return MAGIC + b"\0\4" + struct.pack("<L", zlib.crc32(start)) + start + content


def one_input(data: bytes) -> None:
    """Read or refused, and never more than is said."""
    for archive in (_archive(data), MAGIC + data):
        stream = io.BytesIO(archive)
        try:
            member = find_member(stream, "Posts.xml")
        except UnreadableInputError:
            continue
        report = ReadReport()
        read = sum(map(len, read_member(stream, member, report)))
        assert read == member.size or (read < member.size and report.truncated)
