"""C4: as published, or made again from Common Crawl's WET files by its rules.

Raffel et al. 2020, "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer" (arXiv
1910.10683).
"""

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, field_serializer, field_validator

from filters import c4, duplicates
from filters.decisions import set_column
from filters.lines import Removals
from pipelines import store
from pipelines.deduplicate import Digest, read_bitmap
from pipelines.documents import ReadReport
from pipelines.readers.c4 import read_c4
from pipelines.readers.wet import read_wet
from pipelines.sources.source import Round, Scope, Segment, Source
from pipelines.spool import Spool, read_spool
from pipelines.tasks import Work
from pipelines.writer import DocumentWriter

MEASURED = (*c4.COUNTED, c4.REPEATED, *c4.LANGUAGE)


class C4(Source):
    """`en/c4-train.*.json.gz` with mode `published`: rows pass through; WET files with mode `from_wet`.

    `bad_words` is a file with a word or phrase a line; without one that rule is left out, and the manifest says so.
    """

    name: ClassVar[str] = "c4"
    tokens_per_byte: float = Field(0.6, gt=0)  # of published rows in gzip

    mode: Literal["published", "from_wet"] = "published"
    scope: Scope = "all"  # within which addresses and lines are compared
    max_page_characters: int = Field(c4.MAX_PAGE_CHARACTERS, gt=0)
    max_word_characters: int = Field(c4.MAX_WORD_CHARACTERS, gt=0)
    min_words: int = Field(c4.MIN_WORDS, ge=0)
    min_sentences: int = Field(c4.MIN_SENTENCES, ge=0)
    min_language_score: float = Field(c4.MIN_LANGUAGE_SCORE, ge=0, le=1)
    bad_words: str | tuple[str, ...] | None = None

    @field_validator("bad_words")
    @classmethod
    def _read_words(cls, value: str | tuple[str, ...] | None) -> tuple[str, ...] | None:
        if not isinstance(value, str):
            return value
        try:
            words = store.read_bytes(store.absolute(value)).decode().splitlines()
        except (OSError, UnicodeDecodeError):
            raise ValueError("a file with a word a line, in UTF-8, that can be read") from None
        return tuple(sorted({word.strip() for word in words} - {""}))

    @field_serializer("bad_words")
    def _describe_words(self, value: tuple[str, ...] | None) -> str:
        if value is None:
            return "left out"
        return f"{len(value)} words, sha256 {hashlib.sha256(chr(10).join(value).encode()).hexdigest()}"

    def chain(self) -> tuple[Segment | Round, ...]:
        ends = ("text/c4", "dropped/c4")
        if self.mode == "published":
            return (Segment("clean", f"{__name__}:published", {}, folders=ends),)
        rules = {
            "max_page_characters": self.max_page_characters,
            "max_word_characters": self.max_word_characters,
            "min_words": self.min_words,
            "min_sentences": self.min_sentences,
            "bad_words": None if self.bad_words is None else list(self.bad_words),
        }
        last = {"min_sentences": self.min_sentences, "min_language_score": self.min_language_score}
        keep = {"keep": "first"}
        return (
            Segment("addresses", f"{__name__}:addresses", {}, folders=("rounds/c4.addresses",)),
            Round("urls", "addresses", self.scope, keep),
            Segment("pages", f"{__name__}:pages", rules, folders=("rounds/c4.pages",), takes=("addresses", "urls")),
            Round("lines", "pages", self.scope, keep),
            Segment("clean", f"{__name__}:clean", last, folders=ends, takes=("pages", "lines"), reads_raw=False),
        )


def published(work: Work) -> None:
    """Published rows as they are."""
    report = ReadReport()
    with work.open("raw") as stream, DocumentWriter(work, "c4", ()) as writer:
        for batch in read_c4(stream, collection=work.settings["collection"], report=report):
            writer.write(batch)
    writer.report(report)


def addresses(work: Work) -> None:
    """The keys of a split's addresses, for the round that keeps one page of each."""
    keys = [c4.url_keys(batch) for batch in _read(work, ReadReport())]
    _digest(work, keys, "rounds/c4.addresses")


def pages(work: Work) -> None:
    """A split's pages by the rules for lines and pages, and the keys of the lines that are left."""
    settings, report = work.settings, ReadReport()
    removals = _removals(work, "addresses.digest", "urls.bitmap")
    words = None if settings["bad_words"] is None else _bad_words(tuple(settings["bad_words"]))
    keys = []
    with Spool(work, "rounds/c4.pages", c4.COUNTED) as spool:
        for batch in _read(work, report):
            batch = duplicates.drop_kept(batch, removals(c4.url_keys(batch)), "repeated_url")
            batch = c4.clean_pages(
                c4.keep_pages(batch, max_characters=settings["max_page_characters"]),
                bad_words=words,
                min_words=settings["min_words"],
                min_sentences=settings["min_sentences"],
                max_word_characters=settings["max_word_characters"],
            )
            keys.append(c4.line_keys(batch)[0])
            spool.write(batch)
        spool.report(report)
    _digest(work, keys, "rounds/c4.pages")


def clean(work: Work) -> None:
    """A split's pages without lines that an earlier page has, if they still have sentences, and are English."""
    settings, report = work.settings, ReadReport()
    removals = _removals(work, "pages.digest", "lines.bitmap")
    detector = c4.load_language_detector()
    with DocumentWriter(work, "c4", MEASURED) as writer:
        for batch in read_spool(work.path("pages.documents"), report):
            keys, offsets = c4.line_keys(batch)
            batch = c4.remove_lines(batch, offsets, removals(keys))
            batch = c4.keep_sentences(batch, min_sentences=settings["min_sentences"])
            writer.write(c4.keep_english(batch, detector=detector, min_score=settings["min_language_score"]))
    writer.report(report)


def _digest(work: Work, keys: list[duplicates.Keys], folder: str) -> None:
    Digest.of(np.concatenate([*keys, np.empty(0, np.uint64)])).write(work.output("digest", folder, ".arrow"))


def _removals(work: Work, digest: str, bitmap: str) -> Removals:
    found = Digest.read(work.path(digest).read_bytes())
    return Removals(found.keys, read_bitmap(work.path(bitmap).read_bytes()), "first")


_bad_words = lru_cache(maxsize=1)(c4.BadWords)


def _read(work: Work, report: ReadReport) -> Iterator[pa.RecordBatch]:
    """A WET file's pages under this source's name, their titles among their lines: C4 knows no titles."""
    with work.open("raw") as stream:
        for batch in read_wet(stream, collection=work.settings["collection"], report=report, min_characters=0):
            titles = pc.fill_null(pc.map_lookup(batch["metadata"], "title", "first"), "")
            batch = set_column(batch, "text", pc.binary_join_element_wise(titles, batch["text"], "\n"))
            ids = pc.replace_substring(batch["id"], "commoncrawl/", "c4/", max_replacements=1)
            batch = set_column(batch, "id", ids)
            yield set_column(batch, "source", pa.array(["c4"] * len(batch), pa.string()))
