"""Tars: the files in them, and where they may be cut."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

from pipelines.documents import ReadReport
from pipelines.readers.tar import read_tar, tar_ranges
from tests.fuzz._inputs import heads, mended, tar

_FILES = (("a/b.txt", b"one"), ("long/" * 30 + "b.txt", b"two"), ("../c", b"three"), ("link", b"->../../etc/passwd"))
SEEDS = [tar(*_FILES, format_=f) for f in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT)]


def real(folder: Path) -> Iterator[bytes]:
    yield from heads(folder, "arxiv/*.tar", 8_192)


def one_input(data: bytes) -> None:
    """No name leads anywhere, a file is no longer than said, and its ranges hold each file once."""
    archive = mended(data)
    report = ReadReport()
    whole = [(member.name, member.read(1 << 20)) for member in read_tar(io.BytesIO(archive), report)]
    assert all(not name.startswith("/") and ".." not in name.split("/") for name, _ in whole)
    parts = []
    for start, end in tar_ranges(io.BytesIO(archive), 1_024):
        stream = io.BytesIO(archive)
        stream.seek(start)
        parts += [(member.name, member.read(1 << 20)) for member in read_tar(stream, ReadReport(), end - start)]
    assert parts == whole
