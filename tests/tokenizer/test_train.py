"""Training is repeatable to the byte, is skipped where nothing changed, and says what to do where it cannot be done."""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tokenizer.sample import lines_of
from tokenizer.train import SETTINGS, TooFewTextsError, train_sentencepiece, train_tokenizer

Write = Callable[..., Path]


@pytest.fixture
def text(write_text: Write, documents: list[str]) -> Path:
    return write_text("text/a.parquet", {f"a/{n}": text for n, text in enumerate(documents)})


def test_two_trainings_give_the_same_bytes(text: Path, tmp_path: Path) -> None:
    models = []
    for name in ("one", "two"):
        record = train_tokenizer(
            {"a": [text]}, {"a": 100}, tmp_path / name / "t.model", pieces=900, sample_bytes=300_000
        )
        models.append((tmp_path / name / "t.model").read_bytes())
        assert record["trained"]
        assert record["sha256"] == hashlib.sha256(models[-1]).hexdigest()
    assert models[0] == models[1]
    assert (tmp_path / "one/t.model.json").read_bytes() == (tmp_path / "two/t.model.json").read_bytes()
    assert str(tmp_path).encode() not in models[0]
    assert str(tmp_path) not in (tmp_path / "one/t.model.json").read_text()


def test_a_model_is_kept_while_its_record_is_true(text: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.model"

    def trained(**changes: Any) -> bool:
        settings = {"pieces": 900, "sample_bytes": 200_000, "seed": 1, **changes}
        return bool(train_tokenizer({"a": [text]}, {"a": 1}, out, **settings)["trained"])

    assert trained()
    assert not trained()
    assert trained(force=True)
    assert trained(seed=2)
    assert not trained(seed=2)
    assert trained(pieces=901, seed=2)
    out.write_bytes(b"damaged")
    assert trained(pieces=901, seed=2)
    (tmp_path / "t.model.json").write_text("{")
    assert trained(pieces=901, seed=2)
    text.write_bytes(text.read_bytes())
    assert not trained(pieces=901, seed=2)


def test_the_record_says_what_the_model_was_made_from(text: Path, tmp_path: Path) -> None:
    train_tokenizer({"a": [text]}, {"a": 1}, tmp_path / "t.model", pieces=900, sample_bytes=200_000)
    record = json.loads((tmp_path / "t.model.json").read_text())
    assert record["made_from"]["inputs"] == {"a": [hashlib.sha256(text.read_bytes()).hexdigest()]}
    assert record["made_from"]["settings"]["character_coverage"] == 0.99995
    assert record["sample"]["a"]["bytes"] >= 200_000
    assert sorted(p.name for p in tmp_path.iterdir()) == ["t.model", "t.model.json", "text"], "no scratch is left"


@pytest.mark.parametrize(
    ("lines", "pieces", "message"),
    [
        (
            ["hello world"] * 3,
            32_000,
            r"the sample gives 287 pieces, not 32,000: ask for 287 at most, or train on more text",
        ),
        (
            [chr(0x4E00 + n) for n in range(500)],
            300,
            r"300 pieces are too few: the sample's characters alone take 76\d",
        ),
        ([], 300, "no line of text"),
    ],
)
def test_a_sample_that_does_not_fit_the_vocabulary_is_one_sentence(lines: list[str], pieces: int, message: str) -> None:
    with pytest.raises(TooFewTextsError, match=message):
        train_sentencepiece(lines, pieces, SETTINGS)


def test_an_error_while_lines_are_read_is_not_sentencepieces() -> None:
    def lines() -> Iterator[str]:
        yield "one line"
        raise ValueError("text/a.parquet: damaged")

    with pytest.raises(ValueError, match=r"^text/a.parquet: damaged$"):
        train_sentencepiece(lines(), 300, SETTINGS)


def test_lines_of_the_longest_kind_are_trained_on() -> None:
    lines = list(lines_of("abc " * 5_000))
    one = train_sentencepiece(lines, 265, SETTINGS)
    assert b"abc" in one, "a piece of a line that would have been skipped whole"
