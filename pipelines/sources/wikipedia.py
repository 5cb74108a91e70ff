"""Wikipedia: articles of the paper's 20 languages as plain text, from pages-articles dumps."""

from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from filters import wikitext
from filters.decisions import drop
from pipelines import store
from pipelines.documents import ReadReport
from pipelines.readers.mediawiki import describe_file_name, multistream_ranges, read_dump
from pipelines.sources.source import Round, Segment, Source
from pipelines.store import FileInfo
from pipelines.tasks import Work
from pipelines.writer import DocumentWriter

PAPER_LANGUAGES = ("bg", "ca", "cs", "da", "de", "en", "es", "fr", "hr", "hu",
                   "it", "nl", "pl", "pt", "ro", "ru", "sl", "sr", "sv", "uk")  # fmt: skip


class Wikipedia(Source):
    """`*wiki-*-pages-articles*.xml.bz2`; a multistream dump is cut into splits of about `split_bytes` bytes."""

    name: ClassVar[str] = "wikipedia"
    tokens_per_byte: float = Field(0.3, gt=0)
    languages: tuple[str, ...] = PAPER_LANGUAGES
    min_characters: int = Field(1, ge=1)
    split_bytes: int = Field(64 << 20, gt=0)

    def ranges(self, file: FileInfo) -> list[tuple[int, int]]:
        with store.open_read(file.path) as stream:
            return multistream_ranges(stream, self.split_bytes)

    def chain(self) -> tuple[Segment | Round, ...]:
        settings = {"languages": list(self.languages), "min_characters": self.min_characters}
        return (Segment("clean", f"{__name__}:clean", settings, folders=("text/wikipedia", "dropped/wikipedia")),)


def clean(work: Work) -> None:
    """One split of a dump: wikitext to plain text."""
    raw, settings, report = work.task.inputs["raw"], work.settings, ReadReport()
    wiki, date = describe_file_name(raw.path.rpartition("/")[2])
    stream_range = None if raw.end is None else (raw.start, raw.end)
    with work.open("raw") as stream, DocumentWriter(work, "wikipedia", ()) as writer:
        collection = settings["collection"]
        for batch in read_dump(stream, collection=collection, report=report, wiki=wiki, stream_range=stream_range):
            languages = pc.map_lookup(batch["metadata"], "language", "first")
            work.facts["language"] = languages[0].as_py()  # a dump is of one wiki
            other = pc.invert(pc.is_in(languages, pa.array(settings["languages"])))
            batch = drop(batch, other.to_numpy(zero_copy_only=False), "language")
            writer.write(wikitext.clean(batch, date=date, min_characters=settings["min_characters"]))
    writer.report(report)
