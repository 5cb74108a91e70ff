"""Common Crawl's WET files: text that was extracted from web pages, as WARC `conversion` records.

What a report counts, beside the documents and what `records` counts:

- `wet: <type> record`: a record that is neither text nor the file's description;
- `wet: invalid utf-8`, `wet: title cut`: a document that is given, but not as it stands in the file.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO, NamedTuple

import pyarrow as pa

from pipelines.documents import MAX_DOCUMENT_BYTES, TOO_LARGE, Batcher, ReadReport, UnreadableInputError
from pipelines.readers.records import Record, read_records

MIN_CHARACTERS = 300
MAX_TITLE_CHARACTERS = 1_000  # the largest real ones are some hundred; a one-line record must not fill the metadata

_RECORD_ID = re.compile(r"<?urn:uuid:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})>?", re.IGNORECASE)


def read_wet(
    stream: BinaryIO,
    *,
    collection: str,
    report: ReadReport,
    min_characters: int = MIN_CHARACTERS,
    max_document_bytes: int = MAX_DOCUMENT_BYTES,
) -> Iterator[pa.RecordBatch]:
    """The documents of one WET file, in its order, as batches of `documents.SCHEMA`.

    A document's text is what follows the first line, which is the page's title and becomes metadata beside `url`,
    `date` and, where the crawl identified them, `crawl_languages`. A text of fewer than `min_characters` characters is
    dropped as `too_short`; a record of more than `max_document_bytes` bytes as `too_large`, without being held in
    memory. The id is `commoncrawl/<collection>/<UUID>`, that of the page's own record, which a WET record refers to, or
    else of the WET record; without one, a hash of url, date and text.

    Raises:
        UnreadableInputError: the file is empty, neither gzip nor WARC, or a WARC of something other than text.
    """
    records = read_records(stream, max_body_bytes=max_document_bytes, report=report)
    yield from page_batches(wet_pages(records, report), collection, min_characters, max_document_bytes)


class Page(NamedTuple):
    """A page of a crawl: its record's headers by lower-case name, what it says, and why it is dropped, if it is."""

    headers: Mapping[str, str]
    title: str
    text: str
    dropped: str | None = None


def page_batches(
    pages: Iterable[Page], collection: str, min_characters: int, max_document_bytes: int
) -> Iterator[pa.RecordBatch]:
    """Pages as batches of `documents.SCHEMA`, short ones dropped."""
    batcher = Batcher("commoncrawl", max_document_bytes)
    for headers, title, text, dropped in pages:
        dropped = dropped or ("too_short" if len(text) < min_characters else None)
        yield from batcher.add(_id(collection, headers, text), text, _metadata(headers, title), dropped)
    yield from batcher.flush()


def wet_pages(records: Iterable[Record], report: ReadReport) -> Iterator[Page]:
    """The conversion records. Raises UnreadableInputError where there are others only."""
    conversions, others = 0, set[str]()
    for record in records:
        if record.type == "conversion":
            conversions += 1
            title, text = _title_and_text(record.body, report)
            yield Page(record.headers, title, text, TOO_LARGE if record.body is None else None)
        elif record.type != "warcinfo":
            others.add(record.type)
            report.count(f"wet: {record.type} record")
        if record.type == "response" and not conversions:
            raise UnreadableInputError("this is a WARC with response records, not WET text")
    if others and not conversions:
        raise UnreadableInputError(f"this is a WARC with {' and '.join(sorted(others))} records, not WET text")


def _id(collection: str, headers: Mapping[str, str], text: str) -> str:
    for name in ("warc-refers-to", "warc-record-id"):
        match = _RECORD_ID.fullmatch(headers.get(name, ""))
        if match:
            return f"commoncrawl/{collection}/{match[1].lower()}"
    facts = [headers.get("warc-target-uri", ""), headers.get("warc-date", ""), text]
    key = hashlib.sha1("\n".join(facts).encode()).hexdigest()
    return f"commoncrawl/{collection}/{key}"


def _metadata(headers: Mapping[str, str], title: str) -> dict[str, str]:
    values = {
        "url": headers.get("warc-target-uri", "").strip("<>"),
        "date": headers.get("warc-date", ""),
        "title": title,
        "crawl_languages": headers.get("warc-identified-content-language", ""),
    }
    return {name: value for name, value in values.items() if value}


def _title_and_text(body: bytes | None, report: ReadReport) -> tuple[str, str]:
    if body is None:
        return "", ""
    try:
        decoded = body.decode()
    except UnicodeDecodeError:
        decoded = body.decode(errors="replace")
        report.count("wet: invalid utf-8")
    title, _, text = decoded.partition("\n")
    if len(title) > MAX_TITLE_CHARACTERS:
        title = title[:MAX_TITLE_CHARACTERS]
        report.count("wet: title cut")
    return title.strip(), text
