"""Common Crawl's WET files."""

import gzip
import io
from collections.abc import Iterator
from pathlib import Path

from pipelines.documents import ReadReport, UnreadableInputError
from pipelines.readers.wet import read_wet
from pipelines.sample.wet import WebPage, wet_members
from tests.fuzz._inputs import heads

WORDS = (
    b"WARC/1.0\r\n", b"\r\n\r\n", b"\r\n\r\n\r\n\r\nWARC/1.0\r\n", b"Content-Length: ", b"WARC-Type: conversion",
    b"WARC-Type: response", b"WARC-Record-ID: <urn:uuid:", b"WARC-Block-Digest: sha1:", b"\x1f\x8b\x08\0", b"\n ",
)  # fmt: skip


def seeds() -> Iterator[bytes]:
    """A whole file as published, the same in one gzip member, and plain."""
    members = wet_members("x.warc.wet.gz", [WebPage("https://a.example/", "eng", ["A title", "Text. " * 20, "é"])] * 2)
    whole = b"".join(members)
    yield whole
    yield gzip.compress(gzip.decompress(whole), mtime=0)
    yield gzip.decompress(whole)


def real(folder: Path) -> Iterator[bytes]:
    """Real files, packed and plain, whole and damaged."""
    yield from heads(folder, "web/*.gz", 6_000, most=12)
    yield from heads(folder, "web/*.txt", 6_000)


def one_input(data: bytes) -> None:
    """Documents or a counted reason; no other error."""
    report = ReadReport()
    try:
        for batch in read_wet(io.BytesIO(data), collection="c", report=report, min_characters=0):
            batch.validate(full=True)
    except UnreadableInputError:
        pass
