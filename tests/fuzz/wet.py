"""Common Crawl's WET files."""

import gzip
import io
from collections.abc import Iterator

from pipelines.documents import ReadReport, UnreadableInputError
from pipelines.readers.wet import read_wet
from pipelines.sample.wet import WebPage, wet_members


def seeds() -> Iterator[bytes]:
    """A whole file as published, the same in one gzip member, and plain."""
    members = wet_members("x.warc.wet.gz", [WebPage("https://a.example/", "eng", ["A title", "Text. " * 20, "é"])] * 2)
    whole = b"".join(members)
    yield whole
    yield gzip.compress(gzip.decompress(whole), mtime=0)
    yield gzip.decompress(whole)


def one_input(data: bytes) -> None:
    """Documents or a counted reason; no other error."""
    report = ReadReport()
    try:
        for batch in read_wet(io.BytesIO(data), collection="c", report=report, min_characters=0):
            batch.validate(full=True)
    except UnreadableInputError:
        pass
