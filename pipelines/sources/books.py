"""Books: Project Gutenberg's and others', one edition of each."""

from collections.abc import Iterator
from typing import ClassVar

import pyarrow as pa
from pydantic import Field

from filters import books
from filters.decisions import drop, kept, set_column
from filters.nearduplicates import shingles
from pipelines import store
from pipelines.documents import SCHEMA, ReadReport
from pipelines.readers.books import is_plain_tar, read_books
from pipelines.readers.tar import tar_ranges
from pipelines.signatures import SignatureWriter, read_verdicts
from pipelines.sources.source import Round, Scope, Section, Segment, Source
from pipelines.store import FileInfo
from pipelines.tasks import Work
from pipelines.writer import DocumentWriter

NEAR_DUPLICATE = "near_duplicate"


class Deduplicate(Section):
    """When two books are one: the share of the smaller one's 5-word shingles that the other holds, and how many times
    as long the other may be, so that a collection does not swallow the story that it holds.
    """

    scope: Scope = "all"
    share: float = Field(0.9, gt=0, lt=1)
    times: float = Field(3.0, ge=1)


class Books(Source):
    """`.txt` files, plain or gzip, or tars of them; a plain tar is cut into splits of about `split_bytes` bytes."""

    name: ClassVar[str] = "books"
    tokens_per_byte: float = Field(0.3, gt=0)

    min_characters: int = Field(1, ge=1)
    deduplicate: Deduplicate = Deduplicate()
    split_bytes: int = Field(64 << 20, gt=0)

    def ranges(self, file: FileInfo) -> list[tuple[int, int]]:
        if not store.is_local(file.path) or file.size <= self.split_bytes:
            return []
        with store.open_read(file.path) as stream:
            return tar_ranges(stream, self.split_bytes) if is_plain_tar(stream) else []

    def chain(self) -> tuple[Segment | Round, ...]:
        settings = {"min_characters": self.min_characters}
        same = {"share": self.deduplicate.share, "times": self.deduplicate.times}
        job = "pipelines.nearduplicates:chain"
        return (
            Segment("digest", f"{__name__}:digest", settings, folders=("rounds/books.digest",)),
            Round("editions", "digest", self.deduplicate.scope, same, job=job, body=job),
            Segment(
                "clean",
                f"{__name__}:clean",
                settings,
                folders=("text/books", "dropped/books"),
                takes=("editions",),
            ),
        )


def digest(work: Work) -> None:
    """The shingles and the signature of every book of a split, for the round that finds editions of one work."""
    paths = [work.output(role, "rounds/books.digest", f".{role}.arrow") for role in ("signatures", "shingles")]
    with SignatureWriter(*paths) as writer:
        for batch in _cleaned(work, ReadReport()):
            columns = zip(batch["id"].to_pylist(), batch["text"].to_pylist(), kept(batch), strict=True)
            for id_, text, stays in columns:
                writer.write(id_, len(text), shingles(text if stays else ""))


def clean(work: Work) -> None:
    """A split's books without Gutenberg's frame, apart from those of which a longer edition is kept."""
    report, verdicts, place = ReadReport(), read_verdicts(work.path("editions.verdicts")), 0
    with DocumentWriter(work, "books", ()) as writer:
        for batch in _cleaned(work, report):
            writer.write(_keep_one(batch, verdicts[place : place + len(batch)]))
            place += len(batch)
    if place != len(verdicts):
        raise ValueError("the books of the split are not those its verdicts were made of")
    writer.report(report)


def _cleaned(work: Work, report: ReadReport) -> Iterator[pa.RecordBatch]:
    raw, settings = work.task.inputs["raw"], work.settings
    with work.open("raw") as stream:
        batches = read_books(
            stream,
            collection=settings["collection"],
            name=raw.path.rpartition("/")[2],
            report=report,
            member_range=None if raw.end is None else (raw.start, raw.end),
        )
        for batch in batches:
            yield books.clean(batch, min_characters=settings["min_characters"])


def _keep_one(batch: pa.RecordBatch, kept_instead: list[str | None]) -> pa.RecordBatch:
    """Drop the books for which another one stays, and say in their metadata which."""
    metadata = [
        sorted([*pairs, ("duplicate_of", other)]) if other else pairs
        for pairs, other in zip(batch["metadata"].to_pylist(), kept_instead, strict=True)
    ]
    batch = set_column(batch, "metadata", pa.array(metadata, SCHEMA.field("metadata").type))
    return drop(batch, pa.array(kept_instead).is_valid().to_numpy(zero_copy_only=False), NEAR_DUPLICATE)
