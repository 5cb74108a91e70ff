"""MediaWiki dumps."""

import bz2
import io
from collections.abc import Iterator

from pipelines.documents import ReadReport, UnreadableInputError
from pipelines.readers.mediawiki import multistream_ranges, read_dump

_HEAD = (
    b'<mediawiki xml:lang="en"><siteinfo><sitename>Wikipedia</sitename><dbname>enwiki</dbname>'
    b"<base>https://en.wikipedia.org/wiki/Main_Page</base></siteinfo>\n"
)
_PAGE = (
    b"<page><title>A &amp; B</title><ns>0</ns><id>12</id><revision><id>3</id>"
    b"<timestamp>2022-08-01T00:00:00Z</timestamp>"
    b"<text xml:space=\"preserve\">'''Text''' of &lt;ref&gt; &#233; {{convert|1|km}}</text></revision></page>\n"
)


def seeds() -> Iterator[bytes]:
    """A dump: plain, bz2, and multistream."""
    yield _HEAD + _PAGE + _PAGE + b"</mediawiki>"
    yield bz2.compress(_HEAD + _PAGE + b"</mediawiki>")
    yield b"".join(map(bz2.compress, (_HEAD, _PAGE, _PAGE, b"</mediawiki>")))


def one_input(data: bytes) -> None:
    """Documents or a counted reason; no other error."""
    try:
        for batch in read_dump(io.BytesIO(data), collection="c", report=ReadReport()):
            batch.validate(full=True)
        multistream_ranges(io.BytesIO(data), 64)
    except UnreadableInputError:
        pass
