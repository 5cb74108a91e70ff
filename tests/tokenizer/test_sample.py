"""The sample follows the weights, never how text is spread over files, and loses no text on its way into lines."""

import random
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenizer import sample
from tokenizer.sample import Sample, lines_of, sample_documents
from tokenizer.texts import keyed_hashes

Write = Callable[..., Path]


def corpus(source: str, documents: int) -> dict[str, str]:
    return {f"{source}/{n}": f"{source} {n} " + "x" * (n * 37 % 400) for n in range(documents)}


@pytest.mark.parametrize("prune_rows", [1 << 20, 25])
def test_the_sample_does_not_depend_on_files(
    write_text: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prune_rows: int
) -> None:
    monkeypatch.setattr(sample, "PRUNE_ROWS", prune_rows)
    texts = corpus("a", 300)
    whole = [write_text("whole.parquet", texts)]
    items = list(texts.items())
    random.Random(0).shuffle(items)
    parts = [write_text(f"{n}.parquet", dict(items[n::7]), row_group_size=3 + n) for n in range(7)]

    def lines(files: list[Path], seed: int) -> list[str]:
        return list(Sample({"a": files}, {"a": 1}, 20_000, seed, tmp_path).lines())

    assert lines(whole, 1) == lines(parts, 1) == lines(parts[::-1], 1)
    assert lines(whole, 1) != lines(whole, 2)
    assert sorted(lines(whole, 1)) != sorted(lines(whole, 2)), "another seed takes other documents"


def test_documents_with_the_lowest_hashes_fill_the_budget(write_text: Write, tmp_path: Path) -> None:
    texts = corpus("a", 100)
    path = write_text("a.parquet", texts)
    hashes = keyed_hashes(pa.array(texts.keys()), 5, "sample").tolist()
    ordered = [texts[id_] for _, id_ in sorted(zip(hashes, texts, strict=True))]
    drawn = Sample({"a": [path]}, {"a": 1}, 5_000, 5, tmp_path)
    taken = list(drawn.lines())
    assert taken == ordered[: len(taken)]
    assert sum(map(len, taken[:-1])) < 5_000 <= sum(map(len, taken)) == drawn.picked["a"].bytes
    assert list(sample_documents([path], 5, 7, tmp_path)) == ordered[:7]
    assert len(list(sample_documents([path], 5, 1_000, tmp_path))) == 100


def test_weights_share_out_the_budget(write_text: Write, tmp_path: Path) -> None:
    sources = {name: [write_text(f"{name}.parquet", corpus(name, 500))] for name in ("a", "b", "c")}
    weights = {"a": Fraction("67.5"), "b": Fraction("32.5"), "c": Fraction(0)}
    drawn = Sample(sources, weights, 40_000, 0, tmp_path)
    assert {name: picked.wanted for name, picked in drawn.picked.items()} == {"a": 27_000, "b": 13_000}
    for name, picked in drawn.picked.items():
        assert picked.wanted <= picked.bytes < picked.wanted + 500, name
    assert {line[0] for line in drawn.lines()} == {"a", "b"}


def test_a_source_with_too_little_gives_all(write_text: Write, tmp_path: Path) -> None:
    texts = corpus("a", 20)
    drawn = Sample({"a": [write_text("a.parquet", texts)]}, {"a": 1}, 10**9, 0, tmp_path)
    assert sorted(drawn.lines()) == sorted(texts.values())
    assert drawn.picked["a"].bytes == sum(map(len, texts.values()))
    assert list(tmp_path.iterdir()) == [tmp_path / "a.parquet"], "nothing is left in scratch"


def test_what_cannot_be_sampled_is_said_in_one_sentence(write_text: Write, tmp_path: Path) -> None:
    (tmp_path / "wrong.parquet").write_bytes(b"PAR1 but no more")
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"id": ["a"], "body": ["b"]}), other)
    for files, reason in [
        ([], "source a has a weight, but no files"),
        ([tmp_path / "missing.parquet"], r"missing\.parquet: cannot be read: No such file"),
        ([tmp_path / "wrong.parquet"], r"wrong\.parquet: not a Parquet file of clean text, or a damaged one"),
        ([other], r"other\.parquet: not a Parquet file of clean text, .*it has no column text"),
        ([write_text("empty.parquet", {})], "no document to train on"),
    ]:
        with pytest.raises(ValueError, match=reason):
            Sample({"a": files}, {"a": 1}, 1_000, 0, tmp_path)


@given(st.text(st.sampled_from("a é🙂\n\0\u2585 "), max_size=200), st.integers(4, 30))
def test_lines_lose_nothing_but_line_ends_and_single_spaces(text: str, max_bytes: int) -> None:
    lines = list(lines_of(text, max_bytes))
    assert all(0 < len(line.encode()) <= max_bytes for line in lines)
    kept = "".join(lines)
    dropped = str.maketrans("", "", " \n\0\u2585")
    assert kept.translate(dropped) == text.translate(dropped)
    assert text.count(" ") - kept.count(" ") <= len(lines)


def test_lines_are_cut_at_the_last_space_that_fits() -> None:
    assert list(lines_of("aaaa bbbb cccc\n\ndd", 9)) == ["aaaa bbbb", "cccc", "dd"]
    assert list(lines_of("é" * 7, 9)) == ["éééé", "ééé"]
    assert list(lines_of("short line", 100)) == ["short line"]
