"""Common Crawl's WARC files: web pages as servers sent them, as WARC `response` records; `read_crawl` takes WET too.

A page is a response of status 200 with HTML, XHTML or plain text. Its type is what the crawl identified, else what the
server said, else what the first bytes look like; its characters are those of its byte order mark, else of what the
server said, the page's own `meta`, or what they look like.

What a report counts, beside the documents and what `records` counts, of responses that are passed over:

- `warc: <type> record`: neither a response nor one of the records around it;
- `warc: no http`, `warc: http 3xx` (and so on), `warc: empty page`;
- `warc: neither html nor text`, `warc: binary` (its text holds NUL);
- `warc: unknown content encoding`, `warc: bad content encoding`;

and of pages that are given, but not as the server meant them: `warc: page cut short`, `warc: invalid characters`,
`warc: title cut`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import BinaryIO

import brotli
import pyarrow as pa
from isal import isal_zlib
from resiliparse.parse.encoding import bytes_to_str, detect_encoding, map_encoding_to_html5

from filters.html import plain_text
from pipelines.documents import MAX_DOCUMENT_BYTES, TOO_LARGE, ReadReport, UnreadableInputError
from pipelines.readers.gunzip import InflateError
from pipelines.readers.records import MAX_HEADER_BYTES, Record, parse_headers, read_records
from pipelines.readers.wet import MAX_TITLE_CHARACTERS, MIN_CHARACTERS, Page, page_batches, wet_pages

_AROUND = {"warcinfo", "request", "metadata"}
_HTML = {"text/html", "application/xhtml+xml"}
_HTTP = re.compile(rb"HTTP/\d(?:\.\d)?[ \t]+(\d)(\d\d)(?!\d)")
_HEADER_END = re.compile(rb"\r?\n\r?\n")
_CHUNK = re.compile(rb"(?:\r?\n)?([0-9a-fA-F]{1,8})[ \t]*(?:;[^\r\n]{0,1000})?\r?\n")
_CHARSET = re.compile(r"""charset\s*=\s*["']?([\w.:-]{1,40})""", re.IGNORECASE | re.ASCII)
_LOOKS_LIKE_HTML = re.compile(rb"\s*(?:<!--.{0,500}?-->\s*)?<(?:!doctype\s+html|html|head|body|title)\b", re.I | re.S)
_BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_MAX_ENCODINGS = 2


def read_crawl(
    stream: BinaryIO,
    *,
    collection: str,
    report: ReadReport,
    min_characters: int = MIN_CHARACTERS,
    max_document_bytes: int = MAX_DOCUMENT_BYTES,
) -> Iterator[pa.RecordBatch]:
    """The documents of one file, WET or WARC as its first record says, as `wet.read_wet` gives them.

    A page of a WARC has the id that its text in a WET file has. One of more than `max_document_bytes` bytes, before or
    after its content encoding is undone, is dropped as `too_large`; see `filters.html` for `too_many_tags`.

    Raises:
        UnreadableInputError: the file is empty, neither gzip nor WARC, or holds neither text nor responses.
    """
    records = read_records(stream, max_body_bytes=max_document_bytes, report=report)
    first = next((record for record in records if record.type != "warcinfo"), None)
    if first is None:
        return
    pages = wet_pages if first.type == "conversion" else _warc_pages
    yield from page_batches(pages(chain([first], records), report), collection, min_characters, max_document_bytes)


def _warc_pages(records: Iterable[Record], report: ReadReport) -> Iterator[Page]:
    """The responses that are pages. Raises UnreadableInputError where there is no response."""
    responses = 0
    for record in records:
        if record.type != "response":
            if record.type not in _AROUND:
                report.count(f"warc: {record.type} record")
            continue
        responses += 1
        page = Page(record.headers, "", "", TOO_LARGE) if record.body is None else _page(record, record.body, report)
        if isinstance(page, Page):
            yield page
        else:
            report.count(f"warc: {page}")
    if not responses:
        raise UnreadableInputError("it holds no response record that can be read")


def _page(record: Record, response: bytes, report: ReadReport) -> Page | str:
    """The page that a response holds, or why it is none."""
    status = _HTTP.match(response)
    end = _HEADER_END.search(response, 0, MAX_HEADER_BYTES)
    if not status or not end:
        return "no http"
    if status[0][-3:] != b"200":
        return f"http {status[1].decode()}xx"
    http = parse_headers(response[: end.start()])
    try:
        data = _decoded(response[end.end() :], http, report)
    except _PassedOver as reason:
        return str(reason)
    if len(data) > MAX_DOCUMENT_BYTES:
        return Page(record.headers, "", "", TOO_LARGE)
    if not data.strip():
        return "empty page"
    type_ = _type(record.headers, http, data)
    if type_ not in _HTML and type_ != "text/plain":
        return "neither html nor text"
    characters = _characters(data, http)
    if "\0" in characters:
        return "binary"
    if "\ufffd" in characters:
        report.count("warc: invalid characters")
    if record.headers.get("warc-truncated"):
        report.count("warc: page cut short")
    if type_ == "text/plain":
        return Page(record.headers, "", "\n".join(characters.splitlines()))
    said = plain_text(characters)
    if said is None:
        return Page(record.headers, "", "", "too_many_tags")
    if len(said.title) > MAX_TITLE_CHARACTERS:
        report.count("warc: title cut")
    return Page(record.headers, said.title[:MAX_TITLE_CHARACTERS].strip(), said.text)


def _type(headers: Mapping[str, str], http: Mapping[str, str], data: bytes) -> str:
    said = headers.get("warc-identified-payload-type") or http.get("content-type", "")
    type_ = said.partition(";")[0].strip().lower()
    return type_ or ("text/html" if _LOOKS_LIKE_HTML.match(data) else "")


def _characters(data: bytes, http: Mapping[str, str]) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, errors="replace")
    said = _CHARSET.search(http.get("content-type", ""))
    declared = map_encoding_to_html5(said[1], fallback_utf8=False) if said else None
    found = declared or detect_encoding(data, from_html_meta=True) or "utf-8"
    return bytes_to_str(data, found, errors="replace", fallback_encodings=())


# ---- what HTTP does to a page


class _PassedOver(Exception):
    """Why a response is not taken."""


def _decoded(data: bytes, http: Mapping[str, str], report: ReadReport) -> bytes:
    """A response's body without its transfer and content encodings; no more than a little over the limit of it.

    Archives may keep a header whose encoding they have undone: a body that is not what its header says, and begins like
    markup, stands as it is.
    """
    if "chunked" in http.get("transfer-encoding", "").lower():
        data = _dechunked(data, report)
    encodings = [e.strip() for e in http.get("content-encoding", "").lower().split(",")]
    encodings = [e for e in encodings if e not in ("", "identity", "none", "utf-8")]
    if len(encodings) > _MAX_ENCODINGS:
        raise _PassedOver("unknown content encoding")
    for encoding in reversed(encodings):
        if encoding not in _DECODERS:
            raise _PassedOver("unknown content encoding")
        if not data:
            return data
        try:
            data, whole = _DECODERS[encoding](data)
        except (InflateError, brotli.error):
            if not data.lstrip().startswith(b"<"):
                raise _PassedOver("bad content encoding") from None
        else:
            if not whole:
                report.count("warc: page cut short")
    return data


def _dechunked(data: bytes, report: ReadReport) -> bytes:
    decoded, position = bytearray(), 0
    while chunk := _CHUNK.match(data, position):
        size = int(chunk[1], 16)
        if not size:
            return bytes(decoded)
        decoded += data[chunk.end() : chunk.end() + size]
        position = chunk.end() + size
    if not decoded:
        return data
    report.count("warc: page cut short")
    return bytes(decoded)


def _gunzip(data: bytes) -> tuple[bytes, bool]:
    return _inflate(data, 31)


def _deflated(data: bytes) -> tuple[bytes, bool]:
    try:
        return _inflate(data, 15)
    except InflateError:
        return _inflate(data, -15)  # without zlib's header, as some servers send it


def _inflate(data: bytes, window: int) -> tuple[bytes, bool]:
    inflater = isal_zlib.decompressobj(window)
    decoded = inflater.decompress(data, MAX_DOCUMENT_BYTES + 1)
    return decoded, inflater.eof or len(decoded) > MAX_DOCUMENT_BYTES


def _unbrotli(data: bytes) -> tuple[bytes, bool]:
    decompressor = brotli.Decompressor()
    decoded = bytearray(decompressor.process(data, output_buffer_limit=_BROTLI_BYTES))
    while not decompressor.can_accept_more_data() and len(decoded) <= MAX_DOCUMENT_BYTES:
        decoded += decompressor.process(b"", output_buffer_limit=_BROTLI_BYTES)
    return bytes(decoded), decompressor.is_finished() or len(decoded) > MAX_DOCUMENT_BYTES


_BROTLI_BYTES = 1 << 20
_DECODERS = {"gzip": _gunzip, "x-gzip": _gunzip, "deflate": _deflated, "br": _unbrotli}
