"""Common Crawl, cleaned as CCNet does: repeated lines removed, language, perplexity, bucket; each step can be left out.

Wenzek et al. 2019, "CCNet: Extracting High Quality Monolingual Datasets from Web Crawl Data" (arXiv 1911.00359).
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field, field_validator

from filters import language, lines, perplexity
from filters.decisions import kept
from pipelines.deduplicate import Digest, Keep, read_bitmap
from pipelines.documents import ReadReport
from pipelines.readers.warc import read_crawl
from pipelines.sources.source import Round, Scope, Section, Segment, Source
from pipelines.tasks import Work
from pipelines.writer import DocumentWriter

Bucket = Literal["head", "middle", "tail", "all"]

LINES = (pa.field("lines_kept", pa.int32()), pa.field("lines_removed", pa.int32()))
LANGUAGE = (pa.field("language", pa.string()), pa.field("language_score", pa.float32()))
PERPLEXITY = (pa.field("perplexity", pa.float32()), pa.field("bucket", pa.string()))


class Deduplicate(Section):
    """Repeated lines: between which files they are looked for, and which occurrence stays."""

    scope: Scope = "group"
    keep: Keep = "none"


class Language(Section):
    """Which languages are kept, and from which fastText score on."""

    keep: tuple[str, ...] = ("en",)
    min_score: float = Field(0.5, ge=0, le=1)


class CommonCrawl(Source):
    """WET or WARC files, a collection being one dump: `crawl-data/CC-MAIN-*/segments/*/wet/*.warc.wet.gz`.

    `deduplicate`, `language` and `perplexity` may be false: what such a step needs is then neither made nor asked for.
    """

    name: ClassVar[str] = "commoncrawl"

    tokens_per_byte: float = Field(0.02, gt=0)
    min_characters: int = Field(300, ge=0)
    deduplicate: Deduplicate | None = Deduplicate()
    language: Language | None = Language()  # None: every language is kept
    perplexity: bool = True
    keep_buckets: tuple[Bucket, ...] = ("head", "middle")  # of perplexity

    @field_validator("deduplicate", "language", mode="before")
    @classmethod
    def _switch_section(cls, value: object) -> object:
        if isinstance(value, bool):
            return {} if value else None
        if value is not None and not isinstance(value, dict | Section):
            raise ValueError("a section of settings is wanted, or false to leave this step out")
        return value

    @field_validator("perplexity", mode="before")
    @classmethod
    def _switch(cls, value: object) -> object:
        if value is not None and not isinstance(value, bool):
            raise ValueError("true is wanted, or false to leave this step out (buckets are `keep_buckets`)")
        return value is True

    def chain(self) -> tuple[Segment | Round, ...]:
        read = {"min_characters": self.min_characters}
        rules: dict[str, Any] = dict(read)
        before: tuple[Segment | Round, ...] = ()
        if self.deduplicate:
            keep = {"keep": self.deduplicate.keep}
            before = (
                Segment("digest", f"{__name__}:digest", read, folders=("rounds/commoncrawl.digest",)),
                Round("lines", "digest", self.deduplicate.scope, keep),
            )
            rules |= keep
        if self.language:
            rules |= {"languages": list(self.language.keep), "min_score": self.language.min_score}
        if self.perplexity:
            rules |= {"keep_buckets": list(self.keep_buckets)}
        models = ("language_identification", "perplexity") if self.perplexity else ("language_identification",)
        clean = Segment(
            "clean",
            f"{__name__}:clean",
            rules,
            folders=("text/commoncrawl", "dropped/commoncrawl"),
            takes=tuple(link.name for link in before),
            models=models if self.language or self.perplexity else (),
        )
        return (*before, clean)

    def measure(self) -> Segment:
        """What `models` measures cut-offs on: the perplexities of pages as `clean` sees them, before any is dropped for
        it.
        """
        clean = self.chain()[-1]
        assert isinstance(clean, Segment)
        return replace(clean, name="measure", body=f"{__name__}:measure", folders=("models/measured",))


def digest(work: Work) -> None:
    """The keys of all lines of a split, for the round that finds the repeated ones."""
    keys = [lines.line_keys(batch)[0] for batch in _read(work, ReadReport())]
    Digest.of(np.concatenate([*keys, np.empty(0, np.uint64)])).write(
        work.output("digest", "rounds/commoncrawl.digest", ".arrow")
    )


def clean(work: Work) -> None:
    """A split's pages without repeated lines, in the languages and perplexity buckets that are kept."""
    report, settings = ReadReport(), work.settings
    with DocumentWriter(work, "commoncrawl", _columns(settings)) as writer:
        for batch in _measured(work, report):
            if "keep_buckets" in settings:
                batch = perplexity.bucket(batch, cutoffs=settings["cutoffs"])
                batch = perplexity.keep_buckets(batch, buckets=settings["keep_buckets"])
            writer.write(batch)
    writer.report(report)


def measure(work: Work) -> None:
    """The language and perplexity of a split's pages."""
    batches = [b.filter(pa.array(kept(b))).select(["language", "perplexity"]) for b in _measured(work, ReadReport())]
    schema = pa.schema([*LANGUAGE[:1], *PERPLEXITY[:1]])
    pq.write_table(pa.Table.from_batches(batches, schema), work.output("measured", "models/measured", ".parquet"))


def _columns(settings: Mapping[str, Any]) -> list[pa.Field]:
    """What the steps of these settings measure."""
    columns = [*LINES] if "keep" in settings else []
    if "languages" in settings or "keep_buckets" in settings:
        columns += LANGUAGE
    return [*columns, *PERPLEXITY] if "keep_buckets" in settings else columns


def _read(work: Work, report: ReadReport) -> Iterator[pa.RecordBatch]:
    with work.open("raw") as stream:
        settings = work.settings
        yield from read_crawl(
            stream, collection=settings["collection"], report=report, min_characters=settings["min_characters"]
        )


def _measured(work: Work, report: ReadReport) -> Iterator[pa.RecordBatch]:
    """Batches without repeated lines and with language and perplexity measured, as far as the settings want it."""
    settings = work.settings
    removals = _removals(work) if "keep" in settings else None
    identify, scorers = _models(work)
    for batch in _read(work, report):
        if removals:
            keys, offsets = lines.line_keys(batch)
            batch = lines.remove_lines(batch, offsets, removals(keys))
        if identify:
            batch = language.label(batch, model=identify)
        if "languages" in settings:
            batch = language.keep_languages(batch, languages=settings["languages"], min_score=settings["min_score"])
        if "keep_buckets" in settings:
            batch = perplexity.measure(batch, scorers=scorers)
        yield batch


def _removals(work: Work) -> lines.Removals:
    found = Digest.read(work.path("digest.digest").read_bytes())
    return lines.Removals(found.keys, read_bitmap(work.path("lines.bitmap").read_bytes()), work.settings["keep"])


def _models(work: Work) -> tuple[language.LanguageModel | None, dict[str, perplexity.LanguageScorer]]:
    """The models this task names, loaded once in a child's life."""
    paths = {
        role.removeprefix("model."): str(work.path(role)) for role in work.task.inputs if role.startswith("model.")
    }
    languages = sorted({name.split(".")[1] for name in paths if name.startswith("perplexity.")})
    scorers = {
        code: _scorer(paths[f"perplexity.{code}.sentencepiece"], paths[f"perplexity.{code}.kenlm"])
        for code in languages
    }
    identification = paths.get("language_identification")
    return _identify(identification) if identification else None, scorers


_identify = lru_cache(maxsize=1)(language.load_language_model)
_scorer = lru_cache(maxsize=None)(perplexity.load_language_scorer)
