"""Files on any store fsspec reaches (local, s3, gs, https), and the one way to publish them.

A file appears whole or not at all: locally by fsync and rename, on an object store by one put of the whole object.
Listings are always fresh: what another process published a moment ago must be seen.
"""

import hashlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import fsspec
from fsspec.implementations.local import LocalFileSystem

from pipelines.errors import UserError

SCRATCH = ".scratch"
COPY_BYTES = 4 << 20


@dataclass(frozen=True)
class FileInfo:
    """A file as a listing shows it; equal hints mean that its content has not changed since."""

    path: str
    size: int
    hint: str

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


def filesystem(path: str) -> tuple[Any, str]:
    """The fsspec file system that holds `path`, and the path in its own form."""
    try:
        fs, inner = fsspec.core.url_to_fs(str(path), use_listings_cache=False)
    except (ImportError, ValueError) as error:
        raise UserError(f"{path}: {error}") from None
    return fs, inner


def is_local(path: str) -> bool:
    return isinstance(filesystem(path)[0], LocalFileSystem)


def join(folder: str, *names: str) -> str:
    return "/".join([str(folder).rstrip("/"), *names])


def absolute(path: str) -> str:
    """`path` in a form that means the same in every process; a URL is one already."""
    return os.path.abspath(path) if is_local(path) and "://" not in str(path) else str(path)


def _file_info(fs: Any, path: str, details: dict[str, Any]) -> FileInfo:
    if isinstance(fs, LocalFileSystem):
        status = os.stat(path)
        return FileInfo(path, status.st_size, f"{status.st_size}:{status.st_mtime_ns}")
    mark = next((str(details[k]) for k in ("ETag", "etag", "md5Hash", "generation", "mtime") if details.get(k)), "")
    return FileInfo(fs.unstrip_protocol(path), details["size"], f"{details['size']}:{mark}")


def glob(pattern: str) -> list[FileInfo]:
    """The files that match, sorted by path."""
    fs, inner = filesystem(pattern)
    found = fs.glob(inner, detail=True)
    return [_file_info(fs, path, found[path]) for path in sorted(found) if found[path]["type"] == "file"]


def list_files(folder: str) -> dict[str, int]:
    """Every file below `folder`: its relative path, and its size in bytes. Empty where there is no such folder."""
    fs, inner = filesystem(folder)
    fs.invalidate_cache()
    try:
        found = fs.find(inner, detail=True)
    except FileNotFoundError:
        return {}
    prefix = inner.rstrip("/") + "/"
    return {path.removeprefix(prefix): details["size"] for path, details in found.items() if path.startswith(prefix)}


def exists(path: str) -> bool:
    fs, inner = filesystem(path)
    return bool(fs.exists(inner))


def read_bytes(path: str) -> bytes:
    fs, inner = filesystem(path)
    return cast(bytes, fs.cat_file(inner))


def open_read(path: str) -> BinaryIO:
    fs, inner = filesystem(path)
    return cast(BinaryIO, fs.open(inner, "rb"))


def fetch(path: str, target: Path) -> None:
    """Copy a file of any store to a local one."""
    with open_read(path) as remote, target.open("wb") as local:
        shutil.copyfileobj(remote, local, COPY_BYTES)


def remove(path: str) -> None:
    """Remove a file; one that is gone already is no error."""
    fs, inner = filesystem(path)
    try:
        fs.rm_file(inner)
    except FileNotFoundError:
        return


@contextmanager
def scratch(out: str) -> Iterator[Path]:
    """A local folder for one attempt, on the same disk as `out` where that is local, removed afterwards."""
    if is_local(out):
        folder = Path(filesystem(out)[1]) / SCRATCH / uuid.uuid4().hex
        folder.mkdir(parents=True)
    else:
        folder = Path(tempfile.mkdtemp(prefix="altiplano-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clear_scratch(out: str) -> None:
    """Remove what attempts that were killed left behind."""
    if is_local(out):
        shutil.rmtree(Path(filesystem(out)[1]) / SCRATCH, ignore_errors=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def publish(local: Path, target: str) -> None:
    """Move a finished scratch file to `target` in one atomic step that outlives a power cut."""
    fs, inner = filesystem(target)
    if not isinstance(fs, LocalFileSystem):
        fs.put_file(str(local), inner)
        return
    with local.open("rb") as file:
        os.fsync(file.fileno())
    folder = Path(inner).parent
    folder.mkdir(parents=True, exist_ok=True)
    os.replace(local, inner)
    _sync_folder(folder)


def write_bytes(target: str, data: bytes) -> None:
    """Write a small file atomically."""
    fs, inner = filesystem(target)
    if not isinstance(fs, LocalFileSystem):
        fs.pipe_file(inner, data)
        return
    folder = Path(inner).parent
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".", delete=False) as file:
        file.write(data)
    try:
        publish(Path(file.name), target)
    except OSError:
        os.unlink(file.name)
        raise


def sha256(path: str) -> tuple[str, int]:
    """The sha256 and the size in bytes of a file on any store."""
    digest, size = hashlib.sha256(), 0
    with open_read(path) as stream:
        while block := stream.read(COPY_BYTES):
            digest.update(block)
            size += len(block)
    return digest.hexdigest(), size


def sha256_file(path: str | Path, start: int = 0, end: int | None = None) -> str:
    """The sha256 of a local file, or of its bytes `start` to `end`."""
    with open(path, "rb") as file:
        if not start and end is None:
            return hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(start)
        digest = hashlib.sha256()
        left = (os.path.getsize(path) if end is None else end) - start
        while left > 0 and (block := file.read(min(left, COPY_BYTES))):
            digest.update(block)
            left -= len(block)
        return digest.hexdigest()
