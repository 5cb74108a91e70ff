"""Kept documents go to Parquet, dropped ones are counted and sampled, whatever the batches were."""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from filters.decisions import drop, set_column
from pipelines.documents import Batcher, ReadReport
from pipelines.tasks import Task, Work
from pipelines.writer import DocumentWriter

MEASURED = (pa.field("lines_kept", pa.int32()), pa.field("language", pa.string()))


def documents(size: int):
    """Three hundred documents in batches of `size`; every third is dropped, by two reasons."""
    batcher = Batcher("books")
    for i in range(300):
        reason = {0: "short" if i % 2 else "language"}.get(i % 3)
        yield from batcher.add(f"books/x/{i}", f"text {i} é", {"b": "2", "a": "1"}, reason)
        if i % size == size - 1:
            yield from batcher.flush()
    yield from batcher.flush()


def write(folder: Path, batches, budget: int = 5) -> Work:
    task = Task("books.clean", "one", "", "", {}, {"dropped_sample": budget}, str(folder / "out"))
    scratch = folder / "scratch"
    scratch.mkdir()
    work = Work(task, scratch)
    with DocumentWriter(work, "books", MEASURED) as writer:
        for batch in batches:
            batch = set_column(batch, "language", pa.array(["en"] * len(batch)))
            batch = set_column(batch, "lines_kept", pa.array(np.full(len(batch), 2, np.int32)))
            writer.write(batch)
    work.publish("fingerprint")
    return work


def test_kept_and_dropped_are_all_that_was_read(tmp_path):
    counts = write(tmp_path, documents(100)).counts
    assert counts["read"] == 300
    assert (counts["kept"], counts["dropped: short"], counts["dropped: language"]) == (200, 50, 50)
    assert counts["lines_kept"] == 400
    text = pq.read_table(tmp_path / "out/text/books/one-fingerprint.parquet")
    assert text.num_rows == 200
    assert text.schema.names == ["id", "source", "text", "metadata", "lines_kept", "language"]
    assert counts["bytes_kept"] == sum(len(t.encode()) for t in text["text"].to_pylist())
    assert text["metadata"][0].as_py() == [("a", "1"), ("b", "2")]


def test_the_sample_of_the_dropped_keeps_its_budget_for_each_reason(tmp_path):
    write(tmp_path, documents(100))
    dropped = pq.read_table(tmp_path / "out/dropped/books/one-fingerprint.parquet")
    assert Counter(dropped["dropped"].to_pylist()) == {"short": 5, "language": 5}


@pytest.mark.parametrize("size", [1, 7, 300])
def test_batches_of_any_size_give_the_same_bytes(tmp_path, size):
    for name, n in (("a", size), ("b", 50)):
        (tmp_path / name).mkdir()
        write(tmp_path / name, documents(n))
    for kind in ("text", "dropped"):
        path = f"out/{kind}/books/one-fingerprint.parquet"
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes()


def test_no_documents_give_files_without_rows(tmp_path):
    write(tmp_path, [])
    assert pq.read_table(tmp_path / "out/text/books/one-fingerprint.parquet").num_rows == 0


def test_a_repeated_id_is_counted_and_stays(tmp_path):
    twice = [b for _ in range(2) for b in documents(300)]
    counts = write(tmp_path, twice).counts
    assert counts["repeated_id"] == 300
    assert counts["kept"] == 400


def test_the_first_reason_stands(tmp_path):
    (batch,) = documents(300)
    again = drop(batch, np.ones(300, bool), "later")
    reasons = Counter(again["dropped"].to_pylist())
    assert reasons == {"short": 50, "language": 50, "later": 200}


def test_a_document_over_the_limit_loses_its_text_and_says_so():
    batcher = Batcher("books", max_document_bytes=10)
    batches = [*batcher.add("a", "x" * 11, {}), *batcher.add("b", "é" * 5, {}), *batcher.flush()]
    assert [b["dropped"].to_pylist() for b in batches] == [["too_large", None]]
    assert batches[0]["text"].to_pylist() == ["", "é" * 5]


def test_what_a_reader_met_is_counted(tmp_path):
    (tmp_path / "scratch").mkdir()
    work = Work(Task("s", "k", "", "", {}, {"dropped_sample": 0}, str(tmp_path)), tmp_path / "scratch")
    report = ReadReport(truncated="it ends early")
    report.count("bad header", 3)
    with DocumentWriter(work, "books", ()) as writer:
        writer.report(report)
    assert work.counts["reader: bad header"] == 3
    assert work.truncated == "it ends early"
