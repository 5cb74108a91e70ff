"""Common Crawl's WARC files: responses, their encodings and characters, and pages to text."""

import gzip
import io
from collections.abc import Iterator
from pathlib import Path

import brotli

from filters.html import plain_text
from pipelines.documents import ReadReport, UnreadableInputError
from pipelines.readers.warc import read_crawl
from tests.fuzz._inputs import heads

HTML = b"<!DOCTYPE html><title>T &amp; t</title><meta charset=utf-8><p>a<b>b</b><ul><li>c<li>d</ul><table><td>\xc3\xa9"
WORDS = (
    b"WARC/1.0\r\n", b"\r\n\r\n", b"\r\n\r\n\r\n\r\nWARC/1.0\r\n", b"WARC-Type: conversion", b"HTTP/1.1 200 OK\r\n",
    b"Content-Encoding: gzip\r\n", b"Content-Encoding: br\r\n", b"Content-Encoding: deflate\r\n", b"\x1f\x8b\x08\0",
    b"Transfer-Encoding: chunked\r\n", b"Content-Type: text/plain; charset=", b"utf-16", b"iso-2022-jp", b"gb18030",
    b"\r\n1f;x\r\n", b"<!--", b"-->", b"<script>", b"</div>", b"<div>", b"<svg>", b"<td>", b"<title>", b"&#x", b"='",
)  # fmt: skip


def seeds() -> Iterator[bytes]:
    """Responses packed and plain; in each encoding; and a page by itself."""
    yield _record(HTML)
    yield gzip.compress(_record(HTML), mtime=0) * 2
    yield _record(gzip.compress(HTML, mtime=0), b"Content-Encoding: gzip\r\n")
    yield _record(brotli.compress(HTML), b"Content-Encoding: br\r\n")
    yield _record(b"%x\r\n%s\r\n0\r\n\r\n" % (len(HTML), HTML), b"Transfer-Encoding: chunked\r\n")
    yield HTML


def real(folder: Path) -> Iterator[bytes]:
    """The beginnings of real files, and of the pages in them."""
    yield from heads(folder, "web/*warc.gz", 12_000)
    yield from heads(folder, "web/*.warc", 6_000)
    for path in sorted(folder.glob("web/[dw]*[0d].warc.gz")):  # whole ones
        pages = gzip.decompress(path.read_bytes()).split(b"HTTP/1.1 200 OK")[1:6]
        yield from (_record(page.partition(b"\r\n\r\n")[2][:6_000]) for page in pages)


def one_input(data: bytes) -> None:
    """Documents or a counted reason, from a file, and from a body with the lengths right around it."""
    page = plain_text(data.decode(errors="replace"))
    assert page is not None
    assert "" not in page.text.split("\n") or not page.text
    head, _, body = data.rpartition(b"\r\n\r\n")
    for file in (data, _record(body, b"".join(line + b"\r\n" for line in head.split(b"\r\n")[-3:] if b":" in line))):
        report = ReadReport()
        try:
            for batch in read_crawl(io.BytesIO(file), collection="c", report=report, min_characters=0):
                batch.validate(full=True)
        except UnreadableInputError:
            pass


def _record(body: bytes, headers: bytes = b"") -> bytes:
    block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n" + headers + b"\r\n" + body
    return b"WARC/1.0\r\nWARC-Type: response\r\nContent-Length: %d\r\n\r\n%s\r\n\r\n" % (len(block), block)
