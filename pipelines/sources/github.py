"""GitHub: code under licences that allow it, from BigQuery's export or from checkouts; each file once."""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from filters import code, duplicates, licenses
from filters.decisions import drop
from filters.lines import Removals
from pipelines.deduplicate import Digest, read_bitmap
from pipelines.documents import ReadReport
from pipelines.readers.github import read_github
from pipelines.sources.source import Round, Scope, Section, Segment, Source
from pipelines.spool import Spool, read_spool
from pipelines.tasks import Work
from pipelines.writer import DocumentWriter

MEASURED = (*code.MEASURED, pa.field("header_removed", pa.int32()))


class Quality(Section):
    """What a file must look like to be taken for code that somebody wrote; in characters."""

    max_line: int = Field(1000, ge=1)
    max_mean_line: float = Field(100, gt=0)
    min_alphanumeric: float = Field(0.25, ge=0, le=1)
    min_letters_per_token: float = Field(1.5, ge=0)


class GitHub(Source):
    """Export files (`*.json.gz`, `*.parquet`), tars of checkouts, or folders of them; a repository is a folder."""

    name: ClassVar[str] = "github"
    takes_folders: ClassVar[bool] = True
    tokens_per_byte: float = Field(0.9, gt=0)  # of an export in gzip

    licenses: tuple[str, ...] = licenses.KEPT  # patterns of GitHub's keys
    not_languages: tuple[str, ...] = code.NOT_LANGUAGES  # of those that Pygments knows
    vendored: bool = False  # whether code that others wrote is kept
    generated: bool = False
    quality: Quality = Quality()
    scope: Scope = "all"  # within which copies of a file are looked for

    def chain(self) -> tuple[Segment | Round, ...]:
        names = {
            "licenses": list(self.licenses),
            "not_languages": list(self.not_languages),
            "vendored": self.vendored,
            "generated": self.generated,
        }
        keep = {"keep": "first"}
        return (
            Segment("digest", f"{__name__}:digest", names, folders=("rounds/github.digest",)),
            Round("files", "digest", self.scope, keep),
            Segment(
                "clean",
                f"{__name__}:clean",
                {**names, **self.quality.model_dump()},
                folders=("rounds/github.clean",),
                takes=("digest", "files"),
            ),
            Round("cleaned", "clean", self.scope, keep),
            Segment(
                "select",
                f"{__name__}:select",
                {},
                folders=("text/github", "dropped/github"),
                takes=("clean", "cleaned"),
                reads_raw=False,
            ),
        )


def digest(work: Work) -> None:
    """The content's key of every file that its licence, name and path let through."""
    keys = [duplicates.document_keys(batch) for batch in _read(work, ReadReport())]
    Digest.of(np.concatenate([*keys, np.empty(0, np.uint64)])).write(
        work.output("digest", "rounds/github.digest", ".arrow")
    )


def clean(work: Work) -> None:
    """A split's files, each content once, that look like code, without their licence headers."""
    settings, report = work.settings, ReadReport()
    removals = _removals(work, "digest.digest", "files.bitmap")
    keys = [np.empty(0, np.uint64)]
    with Spool(work, "rounds/github.clean", MEASURED) as spool:
        for batch in _read(work, report):
            batch = duplicates.drop_kept(batch, removals(duplicates.document_keys(batch)), "duplicate")
            if not settings["generated"]:
                batch = code.drop_generated(batch)
            batch = code.keep_code(
                code.measure(batch),
                max_line=settings["max_line"],
                max_mean_line=settings["max_mean_line"],
                min_alphanumeric=settings["min_alphanumeric"],
                min_letters_per_token=settings["min_letters_per_token"],
            )
            batch = licenses.remove_headers(batch)
            blank = pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(batch["text"])), 0)
            batch = drop(batch, blank.to_numpy(zero_copy_only=False), "no_text_left")
            keys.append(duplicates.document_keys(batch))
            spool.write(batch)
        spool.report(report)
    Digest.of(np.concatenate(keys)).write(work.output("digest", "rounds/github.clean", ".arrow"))


def select(work: Work) -> None:
    """A split's files without those that only their headers told apart."""
    report = ReadReport()
    removals = _removals(work, "clean.digest", "cleaned.bitmap")
    with DocumentWriter(work, "github", MEASURED) as writer:
        for batch in read_spool(work.path("clean.documents"), report):
            writer.write(duplicates.drop_kept(batch, removals(duplicates.document_keys(batch)), "duplicate_cleaned"))
    writer.report(report)


def _removals(work: Work, digest_: str, bitmap: str) -> Removals:
    found = Digest.read(work.path(digest_).read_bytes())
    return Removals(found.keys, read_bitmap(work.path(bitmap).read_bytes()), "first")


def _read(work: Work, report: ReadReport) -> Iterator[pa.RecordBatch]:
    """A split's files after the rules that need no more than a file's repository and path."""
    settings = work.settings
    for batch in read_github(work.path("raw"), collection=settings["collection"], report=report):
        batch = licenses.keep_licenses(batch, licenses=settings["licenses"])
        batch = code.keep_languages(batch, not_languages=settings["not_languages"])
        batch = code.drop_by_path(batch, vendored=not settings["vendored"], generated=not settings["generated"])
        yield batch
