"""Near-duplicate books: which pairs to look at, and whether two books are one.

A book is the sorted array of its distinct shingles, each five lower-cased words, hashed to 64 bits. Its signature is a
MinHash (Broder 1997, "On the resemblance and containment of documents"), made by datasketch: two books agree in a
position of it with the probability of their Jaccard similarity.

Bands of a signature's positions are hashed; books that share a band are a candidate pair (locality-sensitive hashing).
datasketch's own index of bands is one dictionary in one process, so the keys are made here and meet wherever the
caller brings them together. If a book holds 90 % of another a third as long, their Jaccard similarity is 0.29 or more:
64 bands of 2 propose such a pair with a probability of 1 - (1 - 0.29^2)^64 = 0.996. Unrelated books, at 0.002 or less,
meet there once in 4,000 pairs; comparing a byte of every position (`similar`) leaves none of them.
"""

import hashlib
import math
import operator
import re
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Shingles = npt.NDArray[np.uint64]
Signatures = npt.NDArray[np.uint32]
Indices = npt.NDArray[np.int64]

WORDS = 5
PERMUTATIONS, SEED = 128, 1
EMPTY = np.uint32(0xFFFFFFFF)  # in every position of the signature of a book without words
PART_CHARACTERS = 1 << 20
BATCH = 1 << 10  # shingles whose permutations lie in memory, and so in the processor's cache, at a time
WEIGHTS = (0.01, 0.99)  # of a pair proposed in vain, and of one that is missed

_WORD = re.compile(r"[^\W_]+")
_ODD = np.uint64(0x9E3779B97F4A7C15)


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


def signature(book: Shingles) -> Signatures:
    """The book's MinHash, shape (PERMUTATIONS,), of the low 32 bits of its shingles."""
    from datasketch import MinHash  # it imports scipy, a second that no other source should pay

    minhash = MinHash(PERMUTATIONS, SEED, hashfunc=operator.index, scheme="affine32")
    low = book.astype(np.uint32)
    for start in range(0, len(low), BATCH):
        minhash.update_batch(low[start : start + BATCH].tolist())
    return minhash.digest()


def least_alike(share: float, times: float) -> float:
    """The Jaccard similarity of the least similar books that count: `share` of one is in another `times` as long."""
    return share / (1 + times - share)


def rows(share: float, times: float) -> int:
    """How many positions of a signature make a band: datasketch's optimum for the least similar books that count.

    At least 2: with 1, books would meet that have nothing in common but a phrase. Equal books need no longer bands than
    very similar ones do.
    """
    from datasketch import MinHashLSH

    index = MinHashLSH(min(0.9, least_alike(share, times)), PERMUTATIONS, WEIGHTS)
    return max(2, index.r)


def bands(signatures: Signatures, rows: int) -> Shingles:
    """The key of every band of signatures of shape (n, PERMUTATIONS): shape (n, PERMUTATIONS // rows)."""
    number = PERMUTATIONS // rows
    banded = signatures[:, : number * rows].reshape(-1, number, rows)
    keys = np.broadcast_to(np.arange(number, dtype=np.uint64), banded.shape[:2])
    for row in range(rows):
        keys = _mix(keys ^ banded[:, :, row])
    return keys


def sketches(signatures: Signatures) -> npt.NDArray[np.uint8]:
    """A byte of every position, shape (n, PERMUTATIONS): enough to tell that two books are nothing alike."""
    return signatures.astype(np.uint8)


def candidates(keys: Shingles, most: int = 16) -> Iterator[tuple[Indices, Indices]]:
    """The pairs of positions in `keys` that hold the same key, the first position before the second, in portions.

    Where a key has more than `most` positions, each is paired with the first `most` alone, which connects them as well
    and keeps the number of pairs from growing with the square. A portion has no more pairs than there are keys.
    """
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1]))) if len(keys) else np.empty(0, int)
    first = np.repeat(starts, np.diff(np.append(starts, len(keys))))  # where the run of each position starts
    later = np.arange(len(keys))
    for step in range(most):
        later = later[first[later] + step < later]
        if not len(later):
            return
        yield order[first[later] + step], order[later]


def similar(
    left: npt.NDArray[np.uint8], right: npt.NDArray[np.uint8], share: float, times: float
) -> npt.NDArray[np.bool_]:
    """Whether rows of two sketches, shape (n, PERMUTATIONS), agree so often that the pair is worth comparing.

    Of the least similar books that count 99.9 % do.
    """
    jaccard = least_alike(share, times)
    least = PERMUTATIONS * jaccard - 3.3 * math.sqrt(PERMUTATIONS * jaccard * (1 - jaccard))
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
