"""Posts.xml of a Stack Exchange dump, in its .7z or plain, as record batches of posts.

A row is cut out at the bytes `<`, which cannot occur in an attribute (there it is escaped), and each row alone is given
to expat. So a broken row costs only itself, memory does not grow with the file, and no entity can be declared: a
DOCTYPE is not well-formed inside a row, and at the start of a file it is refused.
"""

import codecs
import re
from collections.abc import Iterator
from typing import BinaryIO
from xml.etree import ElementTree

import pyarrow as pa

from pipelines.documents import BATCH_BYTES, MAX_DOCUMENT_BYTES, ReadReport, UnreadableInputError
from pipelines.readers.sevenzip import CHUNK_BYTES, MAGIC, find_member, read_member

POSTS = "Posts.xml"
QUESTION, ANSWER = "1", "2"
HEAD_BYTES = 4096

SCHEMA = pa.schema(
    [
        pa.field("question", pa.int64(), nullable=False),  # the question's id, for an answer its parent's
        pa.field("id", pa.int64(), nullable=False),
        pa.field("score", pa.int64(), nullable=False),
        pa.field("title", pa.string()),  # plain text; null for an answer
        pa.field("body", pa.string(), nullable=False),  # HTML
        pa.field("tags", pa.string()),  # as written
        pa.field("created", pa.string()),
        pa.field("license", pa.string()),
        pa.field("bytes", pa.int64(), nullable=False),  # of title and body in UTF-8
    ]
)

_FOREIGN_FORMATS = {
    b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"PK\x03\x04": "zip",
    codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16",
}  # fmt: skip
_START = re.compile(rb"\s*+(?:<\?xml([^>]*)\?>\s*+)?(?><!--.*?-->\s*+)*+<posts[\s>/]", re.DOTALL)
_ENCODING = re.compile(rb"""encoding\s*=\s*["'](?!utf-?8["']|us-ascii["'])([^"']*)""", re.IGNORECASE)
_NOT_XML = re.compile(
    rb"&#(?:x0*(?:[0-8bcef]|1[0-9a-f]|d[89a-f][0-9a-f]{2}|fff[ef])|0*(?:[0-8]|1[124-9]|2[0-9]|3[01]));"
    rb"|[\x00-\x08\x0b\x0c\x0e-\x1f]",
    re.IGNORECASE,
)
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_OVERSIZED = b"<oversized "


def posts_bytes(stream: BinaryIO) -> int:
    """How large Posts.xml is, uncompressed, by what the file says. Raises UnreadableInputError as `read_posts` does."""
    stream.seek(0)
    if stream.read(len(MAGIC)) == MAGIC:
        return find_member(stream, POSTS).size
    return stream.seek(0, 2)


def read_posts(stream: BinaryIO, *, report: ReadReport) -> Iterator[pa.RecordBatch]:
    """Questions and answers in the order of the file, as batches of `SCHEMA`; posts of other types are counted.

    Counted and left out: rows that are not well-formed, have no id or none of their question, or are over
    `MAX_DOCUMENT_BYTES`. `stream` is seekable. Raises UnreadableInputError for what is no dump.
    """
    batch = _Batch()
    for attributes in _rows(_posts(stream, report), report):
        post = _post(attributes, report)
        if post is not None:
            yield from batch.add(post)
    yield from batch.flush()


def _posts(stream: BinaryIO, report: ReadReport) -> Iterator[bytes]:
    """Posts.xml in chunks, without its byte order mark; raises for what is none."""
    stream.seek(0)
    head = stream.read(len(MAGIC))
    if not head:
        raise UnreadableInputError("the file is empty")
    stream.seek(0)
    chunks = read_member(stream, find_member(stream, POSTS), report) if head == MAGIC else _plain(stream)
    start = b""
    for chunk in chunks:
        start += chunk
        if len(start) >= HEAD_BYTES:
            break
    start = start.removeprefix(codecs.BOM_UTF8)
    for magic, name in _FOREIGN_FORMATS.items():
        if start.startswith(magic):
            raise UnreadableInputError(f"the file is {name}; a dump is read as .7z or as Posts.xml in UTF-8")
    opening = _START.match(start)
    if opening is None and re.search(rb"<!(?:DOCTYPE|ENTITY)", start[:HEAD_BYTES], re.IGNORECASE):
        raise UnreadableInputError(
            "the file has a DOCTYPE, which no dump has: entities are never resolved, so it is refused"
        )
    if opening is None:
        raise UnreadableInputError("not a Stack Exchange dump: it does not start with a <posts> element")
    if declared := _ENCODING.search(opening[1] or b""):
        raise UnreadableInputError(f"the XML declaration names the encoding {declared[1]!r}; dumps are in UTF-8")
    yield start
    yield from chunks


def _plain(stream: BinaryIO) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK_BYTES):
        yield chunk


def _rows(chunks: Iterator[bytes], report: ReadReport) -> Iterator[dict[str, str]]:
    """The attributes of each row."""
    ended = False
    for element in _elements(chunks):
        ended = element.startswith(b"</posts")
        if element.startswith(b"<row") and element[4:5].isspace():
            element = element[: element.rfind(b">") + 1]
            if not element.endswith(b"/>"):
                element = element.removesuffix(b">") + b"/>" * element.endswith(b">")
            try:
                yield ElementTree.fromstring(element).attrib
            except (ElementTree.ParseError, ValueError):
                yield from _repaired(element, report)
        elif element.startswith(_OVERSIZED):
            report.count("row: too large")
    if not ended:
        report.truncated = report.truncated or "the file ends without </posts>"


def _repaired(element: bytes, report: ReadReport) -> Iterator[dict[str, str]]:
    """A row that expat refused, without the characters that XML forbids and writers leave in all the same."""
    element = _NOT_XML.sub(b"", element.decode("utf-8", "replace").encode())
    try:
        yield ElementTree.fromstring(element).attrib
        report.count("row: characters that XML forbids")
    except (ElementTree.ParseError, ValueError):
        report.count("row: not well-formed")


def _elements(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The file cut before every `<`. Of a piece over `MAX_DOCUMENT_BYTES` no more than its place is left."""
    parts: list[bytes] = []
    size = 0
    for chunk in chunks:
        cut = chunk.rfind(b"<")
        if cut >= 0:
            pieces = b"".join([*parts, chunk[:cut]]).split(b"<")
            yield from (b"<" + piece for piece in pieces if piece)
            parts, size, chunk = [], 0, chunk[cut:]
        parts.append(chunk)
        size += len(chunk)
        if size > MAX_DOCUMENT_BYTES:
            parts, size = [_OVERSIZED], 0
    if rest := b"".join(parts):
        yield rest


def _post(row: dict[str, str], report: ReadReport) -> tuple[object, ...] | None:
    """A question or an answer as a row of `SCHEMA`; None, and counted, for everything else."""
    kind = row.get("PostTypeId", "")
    if kind not in (QUESTION, ANSWER):
        report.count(f"post of type {kind}" if _INTEGER.fullmatch(kind) else "row: no post type")
        return None
    numbers = []
    for name in ("Id", "Id" if kind == QUESTION else "ParentId", "Score"):
        value = row.get(name, "0" if name == "Score" else "")
        if not _INTEGER.fullmatch(value):
            report.count(f"row: {name} is no number" if value else f"row: no {name}")
            return None
        numbers.append(int(value))
    id_, question, score = numbers
    title = row.get("Title", "") if kind == QUESTION else None
    body = row.get("Body", "")
    size = len(body.encode()) + len((title or "").encode())
    if size > MAX_DOCUMENT_BYTES:
        report.count("row: too large")
        return None
    return question, id_, score, title, body, row.get("Tags"), row.get("CreationDate"), row.get("ContentLicense"), size


class _Batch:
    """Collects posts into batches of about 8 MB."""

    def __init__(self) -> None:
        self._posts: list[tuple[object, ...]] = []
        self._bytes = 0

    def add(self, post: tuple[object, ...]) -> Iterator[pa.RecordBatch]:
        self._posts.append(post)
        self._bytes += 200 + int(post[-1])  # type: ignore[call-overload]
        if self._bytes >= BATCH_BYTES:
            yield from self.flush()

    def flush(self) -> Iterator[pa.RecordBatch]:
        if self._posts:
            columns = zip(*self._posts, strict=True)
            arrays = [pa.array(values, type=field.type) for values, field in zip(columns, SCHEMA, strict=True)]
            self._posts, self._bytes = [], 0
            yield pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)
