"""Posts.xml, plain, to posts (`sevenzip` has the archives, `threads` the posts)."""

import io
from collections.abc import Iterator
from pathlib import Path

from pipelines.documents import ReadReport, UnreadableInputError
from pipelines.readers.sevenzip import find_member, read_member
from pipelines.readers.stackexchange import POSTS, posts_bytes, read_posts

SEEDS = (
    b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?>\n<posts>\n'
    b'  <row Id="1" PostTypeId="1" Score="2" Title="A &amp; B" Tags="|a|b|" Body="&lt;p&gt;x&#xA;&lt;/p&gt;" />\n'
    b'  <row Id="2" PostTypeId="2" ParentId="1" Score="-1" Body="&lt;ol&gt;&lt;li&gt;&lt;pre&gt;y&lt;/pre&gt;" />\n'
    b"</posts>",
    b'<posts><row Id="1" PostTypeId="1" Body="\x01&#x0;&#55296;"></row><row Id="2" PostTypeId="5"/></posts>',
)
WORDS = (
    b"<row ", b"<posts>", b"</posts>", b"<!DOCTYPE x [<!ENTITY a 'b'>]>", b"&a;", b"&#x", b'ParentId="', b'Score="',
    b"<!--", b"-->", b"<![CDATA[", b"<?xml encoding='utf-16'?>", b'PostTypeId="2"', b"<oversized ",
)  # fmt: skip


def real(folder: Path) -> Iterator[bytes]:
    """The first rows of real dumps."""
    for path in sorted(folder.glob("stackexchange/*.7z")):
        with path.open("rb") as stream:
            yield next(read_member(stream, find_member(stream, POSTS), ReadReport()))[:6_000]


def one_input(data: bytes) -> None:
    """Anything is read, or refused with UnreadableInputError."""
    try:
        for batch in read_posts(io.BytesIO(data), report=ReadReport()):
            batch.validate(full=True)
        posts_bytes(io.BytesIO(data))
    except UnreadableInputError:
        pass
