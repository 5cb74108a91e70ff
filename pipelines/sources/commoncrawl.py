"""Common Crawl, cleaned as CCNet does: repeated lines removed, language, perplexity, bucket.

Wenzek et al. 2019, "CCNet: Extracting High Quality Monolingual Datasets from Web Crawl Data" (arXiv 1911.00359).
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from filters import language, lines, perplexity
from filters.decisions import kept
from pipelines.deduplicate import Digest, Keep, read_bitmap
from pipelines.documents import ReadReport
from pipelines.readers.wet import read_wet
from pipelines.sources.source import Round, Scope, Section, Segment, Source
from pipelines.tasks import Work
from pipelines.writer import DocumentWriter

Bucket = Literal["head", "middle", "tail", "all"]

MEASURED = (
    pa.field("lines_kept", pa.int32()),
    pa.field("lines_removed", pa.int32()),
    pa.field("language", pa.string()),
    pa.field("language_score", pa.float32()),
    pa.field("perplexity", pa.float32()),
    pa.field("bucket", pa.string()),
)


class Deduplicate(Section):
    """Repeated lines: between which files they are looked for, and which occurrence stays."""

    scope: Scope = "group"
    keep: Keep = "none"


class Language(Section):
    """Which languages are kept, and from which fastText score on."""

    keep: tuple[str, ...] = ("en",)
    min_score: float = Field(0.5, ge=0, le=1)


class CommonCrawl(Source):
    """WET files: `crawl-data/CC-MAIN-*/segments/*/wet/*.warc.wet.gz`, a collection being one dump."""

    name: ClassVar[str] = "commoncrawl"

    tokens_per_byte: float = Field(0.02, gt=0)
    min_characters: int = Field(300, ge=0)
    deduplicate: Deduplicate = Deduplicate()
    language: Language = Language()
    keep_buckets: tuple[Bucket, ...] = ("head", "middle")

    def chain(self) -> tuple[Segment | Round, ...]:
        shared = {"min_characters": self.min_characters}
        removal = {**shared, "keep": self.deduplicate.keep}
        languages = {"languages": list(self.language.keep), "min_score": self.language.min_score}
        return (
            Segment("digest", f"{__name__}:digest", shared, folders=("rounds/commoncrawl.digest",)),
            Round("lines", "digest", self.deduplicate.scope, {"keep": self.deduplicate.keep}),
            Segment(
                "clean",
                f"{__name__}:clean",
                {**removal, **languages, "keep_buckets": list(self.keep_buckets)},
                folders=("text/commoncrawl", "dropped/commoncrawl"),
                takes=("digest", "lines"),
                models=("language_identification", "perplexity"),
            ),
        )

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
    with DocumentWriter(work, "commoncrawl", MEASURED) as writer:
        for batch in _measured(work, report):
            batch = perplexity.bucket(batch, cutoffs=settings["cutoffs"])
            writer.write(perplexity.keep_buckets(batch, buckets=settings["keep_buckets"]))
    writer.report(report)


def measure(work: Work) -> None:
    """The language and perplexity of a split's pages."""
    batches = [b.filter(pa.array(kept(b))).select(["language", "perplexity"]) for b in _measured(work, ReadReport())]
    schema = pa.schema([f for f in MEASURED if f.name in ("language", "perplexity")])
    pq.write_table(pa.Table.from_batches(batches, schema), work.output("measured", "models/measured", ".parquet"))


def _read(work: Work, report: ReadReport) -> Iterator[pa.RecordBatch]:
    with work.open("raw") as stream:
        settings = work.settings
        yield from read_wet(
            stream, collection=settings["collection"], report=report, min_characters=settings["min_characters"]
        )


def _measured(work: Work, report: ReadReport) -> Iterator[pa.RecordBatch]:
    """Batches without repeated lines and with language and perplexity measured."""
    settings = work.settings
    found = Digest.read(work.path("digest.digest").read_bytes())
    removals = lines.Removals(found.keys, read_bitmap(work.path("lines.bitmap").read_bytes()), settings["keep"])
    identify, scorers = _models(work)
    for batch in _read(work, report):
        keys, offsets = lines.line_keys(batch)
        batch = lines.remove_lines(batch, offsets, removals(keys))
        batch = language.label(batch, model=identify)
        batch = language.keep_languages(batch, languages=settings["languages"], min_score=settings["min_score"])
        yield perplexity.measure(batch, scorers=scorers)


def _models(work: Work) -> tuple[Any, dict[str, perplexity.LanguageScorer]]:
    """The models this task names, loaded once in a child's life."""
    paths = {
        role.removeprefix("model."): str(work.path(role)) for role in work.task.inputs if role.startswith("model.")
    }
    languages = sorted({name.split(".")[1] for name in paths if name.startswith("perplexity.")})
    scorers = {
        code: _scorer(paths[f"perplexity.{code}.sentencepiece"], paths[f"perplexity.{code}.kenlm"])
        for code in languages
    }
    return _identify(paths["language_identification"]), scorers


_identify = lru_cache(maxsize=1)(language.load_language_model)
_scorer = lru_cache(maxsize=None)(perplexity.load_language_scorer)
