"""Files on any store fsspec reaches (local, s3, gs), or on the web, and the one way to publish them.

A file appears whole or not at all: locally by fsync and rename, on an object store by one put of the whole object.
Listings are always fresh: what another process published a moment ago must be seen.
Stores' own libraries try again what fails for a moment (s3fs, gcsfs; `web` for https), so nothing here does.
"""

import errno
import hashlib
import io
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, BinaryIO, Concatenate, ParamSpec, TypeVar, cast

import fsspec
from fsspec.implementations.local import LocalFileSystem

from pipelines import web
from pipelines.errors import StoreError, UserError

SCRATCH = ".scratch"
COPY_BYTES = 4 << 20
HEAD_BYTES = 1 << 20
REQUEST_BYTES = 16 << 20  # of one read from an object store
LOOKERS = 32  # files asked for side by side
EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}  # of pyproject.toml, by a URL's scheme
OPTIONS: dict[str, dict[str, Any]] = {"s3": {"max_concurrency": 2}}  # parts of 50 MB that are held in memory

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)

# Else gcsfs asks another API, over gRPC, what kind of bucket it has: a minute lost where only https gets through.
os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")

P = ParamSpec("P")
R = TypeVar("R")


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
    if web.is_web(path):
        raise UserError(f"{path}: files on the web can only be read, each by its full address")
    scheme = fsspec.utils.get_protocol(str(path))
    try:
        fs, inner = fsspec.core.url_to_fs(str(path), use_listings_cache=False, **OPTIONS.get(scheme, {}))
    except ImportError as error:
        extra = EXTRAS.get(scheme)
        advice = f"{scheme}:// needs the extra `{extra}`: pip install '.[{extra}]'" if extra else str(error)
        raise UserError(f"{path}: {advice}") from None
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None
    return fs, inner


def is_local(path: str) -> bool:
    return not web.is_web(path) and isinstance(filesystem(path)[0], LocalFileSystem)


def _plainly(function: Callable[Concatenate[str, P], R]) -> Callable[Concatenate[str, P], R]:
    """What a store's library raises, which may be anything, as an OSError of one line that names the file."""

    @wraps(function)
    def plain(path: str, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(path, *args, **kwargs)
        except (FileNotFoundError, FileExistsError, UserError, StoreError):
            raise
        except Exception as error:
            full = isinstance(error, OSError) and error.errno in DISK_FULL
            if full or is_local(path) or web.is_web(path):
                raise
            kind = PermissionError if isinstance(error, PermissionError) else StoreError
            raise kind(f"{path}: {' '.join(str(error).split()) or type(error).__name__}") from error

    return plain


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


@_plainly
def info(path: str) -> FileInfo:
    """One file, without a listing. Raises FileNotFoundError."""
    if web.is_web(path):
        found = web.details(path)
        return FileInfo(path, found.size, f"{found.size}:{found.mark}")
    fs, inner = filesystem(path)
    return _file_info(fs, inner, fs.info(inner))


def infos(paths: Sequence[str]) -> Iterator[FileInfo]:
    """Many files, in their order, some asked for at a time. Raises FileNotFoundError."""
    with ThreadPoolExecutor(LOOKERS) as lookers:
        yield from lookers.map(info, paths)


@_plainly
def glob(pattern: str, folders: bool = False) -> list[FileInfo]:
    """The files that match, sorted by path; with `folders` the local folders too. On the web, the one of that name."""
    if web.is_web(pattern):
        try:
            return [info(pattern)]
        except FileNotFoundError:
            return []
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


@_plainly
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


@_plainly
def exists(path: str) -> bool:
    try:
        info(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


@_plainly
def read_bytes(path: str) -> bytes:
    if web.is_web(path):
        return web.read_bytes(path)
    fs, inner = filesystem(path)
    return cast(bytes, fs.cat_file(inner))


@_plainly
def open_read(path: str) -> BinaryIO:
    if web.is_web(path):
        return io.BufferedReader(web.WebFile(path), COPY_BYTES)
    fs, inner = filesystem(path)
    return cast(BinaryIO, fs.open(inner, "rb", block_size=COPY_BYTES))


@_plainly
def fetch(path: str, target: Path, start: int = 0, end: int | None = None, hint: str = "") -> None:
    """Copy a file from any store to a local one; of a range only its bytes, at their places between holes, and the
    file's first ones, where formats have their headers.

    Raises StoreError where the file is not the one that `hint` stands for, or is changed meanwhile.
    """
    before = info(path)
    if hint not in ("", before.hint):
        raise StoreError(f"{path}: it has changed since the run was planned; run the same command again")
    with target.open("wb") as local:
        local.truncate(before.size)
        head = min(start, HEAD_BYTES)
        for first, last in ((0, head), (max(start, head), before.size if end is None else end)):
            local.seek(first)
            for block in _blocks(path, first, last):
                local.write(block)
    if info(path).hint != before.hint:
        raise StoreError(f"{path}: it was changed while it was read; run the same command again")


def _blocks(path: str, start: int, end: int) -> Iterator[bytes]:
    """The bytes of a remote file, in order, by requests of a bounded size."""
    if web.is_web(path):
        with web.WebFile(path, end) as remote:
            remote.seek(start)
            while block := remote.read(COPY_BYTES):
                yield block
        return
    fs, inner = filesystem(path)
    for place in range(start, end, REQUEST_BYTES):
        block = fs.cat_file(inner, start=place, end=min(place + REQUEST_BYTES, end))
        if len(block) != min(REQUEST_BYTES, end - place):
            raise StoreError(f"{path}: {len(block)} bytes arrived of {min(REQUEST_BYTES, end - place)}")
        yield block


@_plainly
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
        folder = Path(tempfile.mkdtemp(prefix=_prefix(os.getpid())))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _prefix(pid: int) -> str:
    return f"altiplano-{pid}-"


def clear_scratch(out: str) -> None:
    """Remove what attempts that were killed left behind."""
    if is_local(out):
        shutil.rmtree(Path(filesystem(out)[1]) / SCRATCH, ignore_errors=True)


def clear_scratch_of(pid: int) -> None:
    """Remove what a process that was killed left behind on this machine, of a run elsewhere."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_prefix(pid)}*"):
        shutil.rmtree(folder, ignore_errors=True)


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
        _plainly(lambda _: fs.put_file(str(local), inner))(target)
        return
    with local.open("rb") as file:
        os.fsync(file.fileno())
    folder = Path(inner).parent
    folder.mkdir(parents=True, exist_ok=True)
    os.replace(local, inner)
    _sync_folder(folder)


@_plainly
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


@_plainly
def create_bytes(out: str, name: str, data: bytes) -> None:
    """Write a small file on a store unless there is one: of several writers one succeeds, where the store knows
    conditional puts.
    """
    fs, inner = filesystem(join(out, name))
    with suppress(FileExistsError):
        fs.pipe_file(inner, data, mode="create")


@_plainly
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
