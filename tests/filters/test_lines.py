import hashlib
import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.lines import PUNCTUATION, Removals, line_keys, remove_lines
from pipelines.documents import ReadReport
from pipelines.readers.wet import read_wet


def documents(*texts: str, dropped: str | None = None) -> pa.RecordBatch:
    return pa.record_batch(
        {"text": pa.array(texts, pa.string()), "dropped": pa.array([dropped] * len(texts), pa.string())}
    )


def key(line: str) -> int:
    """The rule, a line at a time."""
    line = re.sub(r"\d", "0", line.strip().lower())
    line = re.sub(f"[{PUNCTUATION}]", "", line)
    line = re.sub("[\x00-\x1f\x7f-\x9f]", "", line)
    return int.from_bytes(hashlib.sha1(line.encode()).digest()[:8], "little")


def keys_of(*texts: str) -> list[int]:
    return line_keys(documents(*texts))[0].tolist()


def test_there_are_34_marks():
    assert len(set(PUNCTUATION)) == 34
    assert not PUNCTUATION.isascii()


def test_a_key_is_the_start_of_a_sha1():
    # printf 'chapter 00: the end' | sha1sum
    assert keys_of("  Chapter 12: “The End”…\t") == [int.from_bytes(bytes.fromhex("a791a02a614e87b2"), "little")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Terms of Use", "  TERMS OF USE\r"),
        ("Page 12 of 99", "page 07 of ٣٤"),
        ("１２", "00"),
        ("𝟘𝟙", "12"),
        ("so—she said: “well…”", "soshe said: well"),
        ("a\x00b\x7f\x85c", "abc"),
        ("ΟΔΟΣ", "οδος"),
        ("İstanbul", "i̇stanbul"),
        ("…", "—"),
    ],
)
def test_lines_that_are_the_same(one, other):
    assert keys_of(one) == keys_of(other)


@pytest.mark.parametrize(
    ("one", "other"), [("café", "cafe"), ("a b", "a  b"), ("end.", "end"), ("“ a", "a"), ("‘a’", "a")]
)
def test_lines_that_differ(one, other):
    assert keys_of(one) != keys_of(other)


def test_only_newlines_separate_lines():
    assert keys_of("a\u2028b\x85c\rd\x0be\x1cf") == [key("a\u2028bcdef")]


def test_blank_lines_have_no_key():
    keys, offsets = line_keys(documents("", "\n \n", "a\n\n\xa0\u3000\nb\n", "c"))
    assert keys.tolist() == [key("a"), key("b"), key("c")]
    assert offsets.tolist() == [0, 0, 0, 2, 3]


def test_dropped_documents_have_no_keys():
    keys, offsets = line_keys(documents("a", "b", dropped="too_short"))
    assert keys.tolist() == []
    assert offsets.tolist() == [0, 0, 0]


odd = "\n\n\n\r\x0b\x0c\x1c\x1f\x85\xa0\u2028\u2029\u3000 09٣７𝟘ΣσςİIıÀßẞǅ́\x00\x7f\x9f“”…’‘—." + PUNCTUATION
texts = st.lists(
    st.text(st.one_of(st.sampled_from(odd), st.characters(exclude_categories=["Cs"])), max_size=60), max_size=6
)


@given(texts)
def test_keys_are_those_of_the_rule(texts):
    keys, offsets = line_keys(documents(*texts))
    expected = [[key(line) for line in text.split("\n") if line.strip()] for text in texts]
    assert keys.tolist() == [k for document in expected for k in document]
    assert np.diff(offsets).tolist() == list(map(len, expected))


def test_every_character_is_normalised_as_the_rule_says():
    elsewhere = "\nİΣ"  # two letters that lower case treats apart make a batch take another way
    characters = [c for c in map(chr, range(0x110000)) if not "\ud800" <= c <= "\udfff" and c not in elsewhere]
    lines = ["x".join(("", *characters[start : start + 64], "")) for start in range(0, len(characters), 64)]
    assert keys_of("\n".join(lines)) == [key(line) for line in lines]


# ---- which lines go


def split_of(keys: list[int], removed_everywhere: set[int]) -> tuple[np.ndarray, np.ndarray]:
    unique = np.unique(np.array(keys, np.uint64))
    return unique, np.isin(unique, np.array(sorted(removed_everywhere), np.uint64))


def test_none_of_a_repeated_line_is_kept():
    removals = Removals(*split_of([5, 1, 5, 9], {5}), keep="none")
    assert removals(np.array([5, 1, 5, 9], np.uint64)).tolist() == [True, False, True, False]


def test_the_first_of_a_repeated_line_is_kept():
    removals = Removals(*split_of([5, 1, 5, 9], {9}), keep="first")
    assert removals(np.array([5, 1, 5, 9], np.uint64)).tolist() == [False, False, True, True]


@given(
    st.lists(st.lists(st.integers(0, 9), max_size=12), max_size=6),
    st.sets(st.integers(0, 9)),
    st.sampled_from(["none", "first"]),
)
def test_batches_do_not_matter(batches, everywhere, keep):
    keys = [key for batch in batches for key in batch]
    removals = Removals(*split_of(keys, everywhere), keep=keep)
    found = [flag for batch in batches for flag in removals(np.array(batch, np.uint64)).tolist()]
    seen: set[int] = set()
    for key_, removed in zip(keys, found, strict=True):
        assert removed == (key_ in everywhere or (keep == "first" and key_ in seen))
        seen.add(key_)


def test_keys_of_another_text_are_refused():
    removals = Removals(*split_of([1, 5], set()), keep="none")
    for unknown in (0, 3, 2**64 - 1):
        with pytest.raises(ValueError, match="not in the digest"):
            removals(np.array([1, unknown], np.uint64))


def test_removed_lines_leave_the_text():
    batch = documents("Menu\n\n  One. \nMenu\nTwo.\n", "Menu\n\n", "Three.")
    keys, offsets = line_keys(batch)
    after = remove_lines(batch, offsets, keys == key("menu"))
    assert after["text"].to_pylist() == ["  One. \nTwo.", "", "Three."]
    assert after["lines_kept"].to_pylist() == [2, 0, 1]
    assert after["lines_removed"].to_pylist() == [2, 1, 0]
    assert after["dropped"].to_pylist() == [None, "no_lines_left", None]
    assert after.schema.field("lines_kept").type == pa.int32()


def test_dropped_documents_stay_as_they_are():
    batch = documents("Menu\n\nMenu", "", dropped="too_short")
    keys, offsets = line_keys(batch)
    after = remove_lines(batch, offsets, np.ones(len(keys), bool))
    assert after["text"].to_pylist() == ["Menu\n\nMenu", ""]
    assert after["dropped"].to_pylist() == ["too_short", "too_short"]
    assert after["lines_kept"].to_pylist() == [None, None]


def test_real_pages_lose_their_menus(shared_data):
    path = shared_data / "web/derived-realpages-00000.warc.wet.gz"
    with path.open("rb") as stream:
        (batch,) = read_wet(stream, collection="test", report=ReadReport())
    keys, offsets = line_keys(batch)
    assert keys.tolist() == [
        key(line) for text in batch["text"].to_pylist() for line in text.split("\n") if line.strip()
    ]
    unique, counts = np.unique(keys, return_counts=True)
    after = remove_lines(batch, offsets, Removals(unique, counts > 1, "none")(keys))
    kept_text = "\n".join(after["text"].to_pylist()).split("\n")
    assert len(set(map(key, kept_text))) == len(kept_text)
    assert "Startseite" not in kept_text
