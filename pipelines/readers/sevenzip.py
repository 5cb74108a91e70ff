"""One file of a 7z archive, streamed.

py7zr reads the archive's header; the data goes through the standard library's decompressors, asked for a chunk at a
time. py7zr's own extraction pushes, and holds what a decompressor has not taken yet; libarchive would stream as well,
but is a system library that every worker would need. Nothing is ever written to disk, so a member's path cannot lead
anywhere.
"""

import bz2
import lzma
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import py7zr.archiveinfo
from py7zr import SevenZipFile

from pipelines.documents import ReadReport, UnreadableInputError

MAGIC = b"7z\xbc\xaf\x27\x1c"
CHUNK_BYTES = 1 << 20
HEADER_BYTES = 1 << 20  # an archive of a few files has some hundred bytes of header
DICTIONARY_BYTES = 512 << 20  # what LZMA may ask for: 7-Zip's strongest preset takes 256 MB
BOMB_BYTES, BOMB_RATIO = 256 << 20, 1_000  # text shrinks to a tenth; what is larger and shrinks to this is no text

_LZMA, _LZMA2, _BZIP2, _X86 = b"\x03\x01\x01", b"\x21", b"\x04\x02\x02", b"\x03\x03\x01\x03"
_METHODS = {
    b"\x00": "no compression", _LZMA: "LZMA", _LZMA2: "LZMA2", _BZIP2: "BZip2", _X86: "an x86 filter",
    b"\x03\x04\x01": "PPMd", b"\x04\x01\x08": "Deflate", b"\x06\xf1\x07\x01": "AES encryption",
}  # fmt: skip


@dataclass(frozen=True)
class Member:
    """Where one file of an archive is: in `packed_bytes` bytes from `start`, behind `skip` bytes of other files."""

    size: int
    crc32: int | None
    start: int
    packed_bytes: int
    skip: int
    coders: tuple[tuple[bytes, bytes], ...]  # method and properties, in the order of decompression


def find_member(stream: BinaryIO, name: str | None = None) -> Member:
    """The file `name`, at the top of the archive; without a name the only file there is. Raises UnreadableInputError
    where it is not, or cannot be had.
    """
    archive = _open(stream)
    named = [f for f in archive.files if f.filename == name or (name is None and not f.is_directory)]
    name = name or "file"
    if len(named) != 1:
        raise UnreadableInputError(f"the 7z archive holds {len(named) or 'no'} {name} at its top")
    [file] = named
    if file.folder is None:
        raise UnreadableInputError(f"the {name} of the 7z archive is empty")
    streams = archive.header.main_streams
    folders = streams.unpackinfo.folders
    place = next(i for i, folder in enumerate(folders) if folder is file.folder)
    first = sum(len(folder.packed_indices) for folder in folders[:place])
    before = [other.uncompressed for other in archive.files if other.folder is file.folder and other.id < file.id]
    member = Member(
        size=file.uncompressed,
        crc32=file.crc32,
        start=archive.afterheader + streams.packinfo.packpos + streams.packinfo.packpositions[first],
        packed_bytes=streams.packinfo.packsizes[first],
        skip=sum(before),
        coders=tuple((coder["method"], coder["properties"] or b"") for coder in file.folder.coders),
    )
    if min(member.size, *before, 0) < 0:  # the last size is what the others leave of the sum
        raise UnreadableInputError("the 7z archive's header is damaged: the sizes of its files do not add up")
    if member.size + member.skip > max(BOMB_BYTES, BOMB_RATIO * member.packed_bytes):
        raise UnreadableInputError(
            f"{name} would grow from {member.packed_bytes} to {member.size + member.skip} bytes: refused as a bomb"
        )
    _decompressor(member.coders)
    return member


def read_member(stream: BinaryIO, member: Member, report: ReadReport) -> Iterator[bytes]:
    """The member's bytes in chunks of at most 1 MiB; what can be had of it, if the archive is damaged."""
    decompressor = _decompressor(member.coders)
    stream.seek(member.start)
    left, skip, wanted, crc32 = member.packed_bytes, member.skip, member.size, 0
    while wanted:
        packed = b""
        if decompressor.needs_input:
            packed = stream.read(min(CHUNK_BYTES, left))
            left -= len(packed)
        try:
            data = decompressor.decompress(packed, CHUNK_BYTES)
        except (OSError, EOFError, lzma.LZMAError):
            report.truncated = f"the 7z data is damaged {wanted} bytes before its end"
            return
        if not data and not packed and (decompressor.needs_input or decompressor.eof):
            report.truncated = f"the 7z data ends {wanted} bytes too early"
            return
        skipped = min(skip, len(data))
        skip -= skipped
        data = data[skipped : skipped + wanted]
        wanted -= len(data)
        crc32 = zlib.crc32(data, crc32)
        if data:
            yield data
    if member.crc32 is not None and crc32 != member.crc32:
        report.truncated = "the 7z data is damaged: its checksum is wrong"


def _open(stream: BinaryIO) -> Any:
    """The archive, its header read. py7zr checks counts against bytes; what a header may grow to is ours to say."""
    size = stream.seek(0, 2)
    stream.seek(0)
    start = stream.read(32)
    if len(start) < 32:
        raise UnreadableInputError("the 7z archive is cut short")
    header_offset, header_bytes = struct.unpack("<QQ", start[12:28])
    if 32 + header_offset + header_bytes > size:
        raise UnreadableInputError("the 7z archive is cut short: the list of its files stands at its end")
    if header_bytes > HEADER_BYTES:
        raise UnreadableInputError(f"the 7z archive has a header of {header_bytes} bytes: refused as a bomb")
    py7zr.archiveinfo.MAX_HEADER_SIZE = HEADER_BYTES
    stream.seek(0)
    try:
        return SevenZipFile(stream)
    except MemoryError:
        raise
    except Exception as error:  # a header that lies ends in any error there is
        said = str(error).splitlines()
        raise UnreadableInputError(f"the 7z archive's header is damaged: {said[0] if said else 'no reason'}") from None


def _decompressor(coders: tuple[tuple[bytes, bytes], ...]) -> bz2.BZ2Decompressor | lzma.LZMADecompressor:
    """Raises UnreadableInputError for a method that dumps are not published in."""
    methods = [method for method, _ in coders]
    if methods == [_BZIP2]:
        return bz2.BZ2Decompressor()
    if methods in ([_LZMA], [_LZMA2], [_LZMA2, _X86]):
        filters = [{"id": lzma.FILTER_X86}] if _X86 in methods else []
        return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[*filters, _lzma_filter(*coders[0])])
    said = " and ".join(_METHODS.get(method, f"method {method.hex()}") for method in methods)
    raise UnreadableInputError(f"the 7z archive uses {said}; LZMA, LZMA2 and BZip2 are read")


def _lzma_filter(method: bytes, properties: bytes) -> dict[str, int]:
    """What the properties of an LZMA coder say, for the `lzma` module."""
    try:
        if method == _LZMA:
            packed, dictionary = struct.unpack("<BI", properties)
            rest, lc = divmod(packed, 9)
            pb, lp = divmod(rest, 5)
            found = {"id": lzma.FILTER_LZMA1, "lc": lc, "lp": lp, "pb": pb}
        else:
            (bits,) = struct.unpack("<B", properties)
            dictionary = (2 | bits & 1) << (bits // 2 + 11)
            found = {"id": lzma.FILTER_LZMA2}
        if dictionary > DICTIONARY_BYTES:
            raise UnreadableInputError(f"the 7z archive asks for a dictionary of {dictionary} bytes: refused as a bomb")
        found["dict_size"] = max(dictionary, 4096)
        lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[found])
    except (struct.error, lzma.LZMAError, OverflowError):
        raise UnreadableInputError("the 7z archive's header is damaged: not LZMA's properties") from None
    return found
