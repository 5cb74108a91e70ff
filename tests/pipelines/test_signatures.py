"""What the round over books decides by: bands cut into partitions, and the pairs that they propose."""

from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest

from filters.nearduplicates import EMPTY, PERMUTATIONS
from pipelines import signatures
from pipelines.signatures import SIGNATURES, pack, propose

SHARE, TIMES = 0.9, 3.0
WORKS, EDITIONS = 60, 4


def table(rows: np.ndarray, characters: list[int]) -> pa.Table:
    stored = pa.array([row.tobytes() for row in rows], SIGNATURES.field("signature").type)
    return pa.table([[str(i) for i in range(len(rows))], characters, stored], schema=SIGNATURES)


def editions() -> np.ndarray:
    """Signatures of works one after the other; two editions of one agree in two thirds of the positions."""
    draw = np.random.default_rng(0)
    works = draw.integers(0, 1 << 32, (WORKS, PERMUTATIONS), np.uint32).repeat(EDITIONS, axis=0)
    return np.where(draw.random(works.shape) < 0.8, works, draw.integers(0, 1 << 32, works.shape, np.uint32))


def proposed(splits: list[pa.Table], partitions: int, chunk: int) -> set[tuple[int, int]]:
    packed = [list(pack(i, splits[i : i + chunk], partitions, SHARE, TIMES)) for i in range(0, len(splits), chunk)]
    parts = [propose(reversed(some), SHARE, TIMES) for some in zip(*packed, strict=True)]
    return {(int(a), int(b)) for pairs in parts for a, b in pairs}


@pytest.mark.parametrize(("partitions", "chunk"), [(1, 24), (1, 5), (7, 5), (40, 1)])
def test_editions_are_proposed_whatever_partitions_and_chunks(partitions, chunk):
    rows = editions()
    splits = [table(rows[i : i + 10], [1_000] * 10) for i in range(0, len(rows), 10)]
    number = [(i // 10 << 32) + i % 10 for i in range(len(rows))]
    same = [range(i, i + EDITIONS) for i in range(0, len(rows), EDITIONS)]
    expected = {(number[a], number[b]) for work in same for a, b in combinations(work, 2)}
    assert len(expected) == 360
    assert proposed(splits, partitions, chunk) == expected


def test_books_without_words_and_of_other_lengths_are_not_proposed():
    rows = editions()[[0, 0, 0, 0]]
    rows[2:] = EMPTY
    assert proposed([table(rows, [100, 300, 0, 0])], 3, 1) == {(0, 1)}
    assert proposed([table(rows, [100, 301, 0, 0])], 3, 1) == set()
    assert proposed([table(rows[2:], [0, 0]), table(rows[:0], [])], 3, 2) == set()


def test_copies_make_no_square_of_pairs():
    copies = editions()[:1].repeat(300, axis=0)
    pairs = proposed([table(copies, [100] * 300)], 2, 1)
    assert len(pairs) <= 16 * 300
    assert {b for _, b in pairs} | {a for a, _ in pairs} == set(range(300))


def test_pairs_are_compared_in_portions_of_any_size(monkeypatch):
    splits = [table(editions(), [100] * WORKS * EDITIONS)]
    whole = proposed(splits, 1, 1)
    monkeypatch.setattr(signatures, "COMPARED", 7)
    assert proposed(splits, 1, 1) == whole
