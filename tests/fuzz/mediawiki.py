"""MediaWiki dumps."""

import bz2
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pipelines.documents import ReadReport, UnreadableInputError
from pipelines.readers.mediawiki import cut_dump, page_ranges, read_dump

_HEAD = (
    b'<mediawiki xml:lang="en"><siteinfo><sitename>Wikipedia</sitename><dbname>enwiki</dbname>'
    b"<base>https://en.wikipedia.org/wiki/Main_Page</base></siteinfo>\n"
)
_PAGE = (
    b"<page><title>A &amp; B</title><ns>0</ns><id>12</id><revision><id>3</id>"
    b"<timestamp>2022-08-01T00:00:00Z</timestamp>"
    b"<text xml:space=\"preserve\">'''Text''' of &lt;ref&gt; &#233; {{convert|1|km}}</text></revision></page>\n"
)
MOST_UNPACKED = 1 << 18
WORDS = (
    b"<page>", b"</page>", b"<text", b"</text>", b"<redirect title='x'/>", b"<ns>0</ns>", b"<revision>", b"</revision>",
    b"<!DOCTYPE m [<!ENTITY a 'b'>]>", b"&a;", b"&#x", b"<siteinfo>", b"</siteinfo>", b"</mediawiki>", b"<model>",
    b"<![CDATA[", b"<!--", b"-->", b"BZh91AY&SY", b"\xff\xfe", b"encoding='utf-16'",
)  # fmt: skip


def seeds() -> Iterator[bytes]:
    """A dump: plain, bz2, gzip, and multistream."""
    yield _HEAD + _PAGE + _PAGE + b"</mediawiki>"
    yield bz2.compress(_HEAD + _PAGE + b"</mediawiki>")
    yield gzip.compress(_HEAD + _PAGE + b"</mediawiki>", mtime=0)
    yield b"".join(map(bz2.compress, (_HEAD, _PAGE, _PAGE, b"</mediawiki>")))


def real(folder: Path) -> Iterator[bytes]:
    """Where real dumps begin."""
    for path in sorted(folder.glob("wikipedia/*.bz2"))[::3]:
        with path.open("rb") as stream:
            yield bz2.BZ2Decompressor().decompress(stream.read(1 << 20), 7_000)


def one_input(data: bytes) -> None:
    """Documents or a counted reason; no other error."""
    if _unpacked(data) > MOST_UNPACKED:  # a bomb takes its time, and has tests of its own
        return
    try:
        for batch in read_dump(io.BytesIO(data), collection="c", report=ReadReport()):
            batch.validate(full=True)
        page_ranges(io.BytesIO(data), 64, 64)
        for piece in cut_dump(io.BytesIO(data), 64, report=ReadReport()):
            b"".join(piece)
    except UnreadableInputError:
        pass


def _unpacked(data: bytes) -> int:
    """How much packed streams hold, wherever they start, or that it is more than `MOST_UNPACKED`."""
    size = 0
    for magic in re.finditer(rb"BZh|\x1f\x8b", data):
        packed = bz2.BZ2Decompressor() if magic[0] == b"BZh" else zlib.decompressobj(31)
        with suppress(OSError, zlib.error):
            size += len(packed.decompress(data[magic.start() :], MOST_UNPACKED + 1))
        if size > MOST_UNPACKED:
            break
    return size
