"""What a run would do is known from listings alone."""

import bz2
from pathlib import Path

import pytest

from pipelines import store
from pipelines.config import load
from pipelines.errors import StoreError, UserError
from pipelines.plan import make_plan
from pipelines.sources.wikipedia import Wikipedia

CONFIG = """
data: {data}
sources:
  wikipedia:
    weight: 100
    inputs: {{a: ["wikipedia/*.bz2"], b: ["more/*"]}}
"""


@pytest.fixture
def data(tmp_path) -> Path:
    for name in ("wikipedia/enwiki.xml.bz2", "wikipedia/dewiki.xml.bz2", "more/enwiki.xml.bz2", "other/notes.txt"):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bz2.compress(b"<mediawiki>"))
    return tmp_path / "data"


def plan(data: Path, *overrides: str):
    path = data.parent / "run.yaml"
    path.write_text(CONFIG.format(data=data))
    return make_plan(load(str(path), overrides))


def test_splits_are_ordered_by_collection_and_name_and_name_no_folder(data):
    keys = [split.key for split in plan(data).splits["wikipedia"]]
    assert keys == ["a__dewiki.xml.bz2", "a__enwiki.xml.bz2", "b__enwiki.xml.bz2"]


def test_files_that_no_source_takes_are_named(data):
    assert plan(data).untaken == ["other/notes.txt"]


def test_a_pattern_that_matches_nothing_is_a_mistake(data):
    with pytest.raises(UserError, match=r"sources.wikipedia.inputs.a: no file matches .*/nothing\*"):
        plan(data, "wikipedia.inputs.a=[nothing*]")


def test_two_files_of_one_name_in_a_collection_are_a_mistake(data):
    with pytest.raises(UserError, match="have one name in a: give each a collection of its own"):
        plan(data, "wikipedia.inputs.a=[wikipedia/*, more/*]")


def test_a_file_named_twice_is_taken_once(data):
    assert len(plan(data, "wikipedia.inputs.a=[wikipedia/*, 'wikipedia/en*']").splits["wikipedia"]) == 3


def test_linked_files_are_taken(data):
    (data / "more" / "frwiki.xml.bz2").symlink_to(data / "wikipedia" / "dewiki.xml.bz2")
    assert len(plan(data).splits["wikipedia"]) == 4


def test_a_folder_is_one_split_where_a_source_takes_folders_and_its_files_are_taken(data):
    folder = data / "checkouts" / "repository" / "src"
    folder.mkdir(parents=True)
    (folder / "a.py").write_text("a = 1\n")
    (folder / "link").symlink_to(data)
    config = data.parent / "run.yaml"
    config.write_text(f'data: {data}\nsources: {{github: {{weight: 100, inputs: {{c: ["checkouts/*"]}}}}}}\n')
    plan = make_plan(load(str(config)))
    [split] = plan.splits["github"]
    assert (split.key, split.input.size) == ("c__repository", 6)
    assert "checkouts/repository/src/a.py" not in plan.untaken
    hint = split.input.hint
    (folder / "b.py").write_text("")
    assert make_plan(load(str(config))).splits["github"][0].input.hint != hint


def test_a_store_that_fails_while_a_dump_is_cut_changes_no_splits(monkeypatch):
    def fail(path: str) -> None:
        raise StoreError(f"{path}: no answer")

    monkeypatch.setattr(store, "open_read", fail)
    source = Wikipedia(weight=100, inputs={"a": ("*",)})
    with pytest.raises(StoreError, match="no answer"):
        source.splits("a", store.FileInfo("https://example.org/enwiki-20220801-pages-articles.xml.bz2", 10**9, ""))
