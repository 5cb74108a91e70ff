import random
import subprocess
import sys
import unicodedata
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import kenlm
import numpy as np
import pyarrow as pa
import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from filters.lines import PUNCTUATION
from filters.perplexity import (
    ASCII_PUNCTUATION,
    bucket,
    keep_buckets,
    load_language_scorer,
    measure,
    normalize,
    percentile_cutoffs,
)

BIN = Path(sys.executable).parent
GERMAN = (
    "Das Schiff hatte den Hafen verlassen, bevor die Sonne aufging, und niemand wusste, wohin es gefahren war. " * 5
)


# ---- the normal form


def rule(text: str) -> str:
    """The rule, a character at a time."""
    decomposed = "".join(unicodedata.normalize("NFD", character) for character in text.strip().lower())
    letters = "".join(c for c in decomposed if unicodedata.category(c) != "Mn")
    plain = "".join("0" if c.isdecimal() else ASCII_PUNCTUATION.get(c, c) for c in letters)
    return "".join(" " if c.isspace() else c for c in plain if c.isspace() or unicodedata.category(c) != "Cc")


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("  The Émigré's\nÅngström, 1984\t“quoted”…  ", 'the emigre\'s angstrom, 0000 "quoted"...'),
        ("２０２０年；（東京）。", "0000年;(東京)."),
        ("one—two – three", "one - two - three"),
        ("a\x00b\x7fc\x9fd\u00a0e\u3000f", "abcd e f"),
        ("ΟΔΟΣ ΤΗΣ ΕΛΛΆΔΑΣ", "οδος της ελλαδας"),
        ("İSTANBUL", "istanbul"),
        ("한글", unicodedata.normalize("NFD", "한글")),
        ("Cafe\u0301 ﬁ ½ ‘a’", "cafe ﬁ ½ ‘a'"),
        ("", ""),
        ("\n\n", ""),
    ],
)
def test_normal_forms(text, normal):
    assert normalize(text) == normal


def test_the_marks_are_those_of_line_keys():
    assert {*ASCII_PUNCTUATION, "１"} == set(PUNCTUATION)
    assert all(plain.isascii() for plain in ASCII_PUNCTUATION.values())


odd = "\n\r\t\x0b\x1c\x85\xa0\u2028\u3000 09٣７𝟘ΣσςİIıÀßẞǅﬁ한é\u0301\u0345\u302e\x00\x7f\x9fযো" + PUNCTUATION


@given(st.text(st.one_of(st.sampled_from(odd), st.characters(exclude_categories=["Cs"])), max_size=200))
def test_the_normal_form_is_that_of_the_rule(text):
    assert normalize(text) == rule(text)


def test_every_character_has_the_form_that_the_rule_gives():
    elsewhere = "İΣ"  # two letters that lower case treats apart make a text take another way
    characters = [c for c in map(chr, range(0x110000)) if not "\ud800" <= c <= "\udfff" and c not in elsewhere]
    text = "x" + "".join(characters) + "x"
    assert normalize(text) == rule(text)


# ---- a small language model, trained as the large ones are


@pytest.fixture(scope="module")
def english() -> tuple[str, ...]:
    """English prose that is on every machine: the chapters of Python's reference that `help` shows."""
    return tuple(text for _, text in sorted(topics.items()) if len(text) > 500)


@pytest.fixture(scope="module")
def models(english, tmp_path_factory) -> tuple[Path, Path]:
    """A SentencePiece and a KenLM model of four fifths of the English texts."""
    folder = tmp_path_factory.mktemp("models")
    texts = [normalize(text) for number, text in enumerate(english) if number % 5]
    lines = [line for text in texts for line in text.split(". ")]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_prefix=str(folder / "en"),
        vocab_size=2_000,
        model_type="unigram",
        normalization_rule_name="identity",
        num_threads=1,
        minloglevel=2,
    )
    processor = sentencepiece.SentencePieceProcessor(model_file=str(folder / "en.model"))
    corpus = "".join(" ".join(pieces) + "\n" for pieces in processor.encode(texts, out_type=str)).encode()
    train = [str(BIN / "lmplz"), "-o", "5", "--discount_fallback", "--skip_symbols", "-S", "100M", "-T", f"{folder}/"]
    with (folder / "en.arpa").open("wb") as arpa:
        subprocess.run(train, input=corpus, stdout=arpa, stderr=subprocess.DEVNULL, check=True)
    subprocess.run([BIN / "build_binary", folder / "en.arpa", folder / "en.bin"], check=True, capture_output=True)
    return folder / "en.model", folder / "en.bin"


@pytest.fixture(scope="module")
def scorer(models):
    return load_language_scorer(*models)


def documents(**columns: list[Any]) -> pa.RecordBatch:
    columns.setdefault("dropped", [None] * len(columns["language"]))
    types = {"perplexity": pa.float32()}
    return pa.record_batch({name: pa.array(values, types.get(name, pa.string())) for name, values in columns.items()})


def test_english_then_shuffled_english_then_german(scorer, english):
    held_out = [text for number, text in enumerate(english) if number % 5 == 0]
    words = [text.split(" ") for text in held_out]
    shuffled = [" ".join(random.Random(0).sample(text, len(text))) for text in words]
    real, mixed, (german,) = np.median(scorer(held_out)), np.median(scorer(shuffled)), scorer([GERMAN])
    assert real * 1.5 < mixed < german


def test_a_perplexity_is_that_of_its_definition(models, scorer):
    text = "The “module” provides\n2 classes…"
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(models[0])).encode(rule(text), out_type=str)
    words = [*pieces, "</s>"]
    model, state = kenlm.Model(str(models[1])), kenlm.State()
    model.BeginSentenceWrite(state)
    log10 = 0.0
    for word in words:
        after = kenlm.State()
        log10 += model.BaseScore(state, word, after)
        state = after
    assert scorer([text]).tolist() == [pytest.approx(round(10 ** (-log10 / len(words)), 1), rel=1e-6)]


def test_texts_do_not_touch_each_other(scorer, english):
    texts = [*english[:5], "", " \n", GERMAN]
    assert scorer(texts).tolist() == [scorer([text])[0] for text in texts]
    assert scorer([]).tolist() == []


def test_perplexities_are_rounded_to_one_decimal(scorer, english):
    for value in scorer(english[:20]).tolist():
        assert np.float32(round(value, 1)) == np.float32(value)


def test_only_kept_documents_of_a_known_language_are_measured(scorer):
    batch = documents(
        text=["a text", "ein Text", "a text", "a text"],
        language=["en", "de", "en", None],
        dropped=[None, None, "too_short", None],
    )
    batch = measure(batch, scorers={"en": scorer})
    (expected,) = scorer(["a text"]).tolist()
    assert batch["perplexity"].to_pylist() == [expected, None, None, None]
    assert batch.schema.field("perplexity").type == pa.float32()


def test_without_models_nothing_is_measured():
    batch = bucket(measure(documents(text=["a text"], language=["en"]), scorers={}), cutoffs={})
    assert batch["perplexity"].to_pylist() == [None]
    assert batch["bucket"].to_pylist() == ["all"]


# ---- buckets


def test_buckets_lie_below_their_cut_offs():
    batch = documents(
        language=["en", "en", "en", "en", "de", "fr", "en"],
        perplexity=[99.9, 100.1, 200.2, 200.3, 1.0, None, 1.0],
        dropped=[None] * 6 + ["too_short"],
    )
    batch = bucket(batch, cutoffs={"en": (100.1, 200.3), "fr": (1.0, 2.0)})
    assert batch["bucket"].to_pylist() == ["head", "middle", "middle", "tail", "all", "all", None]


def test_other_buckets_are_dropped_by_name():
    buckets = ["head", "middle", "tail", "all", None]
    batch = documents(language=["en"] * 5, bucket=buckets, dropped=[None] * 4 + ["language"])
    after = keep_buckets(batch, buckets=["head", "middle"])
    assert after["dropped"].to_pylist() == [None, None, "perplexity_tail", "perplexity_all", "language"]
    after = keep_buckets(batch, buckets=["tail", "all"])
    assert after["dropped"].to_pylist() == ["perplexity_head", "perplexity_middle", None, None, "language"]


@given(st.lists(st.integers(1, 10_000).map(lambda tenths: tenths / 10), min_size=1, max_size=50), st.randoms())
def test_cut_offs_do_not_depend_on_the_order(perplexities, rng):
    head, middle = percentile_cutoffs(np.array(perplexities, np.float32), (30, 60))
    rng.shuffle(perplexities)
    assert percentile_cutoffs(np.array(perplexities, np.float32), (30, 60)) == (head, middle)
    assert {head, middle} <= set(perplexities)
    assert sum(p < head for p in perplexities) <= 0.3 * len(perplexities) <= sum(p <= head for p in perplexities)
    assert sum(p < middle for p in perplexities) <= 0.6 * len(perplexities) <= sum(p <= middle for p in perplexities)


def test_cut_offs_need_perplexities():
    with pytest.raises(ValueError, match="no perplexities"):
        percentile_cutoffs(np.empty(0, np.float32))


# ---- files


@pytest.mark.parametrize("which", [0, 1], ids=["SentencePiece", "KenLM"])
@pytest.mark.parametrize(
    "change",
    [lambda content: b"", lambda content: b"no model\n" * 100, lambda content: content[: len(content) // 2]],
    ids=["empty", "other", "cut"],
)
def test_files_that_are_no_models_are_refused(models, tmp_path, which, change):
    bad = tmp_path / "bad"
    bad.write_bytes(change(models[which].read_bytes()))
    paths = [bad if number == which else path for number, path in enumerate(models)]
    with pytest.raises(ValueError, match=r"bad: not a (SentencePiece|KenLM) model, or not a whole one$"):
        load_language_scorer(*paths)


def test_missing_files_are_named(models, tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        load_language_scorer(tmp_path / "absent", models[1])
    with pytest.raises(FileNotFoundError, match="absent"):
        load_language_scorer(models[0], tmp_path / "absent")
