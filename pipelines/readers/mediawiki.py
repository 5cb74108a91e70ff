"""MediaWiki pages-articles dumps (XML export; bz2, multistream bz2, gzip, 7z or plain) as batches of wikitext.

The dump is cut into pages at the bytes `<page>` and `</page>`, which cannot occur in a page's text (there `<` is
escaped), and each page alone is given to expat. So a broken page costs only itself, a page of any size costs bounded
memory, a bz2 stream in the middle of a dump reads like the start of one, and no entity can be declared: a DOCTYPE is
not well-formed inside a page, and at the start of a dump it is refused. `benchmarks/wikitext.py` compares this with
iterparse.
"""

import bz2
import codecs
import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, groupby
from operator import itemgetter
from typing import BinaryIO, Literal
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

import pyarrow as pa

from pipelines.documents import MAX_DOCUMENT_BYTES, TOO_LARGE, Batcher, ReadReport, UnreadableInputError
from pipelines.readers import sevenzip
from pipelines.readers.gunzip import InflateError, inflate_member

CHUNK_BYTES = 1 << 20
HEADER_BYTES = 1 << 20  # siteinfo takes some 10 KB
BLOCK_BYTES = 2 << 20  # no bz2 block is longer when compressed
FIRST_STREAM_BYTES = 64 << 20  # a dump whose first stream is longer than this is not a multistream one

_STREAM_MAGIC = re.compile(rb"BZh[1-9]1AY&SY")
_STREAM_MAGIC_BYTES = 10
_OPEN, _CLOSE, _END = b"<page>", b"</page>", b"</mediawiki>"
_OVERSIZED = b"<oversized/>"  # in a page that was too large, in place of its text and what comes behind

Format = Literal["plain", "bz2", "gzip", "7z"]
_FORMATS: dict[bytes, Format] = {b"BZh": "bz2", b"\x1f\x8b": "gzip", sevenzip.MAGIC: "7z"}
_FOREIGN_FORMATS = {b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"PK\x03\x04": "zip"}
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_XML_ENCODING = re.compile(rb"""\A\s*<\?xml\s[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_START = re.compile(r"\s*(?:<\?xml[^>]*\?>\s*)?(?><!--.*?-->\s*+)*+<mediawiki[\s>]", re.DOTALL)  # linear: possessive
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CHARACTER_REFERENCE = re.compile("&#(?:x([0-9a-fA-F]{1,8})|([0-9]{1,8}));")
_FILE_NAME = re.compile(r"(?:^|[^a-z_])([a-z][a-z_]*wiki)(?:-(\d{4})(\d{2})(\d{2}))?(?![a-z])")


@dataclass(frozen=True)
class Wiki:
    """Which wiki a dump is of."""

    name: str  # its database, as in `enwiki`
    language: str
    url: str  # what a page's title is appended to

    @classmethod
    def named(cls, name: str) -> "Wiki":
        """The Wikipedia with this database name, such as `enwiki` or `zh_min_nanwiki`."""
        language = name.removesuffix("wiki").replace("_", "-")
        return cls(name, language, f"https://{language}.wikipedia.org/wiki/")


def describe_file_name(name: str) -> tuple[str | None, datetime.date | None]:
    """The wiki and the date in a file name such as `enwiki-20220801-pages-articles.xml.bz2`; None for what it lacks."""
    match = _FILE_NAME.search(name)
    if match is None:
        return None, None
    wiki, *date = match.groups()
    try:
        return wiki, datetime.date(*map(int, date)) if date[0] else None
    except ValueError:
        return wiki, None


def read_dump(
    stream: BinaryIO,
    *,
    collection: str,
    report: ReadReport,
    wiki: str | None = None,
    stream_range: tuple[int, int] | None = None,
    max_document_bytes: int = MAX_DOCUMENT_BYTES,
) -> Iterator[pa.RecordBatch]:
    """Articles (namespace 0, no redirects) of a dump as batches of wikitext; other pages are counted.

    The id is `wikipedia/<collection>/<wiki>/<page id>`; metadata are title, url, language, page_id, timestamp, model.
    `wiki` is the database name that the caller knows; excerpts are published under another wiki's siteinfo. It wins,
    and a difference is counted. `stream` is seekable, `stream_range` one of `page_ranges`. A page whose XML is over
    `max_document_bytes` is never held, and dropped as `too_large`.

    Raises UnreadableInputError for what is no dump, and for one that is damaged before its siteinfo ends.
    """
    header = _Header.read(stream)
    site = _wiki(header, wiki, report)
    batcher = Batcher("wikipedia", max_document_bytes)
    for page in _pages(stream, header.encoding, stream_range, max_document_bytes, report):
        yield from _add(page, site, collection, batcher, report)
    yield from batcher.flush()


def cut_dump(
    stream: BinaryIO, piece_bytes: int, *, report: ReadReport, max_document_bytes: int = MAX_DOCUMENT_BYTES
) -> Iterator[Iterator[bytes]]:
    """A dump as smaller ones of about `piece_bytes` of plain XML, which `read_dump` reads to the same documents.

    Each is given in chunks, and is to be taken whole before the next one. Raises as `read_dump` does.
    """
    header = _Header.read(stream)
    text = header.text[header.text.index("<mediawiki") :]
    start = text + ("" if "</siteinfo>" in text else "\n")

    def numbered() -> Iterator[tuple[int, bytes]]:
        written = 0
        for page in _pages(stream, header.encoding, None, max_document_bytes, report):
            yield written // piece_bytes, page
            written += len(page)

    for _, pages in groupby(numbered(), key=itemgetter(0)):
        yield chain([start.encode()], (b"\n" + page for _, page in pages), [b"\n" + _END + b"\n"])


def _pages(
    stream: BinaryIO, encoding: str, stream_range: tuple[int, int] | None, max_page_bytes: int, report: ReadReport
) -> Iterator[bytes]:
    """The XML of each page in UTF-8; of one that is too large what stands before its text, and `_OVERSIZED`."""
    size = stream.seek(0, 2)
    start, end = stream_range or (0, size)
    chunks = _chunks(stream, start, end, report)
    if encoding != "utf-8":
        chunks = _transcode(chunks, encoding)
    scanner = _PageScanner(max_page_bytes, report)
    for chunk in chunks:
        yield from scanner.feed(chunk)
    if end < size:
        scanner.resynchronise()
    elif report.truncated is None and not scanner.ended:
        report.truncated = "the dump ends inside a page" if scanner.inside else "the dump ends without </mediawiki>"


def page_ranges(stream: BinaryIO, stored_bytes: int, xml_bytes: int) -> list[tuple[int, int]]:
    """Where a dump can be cut: a multistream one every `stored_bytes` or so, where a bz2 stream starts with a page;
    plain XML every `xml_bytes`, before a page.

    The ranges cover the file, in order, and each page lies in exactly one. A dump that cannot be cut is one range.
    """
    if min(stored_bytes, xml_bytes) < 1:
        raise ValueError(f"ranges must be of at least 1 byte, not {min(stored_bytes, xml_bytes)}")
    size = stream.seek(0, 2)
    stream.seek(0)
    head = stream.read(8)
    cuts = [0]
    if not head.startswith(b"BZh"):
        while head.startswith(b"<") and (cut := _find(stream, _OPEN, cuts[-1] + xml_bytes)) is not None:
            cuts.append(cut)
    elif _page_stream(stream, 1, min(size, FIRST_STREAM_BYTES)) is not None:
        while (cut := _page_stream(stream, cuts[-1] + stored_bytes, size)) is not None:
            cuts.append(cut)
    return list(zip(cuts, [*cuts[1:], size], strict=True))


def _find(stream: BinaryIO, wanted: bytes, start: int) -> int | None:
    """The first offset behind `start` at which the file holds these bytes."""
    stream.seek(start)
    window = b""
    while data := stream.read(CHUNK_BYTES):
        window = window[1 - len(wanted) :] + data
        found = window.find(wanted)
        if found >= 0:
            return stream.tell() - len(window) + found
    return None


def _page_stream(stream: BinaryIO, start: int, end: int) -> int | None:
    """The first offset in [start, end) of a bz2 stream whose text starts with a page."""
    for offset in _stream_starts(stream, start, end):
        stream.seek(offset)
        try:
            text = bz2.BZ2Decompressor().decompress(stream.read(BLOCK_BYTES), 64)
        except OSError:
            continue  # ten bytes that look like a stream, or a damaged one: not a place to cut
        if text.lstrip().startswith(_OPEN):
            return offset
    return None


def _stream_starts(stream: BinaryIO, start: int, end: int) -> Iterator[int]:
    """Offsets in [start, end) where the bytes look like the start of a bz2 stream."""
    position, kept = start, b""
    while position < end:
        stream.seek(position)
        data = stream.read(min(CHUNK_BYTES, end - position))
        if not data:
            return
        window = kept + data
        for match in _STREAM_MAGIC.finditer(window):
            yield position - len(kept) + match.start()
        position += len(data)
        kept = window[1 - _STREAM_MAGIC_BYTES :]


def _sniff(head: bytes) -> Format:
    """What the file is, by its first bytes; raises for what no dump is published as."""
    if not head:
        raise UnreadableInputError("the file is empty")
    for magic, name in _FOREIGN_FORMATS.items():
        if head.startswith(magic):
            raise UnreadableInputError(f"the file is {name}; a dump is read as .bz2, .gz, .7z or as plain XML")
    return next((form for magic, form in _FORMATS.items() if head.startswith(magic)), "plain")


def _chunks(stream: BinaryIO, start: int, end: int, report: ReadReport) -> Iterator[bytes]:
    """The dump's text in chunks of at most 1 MiB, from the stored bytes [start, end)."""
    stream.seek(0)
    form = _sniff(stream.read(8))
    stream.seek(start)
    if form == "bz2":
        yield from _decompress(stream, start, end, report)
    elif form == "gzip":
        yield from _gunzip(stream, report)
    elif form == "7z":
        yield from sevenzip.read_member(stream, sevenzip.find_member(stream), report)
    else:
        while data := stream.read(min(CHUNK_BYTES, end - start)):
            yield data
            start += len(data)


def _gunzip(stream: BinaryIO, report: ReadReport) -> Iterator[bytes]:
    """The text of consecutive gzip members, as far as they can be had."""
    data = b""
    try:
        while data := data or stream.read(CHUNK_BYTES):
            data = yield from inflate_member(data, lambda: stream.read(CHUNK_BYTES), CHUNK_BYTES)
    except InflateError:
        report.truncated = f"gzip data is damaged before byte {stream.tell()}"
    except EOFError:
        report.truncated = f"the file ends at byte {stream.tell()}, inside its gzip data"


def _decompress(stream: BinaryIO, start: int, end: int, report: ReadReport) -> Iterator[bytes]:
    """The text of consecutive bz2 streams; after damage it goes on with the next stream that can be found."""
    decompressor, data = bz2.BZ2Decompressor(), b""
    stream_start = position = start  # position: behind the last stored byte that was read
    while True:
        if decompressor.eof:
            data = decompressor.unused_data
            stream_start = position - len(data)
            decompressor = bz2.BZ2Decompressor()
        if decompressor.needs_input and not data:
            data = stream.read(min(CHUNK_BYTES, end - position))
            position += len(data)
            if not data:
                break
        try:
            text = decompressor.decompress(data, CHUNK_BYTES)
        except OSError:
            stream.seek(stream_start)
            damaged = stream.read(3) == b"BZh"
            report.count("bz2: damaged stream" if damaged else "bz2: bytes between streams")
            # Damage may be noticed only behind the start of the next stream.
            found = next(_stream_starts(stream, max(stream_start + 1, position - BLOCK_BYTES), end), None)
            if found is None:
                if damaged and end == stream.seek(0, 2):
                    report.truncated = f"bz2 data is damaged before byte {position}, and no stream follows"
                return
            stream.seek(found)
            stream_start = position = found
            decompressor, data = bz2.BZ2Decompressor(), b""
            continue
        data = b""
        if text:
            yield text
    if stream_start < position and end == stream.seek(0, 2):
        report.truncated = f"the file ends at byte {position}, inside a bz2 stream"


def _transcode(chunks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    for chunk in chunks:
        yield decoder.decode(chunk).encode("utf-8", "replace")


@dataclass
class _Header:
    """What a dump says before its first page."""

    encoding: str
    text: str

    @classmethod
    def read(cls, stream: BinaryIO) -> "_Header":
        raw = bytearray()
        encoding: str | None = None
        for chunk in _chunks(stream, 0, stream.seek(0, 2), ReadReport()):
            raw += chunk
            encoding = encoding or _encoding(bytes(raw[:1024]))
            text = raw.decode(encoding, "replace").lstrip("\ufeff")
            if "<mediawiki" not in text[:HEADER_BYTES] and len(text) >= 4096:
                break
            if "<page>" in text or "</siteinfo>" in text or len(text) >= HEADER_BYTES:
                break
        if not raw:
            raise UnreadableInputError("the file is damaged or cut short before its first byte of text")
        assert encoding is not None
        text = re.split("<page>|(?<=</siteinfo>)", text, maxsplit=1)[0][:HEADER_BYTES]
        if re.search(r"<!(?:DOCTYPE|ENTITY)", text, re.IGNORECASE):
            raise UnreadableInputError(
                "the file has a DOCTYPE, which no dump has: entities are never resolved, so it is refused"
            )
        if not _START.match(text):
            raise UnreadableInputError("not a MediaWiki dump: it does not start with a <mediawiki> element")
        return cls(encoding, text)


def _encoding(head: bytes) -> str:
    """The encoding that the byte order mark, the zero bytes or the XML declaration tell."""
    for mark, name in _BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return name
    if head.startswith(b"<\0"):
        return "utf-16-le"
    if head.startswith(b"\0<"):
        return "utf-16-be"
    declared = _XML_ENCODING.match(head)
    if declared is None:
        return "utf-8"
    name = declared[1].decode("ascii")
    try:
        "".encode(name)
        return codecs.lookup(name).name
    except LookupError:
        raise UnreadableInputError(f"the XML declaration names an unknown encoding, {name!r}") from None


def _wiki(header: _Header, wiki: str | None, report: ReadReport) -> Wiki:
    match = re.search(r"<siteinfo>.*?</siteinfo>", header.text, re.DOTALL)
    declared = base = None
    if match is not None:
        try:
            siteinfo = ElementTree.fromstring(match[0])
        except ElementTree.ParseError:
            raise UnreadableInputError("the dump's <siteinfo> is not well-formed XML") from None
        declared, base = siteinfo.findtext("dbname"), siteinfo.findtext("base")
    if wiki is not None:
        if declared is not None and declared != wiki:
            report.count("siteinfo: another wiki's name")
        if declared != wiki:
            return Wiki.named(wiki)
    if not declared:
        raise UnreadableInputError("the dump ends or goes on without a <siteinfo> that names its wiki")
    named = Wiki.named(declared)
    try:
        host = urlsplit(base or "").hostname
    except ValueError:  # a malformed address
        host = None
    if base is None or host is None:
        return named
    language = host.split(".")[0] if host.endswith(".wikipedia.org") else named.language
    return Wiki(declared, language, base.rpartition("/")[0] + "/")


class _PageScanner:
    """Cuts a dump's bytes into pages, holding at most one page and one chunk."""

    def __init__(self, max_page_bytes: int, report: ReadReport) -> None:
        self._max_page_bytes = max_page_bytes
        self._report = report
        self._buffer = bytearray()
        self._searched = 0  # no `</page>` or second `<page>` starts before this offset
        self._skipping = False  # the page is too large: its end is looked for, and only its `_head` is kept
        self._head = b""
        self.inside = False
        self.ended = False  # `</mediawiki>` was the last thing seen

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The XML of each page that ends in this chunk; of one that is too large its head."""
        buffer = self._buffer
        buffer += chunk
        start = 0
        while True:
            if not self.inside:
                found = buffer.find(_OPEN, start)
                if found < 0:
                    self.ended = self.ended or buffer.find(_END, start) >= 0
                    start = max(start, len(buffer) - len(_END) + 1)
                    break
                self.inside, self.ended, start, self._searched = True, False, found, len(_OPEN)
            end = buffer.find(_CLOSE, start + self._searched)
            again = buffer.find(_OPEN, start + self._searched, end if end >= 0 else len(buffer))
            if again >= 0:
                self.resynchronise()
                start = again
            elif end >= 0:
                end += len(_CLOSE)
                yield self._head if self._skipping else self._page(bytes(buffer[start:end]))
                start = end
                self.inside = self._skipping = False
            else:
                if not self._skipping and len(buffer) - start > self._max_page_bytes:
                    self._skipping, self._head = True, _before_text(bytes(buffer[start : start + HEADER_BYTES]))
                keep = len(_CLOSE) - 1
                if self._skipping:
                    start, self._searched = max(start, len(buffer) - keep), 0
                else:
                    self._searched = max(self._searched, len(buffer) - start - keep)
                break
        del buffer[:start]

    def resynchronise(self) -> None:
        """Give up the page that is open, if one is: another one starts, or the streams end, before it was closed."""
        if self.inside:
            self._report.count("page: not closed")
        self.inside = self._skipping = False

    def _page(self, xml: bytes) -> bytes:
        return _before_text(xml) if len(xml) > self._max_page_bytes else xml


def _before_text(xml: bytes) -> bytes:
    """A page's XML up to its text, completed so that it parses."""
    return xml.partition(b"<text")[0] + _OVERSIZED + b"</revision></page>"


def _add(xml: bytes, wiki: Wiki, collection: str, batcher: Batcher, report: ReadReport) -> Iterator[pa.RecordBatch]:
    page = _parse(xml, report)
    if page is None:
        return
    page_id, title, namespace = page.findtext("id"), page.findtext("title"), page.findtext("ns")
    revisions = page.findall("revision")
    if not page_id or not page_id.isascii() or not page_id.isdigit() or not title or not revisions:
        report.count("page: without id, title or revision")
        return
    if namespace != "0":
        report.count("page: namespace")
        return
    if page.find("redirect") is not None:
        report.count("page: redirect")
        return
    if len(revisions) > 1:
        report.count("page: older revision", len(revisions) - 1)
    revision = revisions[-1]
    model = revision.findtext("model") or "wikitext"
    if model != "wikitext":
        report.count("page: model")
        return
    metadata = {
        "title": title,
        "url": wiki.url + quote(title.replace(" ", "_"), safe="/:@!$*(),;'"),
        "language": wiki.language,
        "page_id": page_id,
        "timestamp": revision.findtext("timestamp") or "",
        "model": model,
    }
    id_ = f"wikipedia/{collection}/{wiki.name}/{page_id}"
    dropped = None if revision.find("oversized") is None else TOO_LARGE
    yield from batcher.add(id_, revision.findtext("text") or "", metadata, dropped)


def _parse(xml: bytes, report: ReadReport) -> ElementTree.Element | None:
    """The page's element; characters that XML or UTF-8 forbid are replaced or left out, and counted once a page."""
    try:
        return ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        pass
    text = _CHARACTER_REFERENCE.sub(_legal_reference, _NOT_XML.sub("", xml.decode("utf-8", "replace")))
    try:
        page = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        report.count("page: not well-formed")
        return None
    report.count("page: invalid characters")
    return page


def _legal_reference(match: re.Match[str]) -> str:
    code = int(match[1], 16) if match[1] else int(match[2])
    return "" if code > 0x10FFFF or _NOT_XML.match(chr(code)) else match[0]
