"""Deduplication against a plain model of it, over any splits, chunks and number of partitions."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.deduplicate import Digest, Keep, decide, pack, partitions, read_bitmap, unpack, write_bitmap

KEYS = st.integers(0, 2**64 - 1) | st.integers(0, 5) | st.integers(2**63 - 3, 2**63 + 3)
SPLITS = st.lists(st.lists(KEYS, max_size=30), min_size=1, max_size=7)


def bitmaps(splits: list[list[int]], keep: Keep, number: int, chunk: int) -> list[np.ndarray]:
    digests = [Digest.of(np.array(keys, dtype=np.uint64)) for keys in splits]
    chunks = {first: digests[first : first + chunk] for first in range(0, len(digests), chunk)}
    shuffled: dict[int, list] = {}
    for first in sorted(chunks, reverse=True):  # the shuffle promises no order
        for partition, packed in pack(first, chunks[first], number):
            shuffled.setdefault(partition, []).append(packed)
    decided: dict[int, list] = {first: [] for first in chunks}
    for partition in sorted(shuffled, reverse=True):
        for first, counts, bits in decide(shuffled[partition], keep):
            decided[first].append((partition, counts, bits))
    return [bits for first in sorted(decided) for bits in unpack(decided[first])]


@given(SPLITS, st.integers(1, 5), st.integers(1, 4))
def test_keep_none_removes_every_key_that_occurs_twice_or_more(splits, number, chunk):
    occurrences = Counter(key for keys in splits for key in keys)
    for keys, bits in zip(splits, bitmaps(splits, "none", number, chunk), strict=True):
        assert bits.tolist() == [occurrences[key] > 1 for key in sorted(set(keys))]


@given(SPLITS, st.integers(1, 5), st.integers(1, 4))
def test_keep_first_removes_a_key_from_all_but_the_first_split_that_has_it(splits, number, chunk):
    seen: set[int] = set()
    for keys, bits in zip(splits, bitmaps(splits, "first", number, chunk), strict=True):
        assert bits.tolist() == [key in seen for key in sorted(set(keys))]
        seen |= set(keys)


@given(st.lists(KEYS, max_size=50))
def test_a_digest_survives_its_file(tmp_path_factory, keys):
    path = tmp_path_factory.mktemp("digest") / "a"
    digest = Digest.of(np.array(keys, dtype=np.uint64))
    digest.write(path)
    read = Digest.read(path.read_bytes())
    assert read.keys.tolist() == digest.keys.tolist()
    assert read.repeated.tolist() == digest.repeated.tolist()


@given(st.lists(st.booleans(), max_size=70))
def test_a_bitmap_survives_its_file(tmp_path_factory, bits):
    path = tmp_path_factory.mktemp("bitmap") / "a"
    write_bitmap(path, np.array(bits, bool))
    assert read_bitmap(path.read_bytes()).tolist() == bits


@pytest.mark.parametrize(("keys", "expected"), [(0, 1), (1, 1), (16 << 20, 1), ((16 << 20) + 1, 2), (320 << 20, 20)])
def test_a_partition_holds_at_most_128_mb_of_keys(keys, expected):
    assert partitions(keys) == expected
