"""Source code: rows of BigQuery's `github_repos` export, or checkouts, as document batches.

An export is JSON lines (plain or gzip) or Parquet with the columns `repo_name`, `ref`, `path`, `content`, `binary` and
`license`: contents joined with files and licenses. Checkouts are a folder or a tar (plain, gzip or bzip2); a repository
is the topmost folder that holds files, and its licence is recognised from the licence files there.

Nothing is unpacked to disk, no link is followed, and no path is used for anything but a document's name. The id is
`github/<collection>/<repository>/<path>`, with `@<ref>` behind the repository where the ref is known.
"""

import bz2
import gzip
import os
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from filters.code import language_of
from filters.licenses import JOIN, recognise
from pipelines.documents import MAX_DOCUMENT_BYTES, TOO_LARGE, Batcher, ReadReport, UnreadableInputError
from pipelines.readers.jsonlines import read_rows

COLUMNS = ("repo_name", "ref", "path", "content", "binary", "license")
MAX_PATH_CHARACTERS = 4_096
MAX_LICENSE_BYTES = 200_000
MAX_MEMBERS = 5_000_000  # of a tar: its folders are held in memory
MAX_HEADER_BYTES = 16 << 10  # of a tar's member: more takes tarfile's patterns quadratic time
MAX_FOOTER_ITEMS = 100_000  # row groups or columns: room is made for as many as a Parquet file says, 1 KB each
BASE_BYTES = 1 << 30
MAX_EXPANSION = 200  # of a compressed tar, beyond `BASE_BYTES`

_ROWS = 64
_TAR_HEAD = 512
_SNIFFED_BYTES = 8_000  # as git: a zero byte there makes a file binary
_LICENSE_FILE = re.compile(r"(?i)(?:un)?licen[cs]e(?:[-_.].*)?|copying(?:[-_.].*)?|licen[cs]e\.(?:md|txt|rst)")


def read_github(
    source: Path, *, collection: str, report: ReadReport, max_document_bytes: int = MAX_DOCUMENT_BYTES
) -> Iterator[pa.RecordBatch]:
    """The files of an export file, a folder of checkouts or a tar of them: its content says which it is."""
    if source.is_dir() or _is_tar(source):
        yield from read_checkouts(source, collection=collection, report=report, max_document_bytes=max_document_bytes)
        return
    with source.open("rb") as stream:
        yield from read_export(stream, collection=collection, report=report, max_document_bytes=max_document_bytes)


def _is_tar(source: Path) -> bool:
    with source.open("rb") as raw:
        head = raw.read(_TAR_HEAD)
        raw.seek(0)
        try:
            if head.startswith(b"\x1f\x8b"):
                head = gzip.GzipFile(fileobj=raw).read(_TAR_HEAD)
            elif head.startswith(b"BZh"):
                head = bz2.BZ2File(raw).read(_TAR_HEAD)
        except (OSError, EOFError, zlib.error):
            return False
    return head[257:262] == b"ustar"


class _Documents:
    """Files of repositories as documents."""

    def __init__(self, collection: str, report: ReadReport, max_document_bytes: int) -> None:
        self.collection = collection
        self.report = report
        self.batcher = Batcher("github", max_document_bytes)

    def add(
        self, repo: str, path: str, text: str, *, ref: str | None, license_: str | None, dropped: str | None = None
    ) -> Iterator[pa.RecordBatch]:
        where = f"{repo}@{ref}" if ref else repo
        metadata = {"repo": repo, "path": path, "ref": ref, "license": license_, "language": language_of(path)}
        stated = {name: value for name, value in metadata.items() if value}
        yield from self.batcher.add(f"github/{self.collection}/{where}/{path}", text, stated, dropped)


def read_export(
    stream: BinaryIO, *, collection: str, report: ReadReport, max_document_bytes: int = MAX_DOCUMENT_BYTES
) -> Iterator[pa.RecordBatch]:
    """The files of one export file, in its order; metadata are repo, path, ref, license and language, as far as known.

    A file without content is dropped as `binary`, or as `no_content` (BigQuery has none of files over 1 MiB); one with
    zero characters as `binary`, one with U+FFFD, which stands where the content was not UTF-8, as `not_utf8`. A row
    without repository or path is counted as `export: row without name`.

    Raises:
        UnreadableInputError: the file is empty, or neither JSON lines nor Parquet with these columns.
    """
    start = stream.read(4)
    stream.seek(0)
    rows = _parquet_rows(stream, report) if start == b"PAR1" else read_rows(stream, report)
    documents = _Documents(collection, report, max_document_bytes)
    for row in rows:
        repo, path = _string(row.get("repo_name")), _string(row.get("path"))
        text: object = row.get("content")
        dropped: str | None
        if not repo or not path or len(path) > MAX_PATH_CHARACTERS or len(repo) > MAX_PATH_CHARACTERS:
            report.count("export: row without name")
            continue
        if not isinstance(text, str):
            text, dropped = "", "binary" if row.get("binary") in (True, "true") else "no_content"
        else:
            dropped = "binary" if row.get("binary") in (True, "true") or "\0" in text else None
            dropped = dropped or ("not_utf8" if "\ufffd" in text else None)
        ref, license_ = _string(row.get("ref")), _string(row.get("license"))
        yield from documents.add(
            repo, path, text, ref=ref, license_=license_.lower() if license_ else None, dropped=dropped
        )
    yield from documents.batcher.flush()


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _parquet_rows(stream: BinaryIO, report: ReadReport) -> Iterator[dict[str, Any]]:
    try:
        file = pq.ParquetFile(
            stream, pre_buffer=False, buffer_size=1 << 20, thrift_container_size_limit=MAX_FOOTER_ITEMS
        )
        columns = [name for name in COLUMNS if name in file.schema_arrow.names]
    except (pa.ArrowException, OSError, UnicodeDecodeError):
        raise UnreadableInputError("the Parquet file is damaged or cut short: its footer cannot be read") from None
    if missing := {"repo_name", "path", "content"} - set(columns):
        raise UnreadableInputError(f"the Parquet file has no column {' and no column '.join(sorted(missing))}")
    for group in range(file.num_row_groups):
        try:
            for batch in file.iter_batches(batch_size=_ROWS, row_groups=[group], columns=columns):
                yield from batch.to_pylist()
        except (pa.ArrowException, OSError, UnicodeDecodeError):
            report.count("parquet: damaged row group")


def read_checkouts(
    source: Path, *, collection: str, report: ReadReport, max_document_bytes: int = MAX_DOCUMENT_BYTES
) -> Iterator[pa.RecordBatch]:
    """The files of the repositories in a folder or a tar, in the order of their names or of the tar.

    Files are dropped as `binary` (a zero byte among the first 8,000), `not_utf8` and `too_large`. A repository's
    licence is that of its licence files, joined by "and"; unknown if one of them is. What is counted:
    `checkout: link`, `checkout: special file`, `checkout: git` (a repository's own files), `checkout: name outside its
    folder`, `checkout: name not in UTF-8`.

    Raises:
        UnreadableInputError: neither a folder nor a tar, or one that asks for more memory than any tar needs.
    """
    documents = _Documents(collection, report, max_document_bytes)
    if source.is_dir():
        yield from _read_folder(source, documents, max_document_bytes)
    else:
        yield from _read_tar(source, documents, max_document_bytes)
    yield from documents.batcher.flush()


def _read_folder(folder: Path, documents: _Documents, max_bytes: int) -> Iterator[pa.RecordBatch]:
    for repository, files in _repositories(folder, documents.report):
        name = folder.name if repository == folder else repository.relative_to(folder.parent).as_posix()
        license_ = _license([_head(file) for file in files if file.parent == repository and _is_license(file.name)])
        for file in files:
            try:
                with file.open("rb") as stream:
                    data = stream.read(max_bytes + 1)
            except OSError:
                documents.report.count("checkout: cannot be read")
                continue
            yield from _add(documents, name, file.relative_to(repository).as_posix(), data, max_bytes, license_)


def _head(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(MAX_LICENSE_BYTES)


def _repositories(folder: Path, report: ReadReport) -> Iterator[tuple[Path, list[Path]]]:
    """The topmost folders that hold files, each with all files below it."""
    entries = sorted(os.scandir(folder), key=lambda e: e.name)
    if any(entry.is_file(follow_symlinks=False) for entry in entries):
        yield folder, list(_files(folder, report))
        return
    for entry in entries:
        if entry.is_symlink():
            report.count("checkout: link")
        elif entry.is_dir():
            yield from _repositories(Path(entry.path), report)


def _files(folder: Path, report: ReadReport) -> Iterator[Path]:
    for entry in sorted(os.scandir(folder), key=lambda e: e.name):
        if entry.is_symlink():
            report.count("checkout: link")
        elif entry.name == ".git":
            report.count("checkout: git")
        elif entry.is_dir():
            yield from _files(Path(entry.path), report)
        elif entry.is_file():
            try:
                entry.path.encode()
            except UnicodeEncodeError:
                report.count("checkout: name not in UTF-8")
                continue
            yield Path(entry.path)
        else:
            report.count("checkout: special file")


def _add(
    documents: _Documents, repo: str, path: str, data: bytes, max_bytes: int, license_: str | None
) -> Iterator[pa.RecordBatch]:
    text, dropped = "", None
    if b"\0" in data[:_SNIFFED_BYTES]:
        dropped = "binary"
    elif len(data) > max_bytes:
        dropped = TOO_LARGE
    else:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            dropped = "not_utf8"
    yield from documents.add(repo, path, text, ref=None, license_=license_, dropped=dropped)


def _is_license(name: str) -> bool:
    return bool(_LICENSE_FILE.fullmatch(name))


def _license(texts: list[bytes]) -> str | None:
    """The licence of a repository with these licence files; None if it has none, or one of them is unknown."""
    keys = [recognise(text.decode(errors="replace")) for text in texts]
    known = sorted({key for key in keys if key})
    return JOIN.join(known) if known and None not in keys else None


# ---- tars


def _read_tar(source: Path, documents: _Documents, max_bytes: int) -> Iterator[pa.RecordBatch]:
    """Two passes: the first finds the repositories and their licences, which may come after their files."""
    holders: set[str] = set()
    licenses: dict[str, list[bytes]] = {}
    for path, data in _members(source, ReadReport(), lambda p: MAX_LICENSE_BYTES if _is_license(_name(p)) else 0):
        folder = path.rpartition("/")[0]
        holders.add(folder)
        if _is_license(_name(path)):
            licenses.setdefault(folder, []).append(data)
    if not holders:
        raise UnreadableInputError("the tar holds no file that can be read")
    tops = {folder: _top(folder, holders) for folder in holders}
    keys = {folder: _license(texts) for folder, texts in licenses.items() if tops[folder] == folder}
    for path, data in _members(source, documents.report, lambda _: max_bytes + 1):
        repository = tops[path.rpartition("/")[0]]
        repo = repository or source.name.partition(".")[0]
        name = path.removeprefix(repository).lstrip("/")
        yield from _add(documents, repo, name, data, max_bytes, keys.get(repository))


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _top(folder: str, holders: set[str]) -> str:
    """The topmost folder above this one that holds files."""
    parts = folder.split("/")
    paths = ["", *("/".join(parts[:i]) for i in range(1, len(parts) + 1))]
    return next(path for path in paths if path in holders)


def _members(source: Path, report: ReadReport, wanted: Callable[[str], int]) -> Iterator[tuple[str, bytes]]:
    """The regular files of a tar, in its order: the path, and as many bytes of the content as are wanted."""
    with source.open("rb") as raw:
        stream = _Bounded(raw, source.stat().st_size)
        try:
            tar = tarfile.open(fileobj=cast(IO[bytes], stream), mode="r:", errors="surrogateescape")  # noqa: SIM115
        except _DAMAGE:
            raise UnreadableInputError("not a tar, or damaged at its start") from None
        number = 0
        while True:
            try:
                member = tar.next()
                tar.members.clear()  # type: ignore[attr-defined]  # it would keep every header
                if member is None:
                    break
                number += 1
                path = _safe_path(member, report)
                data = b"" if path is None else stream.content(tar, member, wanted(path))
            except _DAMAGE:
                report.truncated = f"the tar is damaged or cut short after {number} members"
                return
            if number > MAX_MEMBERS:
                raise UnreadableInputError(f"the tar has more than {MAX_MEMBERS:,} members")
            if path is not None:
                yield path, data
        if not stream.saw_end:
            report.truncated = f"the tar ends after {number} members, without its end mark"


_DAMAGE = (tarfile.TarError, EOFError, OSError, ValueError, RecursionError, OverflowError, zlib.error)


def _safe_path(member: tarfile.TarInfo, report: ReadReport) -> str | None:
    """The member's path without `./`; None for what is no regular file, or leaves its folder."""
    if member.isdir():
        return None
    if member.islnk() or member.issym():
        report.count("checkout: link")
    elif not member.isreg() or member.issparse():
        report.count("checkout: special file")
    else:
        parts = [part for part in member.name.split("/") if part not in ("", ".")]
        if member.name.startswith("/") or ".." in parts or not parts or len(member.name) > MAX_PATH_CHARACTERS:
            report.count("checkout: name outside its folder")
        elif any("\udc80" <= character <= "\udcff" for character in member.name):
            report.count("checkout: name not in UTF-8")
        elif ".git" in parts:
            report.count("checkout: git")
        else:
            return "/".join(parts)
    return None


class _Bounded:
    """A tar's bytes, read forward only and decompressed if need be; refuses what no tar needs."""

    def __init__(self, raw: BinaryIO, size: int) -> None:
        magic = raw.read(6)
        raw.seek(0)
        if magic.startswith(b"\x1f\x8b"):
            self._stream: IO[bytes] = cast(IO[bytes], gzip.GzipFile(fileobj=raw))
        elif magic.startswith(b"BZh"):
            self._stream = bz2.BZ2File(raw)
        elif magic.startswith((b"\xfd7zXZ", b"(\xb5/\xfd", b"PK\x03\x04")):
            raise UnreadableInputError("the file is xz, zstd or zip; checkouts are read as .tar, .tar.gz or .tar.bz2")
        else:
            self._stream = raw
        self._limit = BASE_BYTES + MAX_EXPANSION * size
        self._position = 0
        self._header = True  # what is read now is a header
        self.saw_end = False  # a block of zeros was the last thing read

    def content(self, tar: tarfile.TarFile, member: tarfile.TarInfo, size: int) -> bytes:
        """The first `size` bytes of a member, or all."""
        if not size or (stream := tar.extractfile(member)) is None:
            return b""
        self._header = False
        data = stream.read(min(size, member.size))
        self._header = True
        if len(data) < min(size, member.size):
            raise tarfile.ReadError("the member is cut short")
        return data

    def read(self, size: int) -> bytes:
        if self._header and size > MAX_HEADER_BYTES:
            raise UnreadableInputError(f"a header of the tar says that it has {size:,} bytes")
        data = self._stream.read(size)
        self._position += len(data)
        if self._position > self._limit:
            raise UnreadableInputError(f"it decompresses to more than {self._limit:,} bytes")
        self.saw_end = len(data) == tarfile.BLOCKSIZE and not data.strip(b"\0")
        return data

    def tell(self) -> int:
        return self._position

    def seek(self, position: int) -> int:
        if position < self._position:
            raise tarfile.ReadError("a member begins before the last one ended")
        header, self._header = self._header, False
        while self._position < position and self.read(min(1 << 20, position - self._position)):
            pass
        self._header = header
        return self._position
