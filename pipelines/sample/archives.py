"""Archives whose bytes depend on what they hold alone: no clock, no owner."""

import gzip
import io
import tarfile
from collections.abc import Mapping

import py7zr
from py7zr.helpers import ArchiveTimestamp

_EPOCH = ArchiveTimestamp(116_444_736_000_000_000)  # 1970 in the format's unit: tenths of a microsecond since 1601


def gzipped(data: bytes) -> bytes:
    """One gzip member."""
    return gzip.compress(data, mtime=0)


def tar(files: Mapping[str, bytes]) -> bytes:
    """A tar of regular files, in the order given."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return written.getvalue()


def seven_zip(files: Mapping[str, bytes]) -> bytes:
    """A .7z in LZMA2, as Stack Exchange's dumps are."""
    written = io.BytesIO()
    with py7zr.SevenZipFile(written, "w", filters=[{"id": py7zr.FILTER_LZMA2, "preset": 6}]) as archive:
        for name, data in files.items():
            archive.writestr(data, name)
        for file in archive.header.files_info.files:
            file["lastwritetime"] = _EPOCH
    return written.getvalue()
