"""The order of samples, as pure integer arithmetic: no files, no state, no library's random stream.

    sample number --Mixture--> source, how many of its windows came before --SourceOrder--> segment, window

A *window* is a run of `context + 1` tokens; neighbouring windows share one token, so that every token but the first is
predicted exactly once an epoch. A *segment* is what windows do not cross: a row group, or several small ones joined. In
an epoch the segments of a source are permuted; each run of `block` of them is one *block*, and the windows of a block
are permuted together. So one reader with room for a block reads every row group once an epoch, though windows come
shuffled.
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from math import gcd
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

ORDER_VERSION = 1  # part of a run's recorded stream: raise it when this module gives another order
SEGMENT_WINDOWS = 128  # row groups of fewer windows are joined, so that under 1/128 of the tokens fall between windows
_ROUNDS = 8

IntArray = npt.NDArray[np.int64]


class Mixture:
    """Deals samples to sources in whole-number shares: whatever n, after n samples no source is a sample off its quota.

    The j-th sample (from 1) of a source with share w must fall into slots floor((j-1)/w) to ceil(j/w)-1, which is what
    "less than one off" means; giving each slot to the open source whose time runs out first always succeeds (the
    chairman assignment problem: Tijdeman 1980; Baruah et al. 1996 for the windows). The pattern repeats: with Table 1's
    shares, every 200 samples.
    """

    def __init__(self, units: Sequence[int]) -> None:
        """`units` holds each source's share, a non-negative integer. Only ratios matter; one must be positive."""
        divisor = gcd(*units)
        shares = [unit // divisor for unit in units]
        self.period = sum(shares)
        self.shares: IntArray = np.array(shares, dtype=np.int64)
        taken = [0] * len(shares)
        sources, ranks = [], []
        for slot in range(self.period):
            _, source = min(
                (-(-(taken[s] + 1) * self.period // share), s)
                for s, share in enumerate(shares)
                if share and taken[s] * self.period // share <= slot
            )
            sources.append(source)
            ranks.append(taken[source])
            taken[source] += 1
        self._sources = sources
        self._ranks = ranks

    def deal(self, number: int) -> tuple[int, int]:
        """The source of sample `number` (from 0), and how many earlier samples that source had."""
        periods, slot = divmod(number, self.period)
        source = self._sources[slot]
        return source, periods * int(self.shares[source]) + self._ranks[slot]

    def dealt(self, samples: int) -> IntArray:
        """How many of the first `samples` samples each source had, [sources]."""
        periods, slots = divmod(samples, self.period)
        begun = np.array(self._sources[:slots], dtype=np.int64)
        return periods * self.shares + np.bincount(begun, minlength=len(self.shares))


def permutation(size: int, *key: object) -> IntArray:
    """The numbers below `size` in an order that depends only on `key`, [size].

    A balanced Feistel network on the smallest 2h-bit square that holds `size`, its round keys drawn by BLAKE2b from the
    key; what falls outside is walked on along its cycle until it falls inside (Black and Rogaway 2002).
    """
    half = np.uint64(max(1, ((size - 1).bit_length() + 1) // 2))
    mask = (np.uint64(1) << half) - np.uint64(1)
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8 * _ROUNDS).digest()
    round_keys = np.frombuffer(digest, dtype="<u8").astype(np.uint64)
    numbers = np.arange(size, dtype=np.uint64)
    outside = np.arange(size)
    while outside.size:
        left, right = numbers[outside] >> half, numbers[outside] & mask
        for round_key in round_keys:
            left, right = right, left ^ (_mix(right ^ round_key) & mask)
        numbers[outside] = left << half | right
        outside = outside[numbers[outside] >= size]
    return numbers.astype(np.int64)


def _mix(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """splitmix64's finaliser: every input bit reaches every output bit."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def join_small(row_groups: Sequence[int], context: int, smallest: int = SEGMENT_WINDOWS) -> list[range]:
    """A source's segments, as ranges over its row groups (whose tokens are given, in the manifest's order).

    Row groups are joined, in order, until together they hold `smallest` windows; what is left at the end joins the last
    segment. A row group of two million tokens is a segment of its own.
    """
    segments, start, tokens = [], 0, 0
    for index, count in enumerate(row_groups):
        tokens += count
        if tokens > smallest * context:
            segments.append(range(start, index + 1))
            start, tokens = index + 1, 0
    if start < len(row_groups):
        first = segments.pop().start if segments else start
        segments.append(range(first, len(row_groups)))
    return segments


def windows_in(tokens: int, context: int) -> int:
    """How many windows of `context + 1` tokens, each starting at the last token of the one before, `tokens` hold."""
    return max(0, (tokens - 1) // context)


class Place(NamedTuple):
    """Where a sample lies in its source: the epoch, the segment, and the window inside that segment."""

    epoch: int
    segment: int
    window: int


class SourceOrder:
    """The order in which a source's windows are taken, epoch after epoch: `place(n)` is where the n-th one lies."""

    def __init__(self, name: str, segment_windows: Sequence[int], *, seed: int, block: int) -> None:
        """`segment_windows`: the windows in each segment; `block`: segments whose windows are shuffled together."""
        self.windows = sum(segment_windows)
        self._name = name
        self._segment_windows: IntArray = np.array(segment_windows, dtype=np.int64)
        self._seed = seed
        self._block = block
        # An epoch's order and a block's are worked out whole (milliseconds) and kept while they are in use.
        self._epoch_order = lru_cache(maxsize=2)(self._order_epoch)
        self._block_order = lru_cache(maxsize=3)(self._order_block)

    def place(self, number: int) -> Place:
        """Where window `number` lies (from 0, counted over all epochs)."""
        epoch, position = divmod(number, self.windows)
        _, starts = self._epoch_order(epoch)
        block = int(starts.searchsorted(position, side="right")) - 1
        segments, windows = self._block_order(epoch, block)
        offset = position - int(starts[block])
        return Place(epoch, int(segments[offset]), int(windows[offset]))

    def _order_epoch(self, epoch: int) -> tuple[IntArray, IntArray]:
        """The epoch's segments in order, [segments], and the position of each block's first window, [blocks]."""
        order = permutation(len(self._segment_windows), self._seed, self._name, epoch)
        starts = np.cumsum(self._segment_windows[order]) - self._segment_windows[order]
        return order, starts[:: self._block]

    def _order_block(self, epoch: int, block: int) -> tuple[IntArray, IntArray]:
        """The block's windows in order: the segment of each, and its number inside that segment, both [windows]."""
        order, _ = self._epoch_order(epoch)
        members = order[block * self._block : (block + 1) * self._block]
        counts = self._segment_windows[members]
        shuffled = permutation(int(counts.sum()), self._seed, self._name, epoch, block)
        segments = np.repeat(members, counts)
        windows = np.concatenate([np.arange(count) for count in counts])
        return segments[shuffled], windows[shuffled]
