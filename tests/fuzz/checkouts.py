"""Tars of checkouts."""

import bz2
import gzip
import tarfile
from collections.abc import Iterator

from pipelines.documents import ReadReport, UnreadableInputError
from pipelines.readers.github import read_checkouts
from tests.fuzz._inputs import folder, mended, tar

_FILES = (
    ("repo/LICENSE", b"MIT License"),
    ("repo/src/a.py", b"# \xc3\xa9\n"),
    ("repo/" + "d" * 100, b"\0"),
    ("repo/link", b"->../../etc/passwd"),
    ("/etc/passwd", b"x"),
    ("repo/../../b", b"x"),
)


def seeds() -> Iterator[bytes]:
    """Tars in the three formats; the last byte says whether they are packed before they are read."""
    for format_ in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT):
        yield tar(*_FILES, format_=format_)
    yield tar(*_FILES)[:-1] + b"\1"
    yield tar(*_FILES)[:-1] + b"\2"
    yield gzip.compress(tar(*_FILES), mtime=0)


def one_input(data: bytes) -> None:
    """Documents or a counted reason; no other error, and no name that leads out of its repository."""
    archive = mended(data)
    if data.endswith(b"\1"):
        archive = gzip.compress(archive, 1)
    elif data.endswith(b"\2"):
        archive = bz2.compress(archive)
    path = folder() / "all.tar"
    path.write_bytes(archive)
    try:
        for batch in read_checkouts(path, collection="c", report=ReadReport()):
            batch.validate(full=True)
            assert not any(".." in id_.split("/") for id_ in batch["id"].to_pylist())
    except UnreadableInputError:
        pass
