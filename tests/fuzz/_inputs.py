"""What targets share: tars, headers made whole again, rows as a batch, pieces of real files."""

import atexit
import io
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pyarrow as pa

from pipelines.documents import Batcher

BLOCK = 512


def tar(*members: tuple[str, bytes], format_: int = tarfile.GNU_FORMAT) -> bytes:
    """A tar of files by name, and of links where the content begins with `->`."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=format_) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if content.startswith(b"->"):
                info.type, info.linkname = tarfile.SYMTYPE, content[2:].decode()
                content = b""
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    data = made.getvalue().rstrip(b"\0")  # without the zeros that fill the last record: inputs are small
    return data + bytes(-len(data) % BLOCK + 2 * BLOCK)


def mended(data: bytes) -> bytes:
    """A tar whose headers have their right checksums: mutated ones else all end at the same check.

    What has an odd number of bytes stays as it is, so that damaged headers are tried as well.
    """
    if len(data) % 2:
        return data
    blocks = [data[start : start + BLOCK] for start in range(0, len(data), BLOCK)]
    return b"".join(_mended(block) if block[257:262] == b"ustar" else block for block in blocks)


def _mended(header: bytes) -> bytes:
    rest = header[:148] + b" " * 8 + header[156:]
    return rest[:148] + b"%06o\0 " % sum(rest) + rest[156:]


def batch(text: str, metadata: Mapping[str, str] | None = None, id_: str = "x/c/1") -> pa.RecordBatch:
    """A batch of one document."""
    batcher = Batcher(id_.partition("/")[0])
    [made] = [*batcher.add(id_, text, metadata or {}), *batcher.flush()]
    return made


def heads(folder: Path, pattern: str, number: int, most: int = 5) -> Iterator[bytes]:
    """The first `number` bytes of a few files."""
    for path in sorted(folder.glob(pattern))[:most]:
        with path.open("rb") as file:
            yield file.read(number)


@cache
def folder() -> Path:
    """A folder of this process, for parsers that read files by name."""
    made = tempfile.mkdtemp(prefix="fuzz-")
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return Path(made)
