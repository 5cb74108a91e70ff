"""Stack Exchange: questions with their answers, highest score first, from the sites' Posts.xml."""

import re
from collections.abc import Iterator
from typing import ClassVar

import pyarrow as pa
from pydantic import Field

from filters.threads import Thread, threads
from pipelines.buckets import BucketReader, BucketWriter
from pipelines.documents import MAX_DOCUMENT_BYTES, TOO_LARGE, Batcher, ReadReport
from pipelines.readers.stackexchange import POSTS, SCHEMA, posts_bytes, read_posts
from pipelines.sources.source import PIECE, Round, Segment, Source, Split
from pipelines.store import FileInfo
from pipelines.tasks import Input, Work
from pipelines.writer import DocumentWriter, add_report

CUT = "rounds/stackexchange.cut"
BUCKET_BYTES = 64 << 20  # of Posts.xml
GROUP_BYTES = 16 << 20  # of posts that `clean` holds at a time
MOST_PIECES = 500  # files that `cut` has open
XML_TO_STORED = 4  # how much larger Posts.xml is than its .7z
MEASURED = (pa.field("answers", pa.int32()),)


class StackExchange(Source):
    """`<site>.7z`, `<site>-Posts.7z`, or `<site>/Posts.xml`; a site of any size is cut into pieces by its questions."""

    name: ClassVar[str] = "stackexchange"
    tokens_per_byte: float = Field(0.7, gt=0)  # of a .7z, which holds three times its size of text
    min_characters: int = Field(1, ge=1)
    piece_bytes: int = Field(256 << 20, gt=0)  # of Posts.xml

    def splits(self, collection: str, file: FileInfo) -> list[Split]:
        xml_bytes = file.size * (1 if file.path.lower().endswith(".xml") else XML_TO_STORED)
        pieces = min(MOST_PIECES, -(-xml_bytes // self.piece_bytes) or 1)
        return [Split(collection, site_name(file.path), Input(file.path, file.size, file.hint), pieces)]

    def chain(self) -> tuple[Segment | Round, ...]:
        settings, folders = {"min_characters": self.min_characters}, ("text/stackexchange", "dropped/stackexchange")
        return (
            Segment("cut", f"{__name__}:cut", {"piece_bytes": self.piece_bytes}, folders=(CUT,), cuts=True),
            Segment("clean", f"{__name__}:clean", settings, folders=folders),
        )


def site_name(path: str) -> str:
    """The site that a file is of: `beer.stackexchange.com` for `.../beer.stackexchange.com.7z`."""
    folder, _, name = path.rpartition("/")
    if name == POSTS and folder:
        return folder.rpartition("/")[2]
    return re.sub(r"(?i)(-posts)?(\.7z|\.xml)?$", "", name) or name


def cut(work: Work) -> None:
    """A site's posts, each in the bucket of its question: answers can be anywhere in the file."""
    report = ReadReport()
    with work.open("raw") as stream:
        size = posts_bytes(stream)
        pieces = min(MOST_PIECES, -(-size // work.settings["piece_bytes"]) or 1)
        files = [work.output(PIECE, CUT, ".arrow", number) for number in range(pieces)]
        with BucketWriter(files, SCHEMA, "question", max(pieces, -(-size // BUCKET_BYTES))) as writer:
            for batch in read_posts(stream, report=report):
                writer.write(batch)
                work.counts["posts"] += len(batch)
    add_report(work, report)


def clean(work: Work) -> None:
    """The threads of one piece of a site, bucket by bucket."""
    report = ReadReport()
    with DocumentWriter(work, "stackexchange", MEASURED) as writer:
        for batch in _documents(work, report):
            writer.write(batch)
    writer.report(report)


def _documents(work: Work, report: ReadReport) -> Iterator[pa.RecordBatch]:
    """Batches of threads with `MEASURED`; what belongs to no thread is counted in `report`."""
    settings, collection = work.settings, work.settings["collection"]
    site = work.task.key.removeprefix(f"{collection}__").rpartition("@")[0]
    batcher, answers = Batcher("stackexchange"), list[int]()
    reader = BucketReader(work.path("raw"), "question", "bytes")

    def add(thread: Thread, dropped: str | None) -> Iterator[pa.RecordBatch]:
        number = str(thread.question)
        place = {"site": site, "question_id": number, "url": f"https://{site}/questions/{number}"}
        id_ = f"stackexchange/{collection}/{site}/{number}"
        answers.append(thread.answers)
        yield from batcher.add(id_, thread.text, {**thread.metadata, **place}, dropped)

    def measured(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield batch.append_column(MEASURED[0], pa.array(answers[: len(batch)], pa.int32()))
            del answers[: len(batch)]

    for bucket in reader.buckets:
        for posts, oversized in reader.groups(bucket, GROUP_BYTES, MAX_DOCUMENT_BYTES):
            for question in oversized.tolist():
                yield from measured(add(Thread(question, "", 0), TOO_LARGE))
            for thread in threads(posts):
                if isinstance(thread, str):
                    report.count(thread)
                else:
                    short = "too_short" if len(thread.text) < settings["min_characters"] else None
                    yield from measured(add(thread, short if thread.text else "no_text_left"))
    yield from measured(batcher.flush())
