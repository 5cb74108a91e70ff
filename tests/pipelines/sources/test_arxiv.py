"""An archive to texts, by the source's own chain."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipelines import store
from pipelines.fingerprint import code_fingerprint
from pipelines.sources.arxiv import Arxiv
from pipelines.tasks import Record, Task, execute
from tests.pipelines.readers.test_arxiv import PAPER, submission, tar


def build(path: Path, out: Path, **settings) -> tuple[list[dict], list[Record]]:
    """An archive's documents, and a record for each of its splits."""
    source = Arxiv(weight=100, inputs={"2401": (str(path),)}, **settings)
    [segment] = source.chain()
    documents, records = [], []
    for split in source.splits("2401", store.glob(str(path))[0]):
        task = Task(
            "arxiv.clean", split.key, segment.body, code_fingerprint(segment.body), {"raw": split.input},
            {**segment.settings, "collection": "2401", "dropped_sample": 9}, str(out),
        )  # fmt: skip
        assert execute(task) is None
        [record] = (out / "tasks" / task.stage).glob(f"{split.key}-*.json")
        records.append(Record.from_json(record.read_text()))
        documents += pq.read_table(out / records[-1].output("text").path).to_pylist()
    return documents, records


@pytest.fixture
def archive(tmp_path) -> Path:
    path = tmp_path / "arXiv_src_2401_001.tar"
    members = [(f"2401/2401.{i:05d}.gz", submission(("ms.tex", PAPER), ("unused.tex", b"x"))) for i in range(20)]
    path.write_bytes(tar(*members, ("2401/2401.00020.pdf", b"%PDF"), ("2401/2401.00021.gz", b"%!PS")))
    return path


def test_an_archive_becomes_texts(archive, tmp_path):
    documents, [record] = build(archive, tmp_path / "out")
    assert [d["id"] for d in documents] == [f"arxiv/2401/2401.{i:05d}" for i in range(20)]
    assert {d["text"] for d in documents} == {r"\section{One} Text."}
    assert {(d["files_reached"], d["files_unreached"]) for d in documents} == {(1, 1)}
    counts = {
        "read": 21,
        "kept": 20,
        "dropped: postscript": 1,
        "reader: member: pdf": 1,
        "files_reached": 20,
        "files_unreached": 20,
    }
    assert {name: record.counts[name] for name in counts} == counts


def test_splits_change_nothing(archive, tmp_path):
    whole, _ = build(archive, tmp_path / "whole")
    parts, records = build(archive, tmp_path / "parts", split_bytes=4_000)
    assert len(records) > 3
    assert parts == whole


def test_short_texts_are_dropped(archive, tmp_path):
    documents, [record] = build(archive, tmp_path / "out", min_characters=100)
    assert documents == []
    assert record.counts["dropped: too_short"] == 20


def test_the_real_archive_keeps_every_submission(shared_data, tmp_path):
    documents, records = build(shared_data / "arxiv" / "arXiv_src_2401_001.tar", tmp_path, split_bytes=1 << 20)
    assert len(records) >= 2
    assert len(documents) == 62
    assert sum(record.counts["macros_expanded"] for record in records) >= 20_000
