from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.order import Mixture, SourceOrder, join_small, permutation, windows_in

TABLE_1 = [6700, 1500, 450, 450, 450, 250, 200]  # LLaMA's weights in 1/10,000


def test_table_1_repeats_every_200_samples():
    mixture = Mixture(TABLE_1)
    assert mixture.period == 200
    assert [mixture.deal(n)[0] for n in range(200)] == [mixture.deal(n)[0] for n in range(200, 400)]
    assert mixture.dealt(200).tolist() == [134, 30, 9, 9, 9, 5, 4]


@given(st.lists(st.integers(0, 60), min_size=1, max_size=8).filter(any))
def test_no_source_strays_a_whole_sample_from_its_quota(shares):
    mixture = Mixture(shares)
    counts = [0] * len(shares)
    for number in range(2 * mixture.period):
        source, earlier = mixture.deal(number)
        assert earlier == counts[source]
        counts[source] += 1
        assert counts == mixture.dealt(number + 1).tolist()
        for share, count in zip(shares, counts, strict=True):
            assert abs(count - Fraction(share, sum(shares)) * (number + 1)) < 1


@given(st.integers(1, 10**12), st.lists(st.integers(0, 10_000), min_size=2, max_size=5).filter(any))
def test_dealing_is_the_same_far_out(number, shares):
    mixture = Mixture(shares)
    source, earlier = mixture.deal(number)
    before, after = mixture.dealt(number), mixture.dealt(number + 1)
    assert earlier == before[source]
    assert (after - before).tolist() == [int(index == source) for index in range(len(shares))]


@given(st.integers(1, 5_000), st.integers(), st.text())
def test_a_permutation_holds_each_number_once(size, seed, name):
    assert sorted(permutation(size, seed, name)) == list(range(size))


def test_permutations_depend_on_every_part_of_their_key():
    orders = {
        tuple(permutation(1000, *key)) for key in [(0, "a", 0), (1, "a", 0), (0, "b", 0), (0, "a", 1), (0, "a", 0, 0)]
    }
    assert len(orders) == 5


def test_a_permutation_never_changes():
    # Recorded once: another order under the same ORDER_VERSION would change what resumed runs read.
    assert permutation(10, 0, "wikipedia", 0).tolist() == [3, 4, 2, 5, 6, 9, 0, 1, 7, 8]


def test_permutations_look_random():
    # Over many keys every number lands on every place equally often: chi-squared, 11 * 11 degrees of freedom.
    counts = np.zeros((12, 12))
    for key in range(3_000):
        counts[np.arange(12), permutation(12, key)] += 1
    chi_squared = ((counts - 250) ** 2 / 250).sum()
    assert 70 < chi_squared < 190  # p = 0.0001 on either side


def test_large_row_groups_are_segments_of_their_own():
    assert join_small([2_000_000, 2_000_000, 1_999_000], context=2048) == [range(0, 1), range(1, 2), range(2, 3)]


def test_small_row_groups_are_joined_and_the_rest_joins_the_last_segment():
    assert join_small([50, 60, 500, 10, 95, 3, 2], context=10, smallest=10) == [range(0, 2), range(2, 3), range(3, 7)]
    assert join_small([50, 40], context=10, smallest=10) == [range(0, 2)]
    assert join_small([], context=10) == []


@given(st.lists(st.integers(0, 400), max_size=40), st.integers(1, 20), st.integers(1, 5))
def test_segments_cover_all_row_groups_in_order(row_groups, context, smallest):
    segments = join_small(row_groups, context, smallest)
    assert [index for segment in segments for index in segment] == list(range(len(row_groups)))
    if len(segments) > 1:
        assert all(windows_in(sum(row_groups[i] for i in segment), context) >= smallest for segment in segments)


def test_windows_share_a_token_so_that_every_token_but_the_first_is_predicted():
    assert [windows_in(tokens, context=4) for tokens in (0, 1, 4, 5, 8, 9)] == [0, 0, 0, 1, 1, 2]


@given(st.lists(st.integers(1, 30), min_size=1, max_size=12), st.integers(1, 5), st.integers(0, 3))
def test_an_epoch_takes_each_window_once(segment_windows, block, epoch):
    order = SourceOrder("books", segment_windows, seed=3, block=block)
    first = epoch * order.windows
    places = [order.place(number) for number in range(first, first + order.windows)]
    assert {place.epoch for place in places} == {epoch}
    expected = Counter((segment, window) for segment, count in enumerate(segment_windows) for window in range(count))
    assert Counter((place.segment, place.window) for place in places) == expected


@given(st.lists(st.integers(1, 30), min_size=1, max_size=12), st.integers(1, 5))
def test_a_block_is_finished_before_the_next_begins(segment_windows, block):
    order = SourceOrder("books", segment_windows, seed=0, block=block)
    seen = list(dict.fromkeys(order.place(number).segment for number in range(order.windows)))
    last_use = {order.place(number).segment: number for number in range(order.windows)}
    first_use = {order.place(number).segment: number for number in reversed(range(order.windows))}
    for later in range(block, len(seen)):
        boundary = later - later % block  # the block that `seen[later]` belongs to starts here, if blocks are whole
        assert all(last_use[earlier] < first_use[seen[later]] for earlier in seen[:boundary])


def test_epochs_and_sources_differ_in_order():
    def segments(name, seed, epoch):
        order = SourceOrder(name, [10] * 50, seed=seed, block=4)
        return tuple(order.place(number).segment for number in range(epoch * 500, epoch * 500 + 500))

    assert len({segments("a", 0, 0), segments("a", 0, 1), segments("b", 0, 0), segments("a", 1, 0)}) == 4


@pytest.mark.parametrize("size", [1, 2, 3, 7_813, 65_536])
def test_sizes_at_the_edges_of_the_network_work(size):
    assert np.array_equal(np.sort(permutation(size, "edge")), np.arange(size))
