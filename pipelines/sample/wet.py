"""WET files as Common Crawl publishes them: WARC 1.0, `warcinfo` then `conversion` records, a gzip member for each."""

import base64
import gzip
import hashlib
import uuid
from collections.abc import Iterable, Sequence
from typing import NamedTuple

COLLECTION = "CC-MAIN-SAMPLE"
_CRAWLED = "2022-08"  # the month of the paper's Wikipedia dumps: the sample is one moment


class WebPage(NamedTuple):
    """A crawled page after text extraction: its first line is the title."""

    url: str
    language: str  # ISO 639-3, as the crawl's own identification writes it
    lines: Sequence[str]


def wet_members(name: str, pages: Iterable[WebPage]) -> list[bytes]:
    """The gzip members of the WET file called `name`: warcinfo, then one for each page."""
    return [gzip.compress(record, mtime=0) for record in (_warcinfo(name), *map(_conversion, pages))]


def _warcinfo(name: str) -> bytes:
    block = (
        "Software-Info: altiplano sample\r\n"
        "robots: nothing was crawled\r\n"
        f"isPartOf: {COLLECTION}\r\n"
        "description: Altiplano's own prose, and the documentation of installed packages\r\n"
        "publisher: Altiplano\r\n"
    ).encode()
    headers = {
        "WARC-Type": "warcinfo",
        "WARC-Date": fetched(name),
        "WARC-Filename": name,
        "WARC-Record-ID": _urn(f"warcinfo {name}"),
        "WARC-Block-Digest": _digest(block),
        "Content-Type": "application/warc-fields",
    }
    return _record(headers, block)


def _conversion(page: WebPage) -> bytes:
    block = ("\n".join(page.lines) + "\n").encode()
    headers = {
        "WARC-Type": "conversion",
        "WARC-Target-URI": page.url,
        "WARC-Date": fetched(page.url),
        "WARC-Record-ID": _urn(f"conversion {page.url}"),
        "WARC-Refers-To": _urn(f"response {page.url}"),
        "WARC-Block-Digest": _digest(block),
        "WARC-Identified-Content-Language": page.language,
        "Content-Type": "text/plain",
    }
    return _record(headers, block)


def _record(headers: dict[str, str], block: bytes) -> bytes:
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"WARC/1.0\r\n{head}Content-Length: {len(block)}\r\n\r\n".encode() + block + b"\r\n\r\n"


def _urn(name: str) -> str:
    return f"<urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, name)}>"


def _digest(block: bytes) -> str:
    return "sha1:" + base64.b32encode(hashlib.sha1(block, usedforsecurity=False).digest()).decode()


def fetched(name: str) -> str:
    """A moment of the crawl's month, fixed by what was fetched."""
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big")
    day, second = 8 + number % 12, number // 12 % 86_400
    return f"{_CRAWLED}-{day:02}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"
