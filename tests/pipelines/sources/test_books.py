"""Editions to works, by the source's own chain."""

import gzip
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipelines import nearduplicates, store
from pipelines.engine import Engine, Limits
from pipelines.fingerprint import code_fingerprint
from pipelines.runners import do_job
from pipelines.sources.books import Books
from pipelines.sources.source import Segment
from pipelines.stages import as_input
from pipelines.tasks import Record, Task, execute

from ..readers.test_tar import tar


def build(source: Books, paths: list[Path], out: Path) -> tuple[list[dict], Counter[str]]:
    """The documents of all files, and the counts of the last segment's tasks."""
    splits = [
        split for path in paths for file in store.glob(str(path)) for split in source.splits(path.parent.name, file)
    ]
    digest, editions, clean = source.chain()

    def records(stage: str) -> dict[str, Record]:
        found = [Record.from_json(p.read_text()) for p in (out / "tasks" / f"books.{stage}").glob("*.json")]
        return {record.key: record for record in found}

    def task(link, split, inputs) -> Task:
        settings = {**link.settings, "collection": split.collection, "dropped_sample": 99}
        code = code_fingerprint(link.body)
        return Task(f"books.{link.name}", split.key, link.body, code, inputs, settings, str(out))

    for split in splits:
        assert execute(task(digest, split, {"raw": split.input})) is None
    digested = records("digest")
    tasks = [
        task(editions, s, {o.role: as_input(str(out), o) for o in digested[s.key].outputs})
        for s in sorted(splits, key=lambda s: s.key)
    ]
    chain = nearduplicates.chain("books.editions", [tasks])
    do_job("editions", [chain], Engine(Limits(workers=1, memory_mb=400, seconds=60)))
    verdicts = records("editions")
    for split in splits:
        assert isinstance(clean, Segment)
        inputs = {"raw": split.input, "editions.verdicts": as_input(str(out), verdicts[split.key].output("verdicts"))}
        assert execute(task(clean, split, inputs)) is None
    cleaned = records("clean").values()
    rows = [row for r in cleaned for row in pq.read_table(out / r.output("text").path).to_pylist()]
    return sorted(rows, key=lambda row: row["id"]), sum((Counter(r.counts) for r in cleaned), Counter())


def source(**settings) -> Books:
    return Books(weight=100, inputs={"x": ("x",)}, **settings)


def test_real_editions_become_one_book_a_work(tmp_path, shared_data):
    """The two editions of the Latin plays differ in the spelling of every long vowel: half of their shingles."""
    rows, counts = build(source(), sorted((shared_data / "books").glob("*.gz")), tmp_path)
    works = Counter(row["id"].removeprefix("books/books/").partition("__")[0] for row in rows)
    assert counts["read"] >= 50
    assert works == {work: 2 if work == "31894" else 1 for work in works}
    assert len(works) == 16
    assert counts["dropped: near_duplicate"] == counts["read"] - 17


def test_the_longest_edition_stays_and_the_others_name_it(tmp_path):
    text = " ".join(f"word{n * n % 9973}" for n in range(3_000))
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder, more in zip(folders, ("", " and more"), strict=True):
        folder.mkdir()
        (folder / "0.txt").write_text(text + more)  # both collections number their books from 0
    rows, counts = build(source(), [folder / "0.txt" for folder in folders], tmp_path / "out")
    assert [row["id"] for row in rows] == ["books/second/0.txt"]
    assert counts["dropped: near_duplicate"] == 1
    [sample] = (tmp_path / "out" / "dropped" / "books").glob("first*")
    [dropped] = pq.read_table(sample).to_pylist()
    assert dict(dropped["metadata"])["duplicate_of"] == "books/second/0.txt"


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_tar_gives_the_same_books_however_it_is_cut(tmp_path, pack):
    files = {f"{n:02d}.txt": " ".join(f"w{n}{i * i % 997}" for i in range(400)).encode() for n in range(20)}
    files["copy.txt"] = files["05.txt"]
    path = tmp_path / "in" / "books.tar"
    path.parent.mkdir()
    path.write_bytes(pack(tar(files)))
    whole, _ = build(source(), [path], tmp_path / "1")
    cut, counts = build(source(split_bytes=10_000), [path], tmp_path / "2")
    [file] = store.glob(str(path))
    assert (len(source(split_bytes=10_000).splits("in", file)) > 1) == (pack is bytes)
    assert cut == whole
    assert len(cut) == 20
    assert counts["dropped: near_duplicate"] == 1
