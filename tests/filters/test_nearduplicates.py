"""Which books are one: estimates that propose, and exact shares that confirm."""

import random
import re

import numpy as np
import pytest
from datasketch import MinHash
from hypothesis import given
from hypothesis import strategies as st

from filters import nearduplicates
from filters.nearduplicates import (
    EMPTY,
    PERMUTATIONS,
    bands,
    candidates,
    components,
    containment,
    least_alike,
    rows,
    shingles,
    signature,
    similar,
    sketches,
)

WORDS = st.lists(st.sampled_from(["one", "two", "Three", "four", "five", "six"]), max_size=60)


def plain_shingles(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"[^\W_]+", text.lower())
    return {tuple(words[i : i + 5]) for i in range(max(1, len(words) - 4))} if words else set()


def book(seed: int, words: int) -> list[str]:
    draw = random.Random(seed)
    return [f"w{draw.randrange(3_000)}" for _ in range(words)]


@given(WORDS, WORDS)
def test_shingles_are_distinct_runs_of_five_lower_cased_words(one, other):
    first, second = "  ".join(one).upper(), "_" + ",\n".join(other)
    plain = plain_shingles(first), plain_shingles(second)
    hashed = shingles(first), shingles(second)
    assert [len(s) for s in hashed] == [len(s) for s in plain]
    assert all((np.diff(s.astype(object)) > 0).all() for s in hashed)
    small, large = sorted(plain, key=len)
    if len(plain[0]) != len(plain[1]):
        expected = len(small & large) / len(small) if small else 0
        assert containment(*hashed) == pytest.approx(expected)


def test_parts_of_a_text_do_not_show(monkeypatch):
    text = "\n".join(" ".join(book(line, 12)) for line in range(200))
    whole = shingles(text)
    monkeypatch.setattr(nearduplicates, "PART_CHARACTERS", 300)
    assert (shingles(text) == whole).all()


def test_a_signature_is_the_minhash_of_all_shingles_at_once_and_the_same_everywhere():
    one = shingles(" ".join(book(1, 3_000)))
    whole = MinHash(num_perm=128, seed=1, hashfunc=lambda shingle: shingle & 0xFFFFFFFF)
    for shingle in one.tolist():
        whole.update(shingle)
    assert (signature(one) == whole.hashvalues).all()
    assert signature(np.arange(5, dtype=np.uint64))[:3].tolist() == [214548472, 2241546430, 432229322]


@pytest.mark.parametrize("shared", [0.0, 0.3, 0.6, 0.95])
def test_signatures_agree_as_often_as_the_books_are_alike(shared):
    errors = []
    for seed in range(10):
        common = book(seed, 20_000)
        cut = int(shared * 20_000)
        one = shingles(" ".join(common))
        other = shingles(" ".join(common[:cut] + book(seed + 100, 20_000 - cut)))
        alike = len(np.intersect1d(one, other))
        jaccard = alike / (len(one) + len(other) - alike)
        errors.append((signature(one) == signature(other)).mean() - jaccard)
    assert abs(np.mean(errors)) < 0.04
    assert np.max(np.abs(errors)) < 0.2


def test_the_least_similar_pair_that_counts_is_proposed_and_strangers_are_not():
    found = strangers = 0
    for seed in range(40):
        story = book(seed, 4_000)
        edition = story[:3_800] + book(seed + 500, 8_000)  # holds 95 % of the story, three times as long
        books = [shingles(" ".join(words)) for words in (story, edition, book(seed + 900, 4_000))]
        signatures = np.array([signature(one) for one in books])
        keys, sketch = bands(signatures, rows(0.9, 3)), sketches(signatures)
        found += bool((keys[0] == keys[1]).any() and similar(sketch[:1], sketch[1:2], 0.9, 3)[0])
        strangers += bool(similar(sketch[:1], sketch[2:], 0.9, 3)[0])
    assert found >= 38
    assert strangers == 0


def test_bands_are_long_where_only_like_books_count_and_never_of_one_row():
    assert rows(0.9, 3) == 2
    for share in (0.01, 0.5, 0.9, 0.999999):
        lengths = [rows(share, times) for times in (1, 1.5, 3, 1_000)]
        assert lengths == sorted(lengths, reverse=True)
        assert lengths[-1] == 2
    for share, times in ((0.8, 1), (0.9, 1), (0.9, 1.5), (0.99, 1), (0.9, 2), (0.8, 3)):
        long = rows(share, times)
        assert 1 - (1 - least_alike(share, times) ** long) ** (PERMUTATIONS // long) > 0.97


def test_bands_are_equal_where_all_their_rows_are():
    signatures = np.zeros((2, PERMUTATIONS), np.uint32)
    signatures[1, [0, 5, 9]] = 1
    keys = bands(signatures, 3)
    assert keys.shape == (2, PERMUTATIONS // 3)
    assert len(np.unique(keys[0])) == len(keys[0])
    assert np.flatnonzero(keys[0] != keys[1]).tolist() == [0, 1, 3]


def test_short_books_have_signatures_too_and_empty_ones_are_told_by_theirs():
    for text in ("word", "five words make one shingle", "a b c d e f g"):
        assert signature(shingles(text)).shape == (PERMUTATIONS,)
        assert (signature(shingles(text)) != EMPTY).any()
    assert (signature(shingles("...")) == EMPTY).all()
    assert containment(shingles("A b"), shingles("a  B")) == 1
    assert containment(shingles(""), shingles("")) == 0


def pairs(keys: list[int], most: int) -> list[tuple[int, int]]:
    portions = list(candidates(np.array(keys, np.uint64), most))
    assert all(len(left) <= len(keys) for left, _ in portions)
    return [pair for left, right in portions for pair in zip(left.tolist(), right.tolist(), strict=True)]


@given(st.lists(st.integers(0, 8), max_size=40))
def test_candidates_are_the_pairs_with_one_key(keys):
    expected = [(i, j) for j in range(len(keys)) for i in range(j) if keys[i] == keys[j]]
    assert sorted(pairs(keys, most=len(keys))) == sorted(expected)


@given(st.lists(st.integers(0, 3), max_size=60), st.integers(1, 5))
def test_a_crowded_key_is_connected_by_few_pairs(keys, most):
    found = pairs(keys, most)
    assert len(found) <= most * len(keys)
    if found:
        of = components(*np.array(found).T)
        assert len({of[i] for i in range(len(of)) if keys.count(keys[i]) > 1}) == len(
            {key for key in keys if keys.count(key) > 1}
        )


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=60))
def test_components_are_what_edges_connect(edges):
    root = components(*(np.array([e[side] for e in edges], np.int64) for side in (0, 1)))
    groups = [{i} for i in range(31)]
    for a, b in edges:
        joined = groups[a] | groups[b]
        for node in joined:
            groups[node] = joined
    for node, found in enumerate(root.tolist()):
        assert found == min(groups[node])
