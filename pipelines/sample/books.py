"""Books as Project Gutenberg lays them out, through the years: our essays in two editions, and a book in German.

What stands in the frames is ours as well: a frame says what it is there for, and nothing of Gutenberg's is copied.
"""

import textwrap
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pipelines.sample.archives import gzipped, tar
from pipelines.sample.markup import Kind, plain
from pipelines.sample.packages import Module

_WIDTH, _NARROW = 72, 60
_CODE = "    "


class Chapter(NamedTuple):
    """A title and its paragraphs."""

    title: str
    paragraphs: Sequence[str]


def shelf(english: Sequence[Chapter], german: Sequence[Chapter], manual: Sequence[Chapter]) -> dict[str, bytes]:
    """Files by name. Of the English book there are two editions: an old one, which lacks the last chapter, in narrow
    lines and CP1252, and the one that is kept.
    """
    return {
        "pg90001.txt": _framed(90001, "Salt and Wind", "English", _text(english, _WIDTH)).encode(),
        "saltw10.txt": _small_print(9001, "Salt and Wind", _text(english[:-1], _NARROW)).encode("cp1252"),
        "pg90002-8.txt.gz": gzipped(_framed(90002, "Salz und Wind", "German", _text(german, _WIDTH)).encode("cp1252")),
        "pg90003.txt": _framed(90003, "A Book of Nothing", "English", "").encode(),
        "plain.tar": tar(
            {
                "plain/manual.txt": _text(manual, _WIDTH).encode(),
                "plain/picture.txt": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR: a picture under a text's name",
                "plain/catalogue.csv": b"title,author\n",
            }
        ),
    }


def reference(topics: Iterable[Module]) -> list[Chapter]:
    """Documentation as the chapters of a book; code is set in."""
    return [
        Chapter(
            topic.name,
            [textwrap.indent(text, _CODE) if kind is Kind.CODE else plain(text) for kind, text in topic.lead],
        )
        for topic in topics
    ]


def _text(chapters: Iterable[Chapter], width: int) -> str:
    pages = []
    for title, paragraphs in chapters:
        pages.append("\n\n".join([title.upper(), *(_set(paragraph, width) for paragraph in paragraphs)]))
    return "\n\n\n\n".join(pages)


def _set(paragraph: str, width: int) -> str:
    return paragraph if paragraph.startswith(_CODE) else textwrap.fill(paragraph, width)


def _framed(number: int, title: str, language: str, text: str) -> str:
    """The frame of the last years."""
    lines = f"""\
The Project Gutenberg eBook of {title}

This file is laid out as Project Gutenberg lays out its eBooks, so that
there is a frame to take off. It is a sample, and none of theirs.

Title: {title}

Author: Altiplano

Release date: August 1, 2022 [eBook #{number}]

Language: {language}

*** START OF THE PROJECT GUTENBERG EBOOK {title.upper()} ***

Produced by the build of Altiplano's sample


{text}


*** END OF THE PROJECT GUTENBERG EBOOK {title.upper()} ***

Behind this line real files have their licence, for some three hundred
lines. Whatever takes the frame off takes these two off as well.
"""
    return lines.replace("\n", "\r\n")


def _small_print(number: int, title: str, text: str) -> str:
    """The frame of the nineties, whose licence came first."""
    lines = f"""\
The Project Gutenberg Etext of {title}, by Altiplano

This file is laid out as Project Gutenberg laid out its etexts around
1996. It is a sample, and none of theirs.

{title}

August, 1996  [Etext #{number}]

*START*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS**START***
Here real files explained at length what might be done with them.
*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*


{text}


End of the Project Gutenberg Etext of {title}
"""
    return lines.replace("\n", "\r\n")
