"""Tars of checkouts."""

import gzip
import io
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pipelines.documents import ReadReport, UnreadableInputError
from pipelines.readers.github import read_checkouts


def _tar(format_: int) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=format_) as tar:
        for name, content in (
            ("repo/LICENSE", b"MIT License"),
            ("repo/src/a.py", b"# \xc3\xa9\n"),
            ("repo/" + "d" * 90, b"\0"),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("repo/link")
        link.type, link.linkname = tarfile.SYMTYPE, "../../etc/passwd"
        tar.addfile(link)
    return data.getvalue()


def seeds() -> Iterator[bytes]:
    """Tars in the three formats, and one in gzip."""
    yield from map(_tar, (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT))
    yield gzip.compress(_tar(tarfile.PAX_FORMAT), mtime=0)


def one_input(data: bytes) -> None:
    """Documents or a counted reason; no other error."""
    with tempfile.NamedTemporaryFile(suffix=".tar") as file:
        file.write(data)
        file.flush()
        try:
            for batch in read_checkouts(Path(file.name), collection="c", report=ReadReport()):
                batch.validate(full=True)
        except UnreadableInputError:
            pass
