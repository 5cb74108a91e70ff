"""Dumps to articles, by the source's own chain."""

import bz2
import gzip
from pathlib import Path

import py7zr
import pytest

from pipelines.config import Config
from pipelines.graph import token_stage
from pipelines.plan import make_plan
from pipelines.tasks import Input
from tests.pipelines.readers.test_mediawiki import END, HEADER, multistream, page
from tests.pipelines.sources.chains import Done, counts, run_chain, texts

NAME = "enwiki-20220801-pages-articles.xml"
PAGES = [page(n, f"== History ==\n'''Page {n}''' of [[Rome|the town]]. " + f"Words of {n}. " * n) for n in range(1, 60)]
PAGES[20] = page(21, "A talk.", namespace=1)
WHOLE = (HEADER + "".join(PAGES) + END).encode()


def build(path: Path, out: Path, **settings) -> tuple[list[dict], Done]:
    """A dump's documents in the order of their ids, and its tasks' records."""
    done = run_chain("wikipedia", {"inputs": {"20220801": [str(path)]}, **settings}, path.parent, out)
    rows = texts(done, "wikipedia.clean", out).to_pylist()
    return sorted(rows, key=lambda row: int(row["id"].rpartition("/")[2])), done


def seven_zip(path: Path, xml: bytes) -> None:
    with py7zr.SevenZipFile(path, "w") as archive:
        archive.writestr(xml, NAME)


FORMS = {
    ".bz2": lambda path: path.write_bytes(bz2.compress(WHOLE)),
    ".gz": lambda path: path.write_bytes(gzip.compress(WHOLE)),
    ".7z": lambda path: seven_zip(path, WHOLE),
    "": lambda path: path.write_bytes(WHOLE),
    " in UTF-16": lambda path: path.write_bytes(WHOLE.decode().encode("utf-16")),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_dump_makes_the_documents_of_a_multistream_one(form, tmp_path):
    path = tmp_path / f"{NAME}.bz2"
    path.write_bytes(multistream(["".join(PAGES[i : i + 10]) for i in range(0, len(PAGES), 10)]))
    expected, done = build(path, tmp_path / "multistream", split_bytes=1_000)
    assert len(expected) == len(PAGES) - 1
    assert len(done["wikipedia.clean"]) >= 3
    assert "wikipedia.cut" not in done
    path = tmp_path / "one" / (NAME + form)
    path.parent.mkdir()
    FORMS[form](path)
    documents, done = build(path, tmp_path / "out", split_bytes=1_000)
    assert len(done["wikipedia.clean"]) >= 3
    assert ("wikipedia.cut" in done) == (form != "")  # plain XML is cut where it lies
    assert documents == expected
    assert counts(done, "wikipedia.clean")["reader: page: namespace"] == 1


def test_a_dump_of_one_piece_is_not_cut(tmp_path):
    path = tmp_path / f"{NAME}.bz2"
    path.write_bytes(bz2.compress(WHOLE))
    documents, done = build(path, tmp_path / "out")
    assert len(documents) == len(PAGES) - 1
    assert [key for stage in done.values() for key in stage] == [f"20220801__{path.name}"]


def test_a_dump_that_is_cut_short_gives_its_whole_pages_and_says_so(tmp_path):
    path = tmp_path / f"{NAME}.gz"
    data = gzip.compress(WHOLE)
    path.write_bytes(data[: len(data) // 2])
    documents, done = build(path, tmp_path / "out", split_bytes=500)
    assert 10 < len(documents) < len(PAGES) - 1
    [record] = done["wikipedia.cut"].values()
    assert "inside its gzip data" in record.truncated
    assert not any(record.truncated for record in done["wikipedia.clean"].values())


def test_shards_are_runs_of_pieces(tmp_path):
    path = tmp_path / f"{NAME}.bz2"
    path.write_bytes(bz2.compress(WHOLE))
    _, done = build(path, tmp_path / "out", split_bytes=1_000)
    source = {"weight": 100, "inputs": {"20220801": [str(path)]}, "split_bytes": 1_000}
    tokens = 2 * 0.3 * path.stat().st_size / len(done["wikipedia.clean"])  # two pieces' worth
    config = Config.model_validate({"sources": {"wikipedia": source}, "shards": {"tokens": round(tokens)}})
    tokenizer = Input("model", 1, sha256="0")
    splits = make_plan(config).splits["wikipedia"]
    stage = token_stage(config, config.sources.wikipedia, splits, tokenizer, [], str(tmp_path / "out"))
    taken = [
        [i.path for role, i in sorted(task.inputs.items()) if role != "model.tokenizer"] for task in stage.tasks(done)
    ]
    written = [
        str(tmp_path / "out" / record.output("text").path) for _, record in sorted(done["wikipedia.clean"].items())
    ]
    assert [path for run in taken for path in run] == written
    assert {len(run) for run in taken[:-1]} == {2}
    assert stage.tasks({**done, "wikipedia.cut": {}}) == []  # left out: it could not be read


def test_every_article_of_the_real_dumps_is_read(tmp_path, shared_data):
    settings = {"inputs": {"sample": ["*.bz2"]}, "split_bytes": 500_000}
    done = run_chain("wikipedia", settings, shared_data / "wikipedia", tmp_path)
    assert len(done["wikipedia.cut"]) == 1  # the large one, of a single stream
    total = counts(done, "wikipedia.clean")
    assert total["read"] >= 150
    assert total["dropped: language"] == 2  # Chinese and Japanese
    assert total["kept"] == total["read"] - 2
    languages = {dict(m)["language"] for m in texts(done, "wikipedia.clean", tmp_path)["metadata"].to_pylist()}
    assert len(languages) == 20
