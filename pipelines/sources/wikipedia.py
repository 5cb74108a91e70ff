"""Wikipedia: articles of the paper's 20 languages as plain text, from pages-articles dumps."""

import gzip
from dataclasses import replace
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from filters import wikitext
from filters.decisions import drop
from pipelines import store
from pipelines.documents import ReadReport
from pipelines.readers.mediawiki import cut_dump, describe_file_name, page_ranges, read_dump
from pipelines.sources.source import PIECE, Round, Segment, Source, Split
from pipelines.store import FileInfo
from pipelines.tasks import Work
from pipelines.writer import DocumentWriter, add_report

PAPER_LANGUAGES = ("bg", "ca", "cs", "da", "de", "en", "es", "fr", "hr", "hu",
                   "it", "nl", "pl", "pt", "ro", "ru", "sl", "sr", "sv", "uk")  # fmt: skip
CUT = "rounds/wikipedia.cut"
XML_TO_STORED = 4  # how much larger wikitext's XML is than its bz2


class Wikipedia(Source):
    """`*wiki-*-pages-articles*.xml.bz2`, also `.7z`, `.gz` or plain.

    Multistream dumps and plain XML are cut into splits at their pages; any other file of more than `split_bytes` is
    first streamed once, into pieces.
    """

    name: ClassVar[str] = "wikipedia"
    tokens_per_byte: float = Field(0.3, gt=0)
    languages: tuple[str, ...] = PAPER_LANGUAGES
    min_characters: int = Field(1, ge=1)
    split_bytes: int = Field(64 << 20, gt=0)  # of a compressed dump; four times as many of XML

    def ranges(self, file: FileInfo) -> list[tuple[int, int]]:
        with store.open_read(file.path) as stream:
            return page_ranges(stream, self.split_bytes, XML_TO_STORED * self.split_bytes)

    def splits(self, collection: str, file: FileInfo) -> list[Split]:
        splits = super().splits(collection, file)
        if len(splits) > 1 or file.size <= self.split_bytes:
            return splits
        return [replace(splits[0], pieces=-(-file.size // self.split_bytes))]

    def chain(self) -> tuple[Segment | Round, ...]:
        settings = {"languages": list(self.languages), "min_characters": self.min_characters}
        size = {"piece_bytes": XML_TO_STORED * self.split_bytes}
        return (
            Segment("cut", f"{__name__}:cut", size, folders=(CUT,), cuts=True),
            Segment("clean", f"{__name__}:clean", settings, folders=("text/wikipedia", "dropped/wikipedia")),
        )


def cut(work: Work) -> None:
    """A dump that can be read from its start only, as dumps of some of its pages each."""
    report = ReadReport()
    with work.open("raw") as stream:
        for number, chunks in enumerate(cut_dump(stream, work.settings["piece_bytes"], report=report)):
            with (
                work.output(PIECE, CUT, ".xml.gz", number).open("wb") as file,
                gzip.GzipFile(
                    "", "wb", compresslevel=1, fileobj=file, mtime=0
                ) as piece,  # no name or time in its bytes
            ):
                piece.writelines(chunks)
    add_report(work, report)


def clean(work: Work) -> None:
    """One split of a dump: wikitext to plain text."""
    raw, settings, report = work.task.inputs["raw"], work.settings, ReadReport()
    collection = settings["collection"]
    wiki, date = describe_file_name(work.task.key.removeprefix(f"{collection}__"))
    stream_range = None if raw.end is None else (raw.start, raw.end)
    with work.open("raw") as stream, DocumentWriter(work, "wikipedia", ()) as writer:
        for batch in read_dump(stream, collection=collection, report=report, wiki=wiki, stream_range=stream_range):
            languages = pc.map_lookup(batch["metadata"], "language", "first")
            work.facts["language"] = languages[0].as_py()  # a dump is of one wiki
            other = pc.invert(pc.is_in(languages, pa.array(settings["languages"])))
            batch = drop(batch, other.to_numpy(zero_copy_only=False), "language")
            writer.write(wikitext.clean(batch, date=date, min_characters=settings["min_characters"]))
    writer.report(report)
