"""Posts.xml, plain or in a .7z, to threads."""

import io

import py7zr
import pyarrow as pa

from filters.threads import threads
from pipelines.documents import ReadReport, UnreadableInputError
from pipelines.readers.stackexchange import SCHEMA, read_posts

_XML = (
    b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?>\n<posts>\n'
    b'  <row Id="1" PostTypeId="1" Score="2" Title="A &amp; B" Tags="|a|b|" Body="&lt;p&gt;x&#xA;&lt;/p&gt;" />\n'
    b'  <row Id="2" PostTypeId="2" ParentId="1" Score="-1" Body="&lt;ol&gt;&lt;li&gt;&lt;pre&gt;y&lt;/pre&gt;" />\n'
    b"</posts>"
)


def _packed() -> bytes:
    written = io.BytesIO()
    with py7zr.SevenZipFile(written, "w") as archive:
        archive.writestr(_XML, "Posts.xml")
    return written.getvalue()


SEEDS = (_XML, _packed())


def one_input(data: bytes) -> None:
    """Anything is read, or refused with UnreadableInputError."""
    try:
        batches = list(read_posts(io.BytesIO(data), report=ReadReport()))
    except UnreadableInputError:
        return
    for thread in threads(pa.Table.from_batches(batches, SCHEMA)):
        assert isinstance(thread, str) or "\0" not in thread.text
