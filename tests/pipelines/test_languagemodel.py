"""A language model is made to the byte, and knows text of its kind from text that is not."""

import random
import subprocess
import sys
from pathlib import Path
from pydoc_data.topics import topics

import pytest

from filters.perplexity import load_language_scorer
from pipelines import languagemodel
from pipelines.errors import RunError, UserError
from pipelines.languagemodel import LanguageModelInfo, train_language_model
from tokenizer.train import TooFewTextsError

TEXTS = [text for _, text in sorted(topics.items())]
TRAINED, HELD_OUT = TEXTS[:-10], TEXTS[-10:]


def train(folder: Path, texts: list[str], **options: int) -> LanguageModelInfo:
    folder.mkdir()
    return train_language_model(
        iter(texts),
        folder / "sp.model",
        folder / "lm.bin",
        scratch=folder,
        **{"pieces": 1_000, "memory_mb": 200, **options},
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "en"
    info = train(folder, TRAINED)
    assert info.documents == len(TRAINED)
    return folder


def test_the_same_texts_give_the_same_bytes_whatever_the_memory(folder: Path, tmp_path: Path) -> None:
    train(tmp_path / "again", TRAINED, memory_mb=100)
    for name in ("sp.model", "lm.bin"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()
    assert sorted(path.name for path in folder.iterdir()) == ["lm.bin", "sp.model"], "no scratch is left"


def test_real_text_is_likelier_than_its_words_in_another_order(folder: Path) -> None:
    perplexities = load_language_scorer(folder / "sp.model", folder / "lm.bin")
    for text in HELD_OUT:
        words = text.split()
        random.Random(0).shuffle(words)
        letters = "".join(random.Random(0).sample(text, len(text)))
        real, words_shuffled, letters_shuffled = perplexities([text, " ".join(words), letters])
        assert real < words_shuffled < letters_shuffled


def test_texts_that_look_like_markers_are_trained_on(tmp_path: Path) -> None:
    marked = [text + " <s> </s> <unk> < s >\u2028end\x85of\x0cline" for text in TRAINED[:20]]
    assert train(tmp_path / "marked", marked, pieces=400).documents == 20


def test_a_vocabulary_too_large_for_the_texts_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(TooFewTextsError, match=r"the sample gives [\d,]+ pieces, not 65,536: ask for"):
        train(tmp_path / "small", TEXTS[:5], pieces=65_536)
    assert not (tmp_path / "small" / "lm.bin").exists()


def test_missing_programs_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(UserError, match=r"lmplz is missing.*run `make setup`"):
        train(tmp_path / "none", TEXTS)


def test_a_program_that_fails_gives_its_last_words() -> None:
    with pytest.raises(RunError, match="sh failed with status 3: no space"):
        languagemodel._run(["sh", "-c", "echo first >&2; echo no space >&2; exit 3"], lines=[b"x" * 100_000] * 10)
    languagemodel._run(["cat"], subprocess.DEVNULL, [b"fine\n"])
