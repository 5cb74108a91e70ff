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


def glob(pattern: str, folders: bool = False) -> list[FileInfo]:
    """The files that match, sorted by path; with `folders` the local folders too."""
    fs, inner = filesystem(pattern)
    found = fs.glob(inner, detail=True)
    local = isinstance(fs, LocalFileSystem)
    matches = []
    for path in sorted(found):
        if os.path.isfile(path) if local else found[path]["type"] == "file":  # a link to a file is one
            matches.append(_file_info(fs, path, found[path]))
        elif local and os.path.islink(path) and not os.path.exists(path):
            raise UserError(f"{path}: a link that leads nowhere")
        elif folders and found[path]["type"] == "directory" and local:
            matches.append(_folder_info(path.rstrip("/")))
    return matches


def _folder_files(folder: str) -> Iterator[str]:
    """Every regular file below a local folder, sorted by path; links are not followed."""
    for root, folders, names in os.walk(folder):
        folders.sort()
        yield from (
            path for name in sorted(names) if os.path.isfile(path := f"{root}/{name}") and not os.path.islink(path)
        )


def _folder_info(folder: str) -> FileInfo:
    size, listing = 0, hashlib.sha256()
    for path in _folder_files(folder):
        status = os.stat(path)
        size += status.st_size
        listing.update(f"{path}\0{status.st_size}:{status.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return FileInfo(folder, size, f"{size}:{listing.hexdigest()[:16]}")


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


def fetch(path: str, size: int | None, target: Path) -> None:
    """Copy a file from any store to a local one. Raises OSError where other than `size` bytes arrive."""
    with open_read(path) as remote, target.open("wb") as local:
        shutil.copyfileobj(remote, local, COPY_BYTES)
    if size is not None and target.stat().st_size != size:
        raise OSError(
            f"{path}: {target.stat().st_size} bytes arrived of {size}: the connection broke, or it has changed"
        )


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


def write_bytes(out: str, name: str, data: bytes) -> None:
    """Write a small file below the folder `out` atomically."""
    fs, inner = filesystem(join(out, name))
    if not isinstance(fs, LocalFileSystem):
        fs.pipe_file(inner, data)
        return
    with scratch(out) as folder:
        path = folder / "file"
        path.write_bytes(data)
        publish(path, inner)


def sha256(path: str) -> tuple[str, int]:
    """The sha256 and the size in bytes of a file on any store."""
    digest, size = hashlib.sha256(), 0
    with open_read(path) as stream:
        while block := stream.read(COPY_BYTES):
            digest.update(block)
            size += len(block)
    return digest.hexdigest(), size


def sha256_file(path: str | Path, start: int = 0, end: int | None = None) -> str:
    """The sha256 of a local file, or of its bytes `start` to `end`; of a folder, that of its files' names and bytes."""
    if os.path.isdir(path):
        listing = hashlib.sha256()
        for inner in _folder_files(str(path)):
            name = os.path.relpath(inner, path)
            listing.update(f"{name}\0{sha256_file(inner)}\n".encode(errors="surrogateescape"))
        return listing.hexdigest()
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
