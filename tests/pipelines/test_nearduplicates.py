"""The round that keeps one edition of each work, on Beam's in-process runner."""

import random
from pathlib import Path

import pytest

from filters.nearduplicates import containment, shingles
from pipelines import nearduplicates
from pipelines.engine import Engine, Limits
from pipelines.nearduplicates import chain
from pipelines.runners import do_job
from pipelines.signatures import SignatureWriter, read_verdicts
from pipelines.tasks import Input, Record, Task

ENGINE = Engine(Limits(workers=1, memory_mb=400, seconds=60))
SETTINGS = {"share": 0.9, "times": 3.0}


def words(seed: int, number: int) -> list[str]:
    draw = random.Random(seed)
    return [f"word{draw.randrange(5_000)}" for _ in range(number)]


def decide(folder: Path, splits: list[list[tuple[str, str]]], groups: list[range] | None = None, **settings):
    """For each split of (id, text) the ids that are kept in its books' stead."""
    tasks = []
    for number, split in enumerate(splits):
        paths = [folder / f"{role}{number}" for role in ("signatures", "shingles")]
        with SignatureWriter(*paths) as writer:
            for id_, text in split:
                writer.write(id_, len(text), shingles(text))
        inputs = {p.name.rstrip("0123456789"): Input(str(p), p.stat().st_size, sha256="0") for p in paths}
        tasks.append(
            Task("books.editions", f"{number:03d}", "", "code", inputs, {**SETTINGS, **settings}, str(folder / "out"))
        )
    grouped = [[tasks[i] for i in group] for group in groups or [range(len(tasks))]]
    do_job("editions", [chain("books.editions", grouped)], ENGINE)
    kept = []
    for task in tasks:
        [record] = (folder / "out" / "tasks" / "books.editions").glob(f"{task.key}-*.json")
        output = Record.from_json(record.read_text()).output("verdicts")
        kept.append(read_verdicts(folder / "out" / output.path))
    return kept


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    monkeypatch.setattr(nearduplicates, "CHUNK", 2)
    monkeypatch.setattr(nearduplicates, "PARTITION_BYTES", 4_000)


def test_one_edition_of_each_work_stays_the_longest_ties_by_id(tmp_path):
    one, two, three = (words(seed, 2_000) for seed in range(3))
    splits = [
        [("a/1", " ".join(one)), ("a/2", " ".join(two))],
        [("b/1", " ".join(one[:-20])), ("b/0", " ".join(two))],
        [("c/1", " ".join([*one, "a", "word", "more"])), ("c/2", " ".join(three))],
        [],
        [("e/1", ""), ("e/2", ""), ("e/3", "short"), ("e/4", "Short.")],
    ]
    assert decide(tmp_path, splits) == [
        ["c/1", None],
        ["c/1", "a/2"],
        [None, None],
        [],
        [None, None, "e/4", None],  # the longer one stays
    ]


def test_a_story_and_the_collection_that_holds_it_both_stay(tmp_path):
    story = words(1, 1_000)
    collection = [*words(2, 2_500), *story]
    assert containment(shingles(" ".join(story)), shingles(" ".join(collection))) > 0.99
    splits = [[("story", " ".join(story)), ("collection", " ".join(collection))]]
    assert decide(tmp_path, splits) == [[None, None]]


def test_a_setting_lets_longer_books_swallow_shorter_ones(tmp_path):
    story = words(1, 1_000)
    splits = [[("story", " ".join(story)), ("collection", " ".join([*words(2, 1_500), *story]))]]
    assert decide(tmp_path, splits, times=4.0) == [["collection", None]]


def test_a_share_of_nine_tenths_is_not_enough_and_more_is(tmp_path):
    """The share is over 0.9, of the smaller book's shingles: exactly, whatever proposed the pair."""
    base = words(1, 4_000)
    for cut, same in ((300, True), (600, False)):
        other = [*base[:-cut], *words(9, cut)]
        share = containment(shingles(" ".join(base)), shingles(" ".join(other)))
        assert (share > 0.9) == same
        (tmp_path / str(cut)).mkdir()
        kept = decide(tmp_path / str(cut), [[("a", " ".join(base))], [("b", " ".join(other))]])
        assert (sum(k is not None for split in kept for k in split) == 1) == same


def test_a_chain_of_editions_is_one_work(tmp_path):
    chain, text = [], words(1, 3_000)
    for step in range(6):
        chain.append([(f"e{step}", " ".join(text))])
        text = [*text[150:], *words(50 + step, 150)]
    ends = [shingles(split[0][1]) for split in (chain[0], chain[-1])]
    assert containment(*ends) < 0.9
    kept = [verdict for [verdict] in decide(tmp_path, chain)]
    assert kept.count(None) == 1
    assert len(set(kept) - {None}) == 1


def test_groups_never_see_each_other(tmp_path):
    text = " ".join(words(1, 500))
    splits = [[(f"s{i}", text)] for i in range(4)]
    assert decide(tmp_path, splits, [range(0, 2), range(2, 4)]) == [[None], ["s0"], [None], ["s2"]]


def test_the_order_of_splits_and_the_size_of_chunks_change_no_verdict(tmp_path, monkeypatch):
    books = []
    for work in range(12):
        text = words(work, 800)
        for edition in range(1 + work % 3):
            books.append((f"w{work:02d}.{edition}", " ".join([*text, *words(99 + edition, 10)])))
    verdicts = []
    for run, chunk in enumerate((1, 3, 50)):
        monkeypatch.setattr(nearduplicates, "CHUNK", chunk)
        (tmp_path / str(run)).mkdir()
        order = random.Random(run).sample(books, len(books))
        kept = decide(tmp_path / str(run), [[one] for one in order])
        verdicts.append({id_: verdict for (id_, _), [verdict] in zip(order, kept, strict=True)})
    assert verdicts[0] == verdicts[1] == verdicts[2]
    assert sum(verdict is None for verdict in verdicts[0].values()) == 12
