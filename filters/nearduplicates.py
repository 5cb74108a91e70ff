"""Near-duplicate books: which pairs to look at, and whether two books are one. Plain numpy.

A book is the sorted array of its distinct shingles, each five lower-cased words, hashed to 64 bits. Its signature is
the first shingle in each of `BINS` equal ranges of the hash space: a MinHash by one permutation (Li, Owen, Zhang 2012,
"One Permutation Hashing", arXiv 1208.1259), which a sorted array holds already, so that it costs a look-up where `BINS`
permutations would each cost a pass. Two books agree in a bin with the probability of their Jaccard similarity.

Bands of `ROWS` bins are hashed; books that share a band are a candidate pair (locality-sensitive hashing). If a book
holds 90 % of another a third as long, their Jaccard similarity is 0.29 or more: `BINS` / `ROWS` bands propose such a
pair with a probability of 1 - (1 - 0.29^2)^64 = 0.996. Unrelated books, at 0.002 or less, meet there once in 4,000
pairs; comparing a byte of every bin (`similar`) leaves none of them.
"""

import hashlib
import math
import re
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Shingles = npt.NDArray[np.uint64]
Indices = npt.NDArray[np.int64]

WORDS = 5
BINS, ROWS = 128, 2
PART_CHARACTERS = 1 << 20

_WORD = re.compile(r"[^\W_]+")
_ODD = np.uint64(0x9E3779B97F4A7C15)
_STARTS = np.array([(i << 64) // BINS for i in range(BINS)], np.uint64)


def shingles(text: str) -> Shingles:
    """The distinct shingles of a text, sorted: each the hash of `WORDS` lower-cased words in a row.

    A word is a run of letters and digits. A text of fewer words is one shingle; without words it has none.
    """
    hashes = np.concatenate([np.empty(0, np.uint64), *(_word_hashes(part) for part in _parts(text))])
    if not len(hashes):
        return hashes
    length = min(WORDS, len(hashes))
    mixed = np.zeros(len(hashes) - length + 1, np.uint64)
    for offset in range(length):
        mixed = _mix(mixed + hashes[offset : offset + len(mixed)])
    return np.unique(mixed)


def _parts(text: str) -> Iterator[str]:
    """The text in pieces of about `PART_CHARACTERS`, cut between lines: words as objects take ten times their size."""
    start = 0
    while start < len(text):
        end = text.find("\n", start + PART_CHARACTERS) + 1 or len(text)
        yield text[start:end]
        start = end


def _word_hashes(text: str) -> Shingles:
    """The hash of each word, hashed once for each distinct one."""
    words = pa.array(_WORD.findall(text.lower()), pa.string()).dictionary_encode()
    digests = [hashlib.blake2b(word.encode(), digest_size=8).digest() for word in words.dictionary.to_pylist()]
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)[words.indices.to_numpy()]


def _mix(values: Shingles) -> Shingles:
    """A bijection of 64-bit numbers in which every bit depends on every other (splitmix64's finaliser)."""
    values = values + _ODD
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def signature(book: Shingles) -> Shingles:
    """The first shingle in each bin, shape (BINS,); of an empty bin the next one's, from the last on the first."""
    if not len(book):
        return np.zeros(BINS, np.uint64)
    return book[np.searchsorted(book, _STARTS) % len(book)]


def bands(signatures: Shingles) -> Shingles:
    """The key of every band of signatures of shape (n, BINS): shape (n, BINS / ROWS)."""
    rows = signatures.reshape(len(signatures), -1, ROWS)
    keys = np.broadcast_to(np.arange(rows.shape[1], dtype=np.uint64), rows.shape[:2])
    for row in range(ROWS):
        keys = _mix(keys ^ rows[:, :, row])
    return keys


def sketches(signatures: Shingles) -> npt.NDArray[np.uint8]:
    """A byte of every bin, shape (n, BINS): enough to tell that two books are nothing alike."""
    return signatures.astype(np.uint8)


def candidates(keys: Shingles, most: int = 64) -> tuple[Indices, Indices]:
    """The pairs of positions in `keys` that hold the same key, the first position before the second.

    Where a key has more than `most` positions, each is paired with the first `most` alone, which connects them as well
    and keeps the number of pairs from growing with the square.
    """
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1]))) if len(keys) else np.empty(0, int)
    first = np.repeat(starts, np.diff(np.append(starts, len(keys))))  # where the run of each position starts
    pairs: list[tuple[Indices, Indices]] = []
    for step in range(most):
        partner = first + step
        where = np.flatnonzero(partner < np.arange(len(keys)))
        if not len(where):
            break
        pairs.append((order[partner[where]], order[where]))
    empty = np.empty(0, np.int64)
    left, right = (np.concatenate([empty, *side]) for side in (zip(*pairs, strict=True) if pairs else ([], [])))
    return np.minimum(left, right), np.maximum(left, right)


def similar(
    left: npt.NDArray[np.uint8], right: npt.NDArray[np.uint8], share: float, times: float
) -> npt.NDArray[np.bool_]:
    """Whether rows of two sketches, shape (n, BINS), agree in so many bins that the pair is worth comparing.

    `share` of the smaller book found in one `times` as long is the least similar pair that counts; 99.9 % of such pass.
    """
    jaccard = share / (1 + times - share)
    least = BINS * jaccard - 3.3 * math.sqrt(BINS * jaccard * (1 - jaccard))
    return (left == right).sum(axis=1) >= least


def containment(one: Shingles, other: Shingles) -> float:
    """The share of the smaller book's shingles that the other holds too; 0 where one has none."""
    small, large = sorted((one, other), key=len)
    if not len(small):
        return 0.0
    places = np.searchsorted(large, small)
    return float((large[np.minimum(places, len(large) - 1)] == small).mean())


def components(left: Indices, right: Indices) -> Indices:
    """The connected component of each node that an edge names: shape (max + 1,), its smallest node."""
    root = np.arange(int(max(left.max(initial=-1), right.max(initial=-1))) + 1)
    while True:  # hook the larger root below the smaller, then halve every path: O(log n) rounds
        smaller = np.minimum(root[left], root[right])
        before = root.copy()
        np.minimum.at(root, root[left], smaller)
        np.minimum.at(root, root[right], smaller)
        root = root[root]
        if (root == before).all():
            return root
