"""Wikitext."""

import datetime
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from filters import wikitext
from pipelines.documents import Batcher, ReadReport
from pipelines.readers.mediawiki import read_dump

MAX_BYTES = 1 << 13

_PAGES = (
    "'''Alpha''' is {{convert|12|km|mi|abbr=on}} from [[Beta (town)|Beta]].<ref name=x>{{cite web|url=a}}</ref>\n"
    "== History ==\n* one\n** two\n",
    "{| class=wikitable\n|-\n! a !! b\n|-\n| {{formatnum:1234.5}} || [[File:x.jpg|thumb|''cap'' [[y]]]]\n|}\n"
    "<!-- c --><nowiki>[[z]]</nowiki>",
    "{{Infobox|a={{lang|fr|été}}|b={{nowrap|1 {{nowrap|2}}}}}}\n<math>x^2</math> <gallery>\nA.jpg|b\n</gallery>\n"
    "{{birth date|1980|2|3}} &nbsp; {{{1|}}}",
)


WORDS = (
    b"{{", b"}}", b"{{{", b"}}}", b"[[", b"]]", b"{|", b"|}", b"|-", b"||", b"!!", b"<ref>", b"</ref>", b"<ref a/>",
    b"<nowiki>", b"</nowiki>", b"<math>", b"</math>", b"<!--", b"-->", b"{{#if:", b"{{#switch:", b"{{#expr:",
    b"{{convert|", b"{{lang|", b"-{", b"}-", b"''", b"'''", b"==", b"<table>", b"<td>", b"</table>", b"__NOTOC__",
    b"[http://a.example ", b"{{formatnum:", b"{{nihongo|", b"<gallery>", b"</gallery>", b"\n* ", b"\n# ", b"&nbsp;",
)  # fmt: skip


def seeds() -> Iterator[bytes]:
    """Articles with templates, tables, links and references."""
    yield from (page.encode() for page in _PAGES)


def real(folder: Path) -> Iterator[bytes]:
    """Where real articles begin, in many languages."""
    for path in sorted(folder.glob("wikipedia/*wiki*.bz2")):
        with path.open("rb") as stream:
            batches = read_dump(stream, collection="c", report=ReadReport())
            yield from (text[:2_500].encode() for text in next(batches)["text"].to_pylist()[:3])


def one_input(data: bytes) -> None:
    """Any text gives a text."""
    text = data.decode(errors="replace")
    metadata = {"title": "T", "language": "en", "url": "https://en.wikipedia.org/wiki/T"}
    batcher = Batcher("wikipedia")
    for batch in [*batcher.add("wikipedia/c/enwiki/1", text, metadata), *batcher.flush()]:
        cleaned: pa.RecordBatch = wikitext.clean(batch, date=datetime.date(2022, 8, 1), min_characters=1)
        cleaned.validate(full=True)
