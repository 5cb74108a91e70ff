"""arXiv: each submission's LaTeX as one text, with its macros expanded."""

from typing import ClassVar

from pydantic import Field

from filters import latex
from pipelines import store
from pipelines.documents import ReadReport
from pipelines.readers.arxiv import read_arxiv
from pipelines.readers.tar import tar_ranges
from pipelines.sources.source import Round, Segment, Source
from pipelines.store import FileInfo
from pipelines.tasks import Work
from pipelines.writer import DocumentWriter


class Arxiv(Source):
    """`arXiv_src_YYMM_NNN.tar`; a local one is cut between members into splits of about `split_bytes` bytes."""

    name: ClassVar[str] = "arxiv"
    tokens_per_byte: float = Field(0.02, gt=0)  # figures are most of an archive

    min_characters: int = Field(1, ge=1)
    split_bytes: int = Field(128 << 20, gt=0)

    def ranges(self, file: FileInfo) -> list[tuple[int, int]]:
        if not store.is_local(file.path) or file.size <= self.split_bytes:
            return []
        with store.open_read(file.path) as stream:
            return tar_ranges(stream, self.split_bytes)

    def chain(self) -> tuple[Segment | Round, ...]:
        settings = {"min_characters": self.min_characters}
        return (Segment("clean", f"{__name__}:clean", settings, folders=("text/arxiv", "dropped/arxiv")),)


def clean(work: Work) -> None:
    """One split of an archive: submissions to texts."""
    raw, settings, report = work.task.inputs["raw"], work.settings, ReadReport()
    member_range = None if raw.end is None else (raw.start, raw.end)
    with work.open("raw") as stream, DocumentWriter(work, "arxiv", latex.MEASURED) as writer:
        collection = settings["collection"]
        for batch in read_arxiv(stream, collection=collection, report=report, member_range=member_range):
            writer.write(latex.clean(batch, min_characters=settings["min_characters"]))
    writer.report(report)
