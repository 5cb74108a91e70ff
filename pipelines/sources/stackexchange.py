"""Stack Exchange: questions with their answers, highest score first, from the sites' Posts.xml."""

import json
import re
from collections.abc import Iterator
from typing import ClassVar

import pyarrow as pa
from pydantic import Field

from filters.threads import Thread, threads
from pipelines.buckets import BucketReader, BucketWriter
from pipelines.documents import MAX_DOCUMENT_BYTES, TOO_LARGE, Batcher, ReadReport
from pipelines.readers.stackexchange import POSTS, SCHEMA, posts_bytes, read_posts
from pipelines.sources.source import Round, Segment, Source, Split
from pipelines.store import FileInfo
from pipelines.tasks import Input, Work
from pipelines.writer import DocumentWriter

CUT = "rounds/stackexchange.cut"
GROUP_BYTES = 16 << 20  # of posts that `clean` holds at a time
MEASURED = (pa.field("answers", pa.int32()),)


class StackExchange(Source):
    """`<site>.7z`, `<site>-Posts.7z`, or `<site>/Posts.xml`; a site of any size is cut into buckets of questions."""

    name: ClassVar[str] = "stackexchange"
    tokens_per_byte: float = Field(0.7, gt=0)  # of a .7z, which holds three times its size of text
    min_characters: int = Field(1, ge=1)
    bucket_bytes: int = Field(64 << 20, gt=0)  # of Posts.xml

    def splits(self, collection: str, file: FileInfo) -> list[Split]:
        return [Split(collection, site_name(file.path), Input(file.path, file.size, file.hint))]

    def chain(self) -> tuple[Segment | Round, ...]:
        return (
            Segment("cut", f"{__name__}:cut", {"bucket_bytes": self.bucket_bytes}, folders=(CUT,)),
            Segment(
                "clean",
                f"{__name__}:clean",
                {"min_characters": self.min_characters},
                folders=("text/stackexchange", "dropped/stackexchange"),
                takes=("cut",),
                reads_raw=False,
            ),
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
    posts, index = work.output("posts", CUT, ".arrow"), work.output("index", CUT, ".npy")
    with work.open("raw") as stream:
        number = -(-posts_bytes(stream) // work.settings["bucket_bytes"])
        with BucketWriter(posts, index, SCHEMA, "question", max(1, number)) as writer:
            for batch in read_posts(stream, report=report):
                writer.write(batch)
                work.counts["posts"] += len(batch)
    # `clean` reports what was met here: it is the segment that people look at.
    met = {"counts": report.counts, "truncated": report.truncated}
    work.output("report", CUT, ".json").write_text(json.dumps(met, sort_keys=True))


def clean(work: Work) -> None:
    """A site's threads, bucket by bucket."""
    met = json.loads(work.path("cut.report").read_bytes())
    report = ReadReport(truncated=met["truncated"])
    report.counts.update(met["counts"])
    with DocumentWriter(work, "stackexchange", MEASURED) as writer:
        for batch in _documents(work, report):
            writer.write(batch)
    writer.report(report)


def _documents(work: Work, report: ReadReport) -> Iterator[pa.RecordBatch]:
    """Batches of threads with `MEASURED`; what belongs to no thread is counted in `report`."""
    settings, collection = work.settings, work.settings["collection"]
    site = work.task.key.removeprefix(f"{collection}__")
    batcher, answers = Batcher("stackexchange"), list[int]()
    reader = BucketReader(work.path("cut.posts"), work.path("cut.index"), "question", "bytes")

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
