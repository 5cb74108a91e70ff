"""Which keys are repeated, decided a hash partition at a time: plain numpy, no engine.

A split's *digest* is its sorted unique 64-bit keys, each with a bit for "repeated here". `pack` cuts the digests of a
few splits into hash partitions; `decide` sees one partition of all splits and gives each split a bit a key: remove it,
or not; `unpack` joins a split's partitions again into one bitmap, in the order of its digest.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Keys = npt.NDArray[np.uint64]
Bits = npt.NDArray[np.bool_]
Keep = Literal["none", "first"]

PARTITION_BYTES = 128 << 20  # a partition's keys are sorted in memory: about five times this


@dataclass(frozen=True)
class Digest:
    """Sorted unique keys of one split, and which of them occur in it more than once."""

    keys: Keys
    repeated: Bits

    @classmethod
    def of(cls, keys: Keys) -> "Digest":
        unique, counts = np.unique(keys, return_counts=True)
        return cls(unique, counts > 1)

    def write(self, path: Path) -> None:
        table = pa.record_batch([pa.array(self.keys), pa.array(self.repeated)], names=["key", "repeated"])
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_batch(table)

    @classmethod
    def read(cls, data: bytes) -> "Digest":
        batch = pa.ipc.open_file(data).get_batch(0)
        return cls(batch["key"].to_numpy(), batch["repeated"].to_numpy(zero_copy_only=False))


@dataclass(frozen=True)
class Packed:
    """One hash partition of the digests of consecutive splits, `first` being the first one's number: what the shuffle
    carries.
    """

    first: int
    counts: bytes  # int64: keys of each split in this partition
    keys: bytes  # uint64: split after split, each sorted
    repeated: bytes  # packed bits beside `keys`


def partitions(total_keys: int) -> int:
    """How many partitions keep each one's keys under `PARTITION_BYTES` (SHA-1 keys are evenly spread)."""
    return max(1, -(-total_keys * 8 // PARTITION_BYTES))


def _bounds(number: int) -> Keys:
    """The first key of each of `number` equal ranges of the 64-bit space, apart from the first range's, which is 0."""
    return np.array([(i << 64) // number for i in range(1, number)], dtype=np.uint64)


def pack(first: int, digests: Sequence[Digest], number: int) -> Iterator[tuple[int, Packed]]:
    """Cut the digests of consecutive splits into `number` partitions: (partition, its keys)."""
    cuts = [np.concatenate(([0], np.searchsorted(d.keys, _bounds(number)), [len(d.keys)])) for d in digests]
    for partition in range(number):
        ranges = [(d, slice(cut[partition], cut[partition + 1])) for d, cut in zip(digests, cuts, strict=True)]
        counts = np.array([r.stop - r.start for _, r in ranges], dtype=np.int64)
        keys = np.concatenate([d.keys[r] for d, r in ranges])
        repeated = np.packbits(np.concatenate([d.repeated[r] for d, r in ranges]))
        yield partition, Packed(first, counts.tobytes(), keys.tobytes(), repeated.tobytes())


def decide(packed: Iterable[Packed], keep: Keep) -> Iterator[tuple[int, bytes, bytes]]:
    """For one partition of all splits: (first split, counts, packed bits) for each `Packed`, a set bit meaning
    "remove".

    `keep="none"` removes every occurrence of a key that occurs twice or more. `keep="first"` removes a key from every
    split but the first that has it; that split keeps its first occurrence.
    """
    parts = sorted(packed, key=lambda p: p.first)
    keys = np.concatenate([np.frombuffer(p.keys, np.uint64) for p in parts])
    order = np.argsort(keys, kind="stable")  # equal keys stay in the order of their splits
    ordered = keys[order]
    same = ordered[1:] == ordered[:-1]
    remove = np.zeros(len(keys), bool)
    if keep == "first":
        remove[order[1:]] = same
    else:
        here = [np.unpackbits(np.frombuffer(p.repeated, np.uint8), count=len(p.keys) // 8).view(bool) for p in parts]
        remove[order[1:]] |= same
        remove[order[:-1]] |= same
        remove |= np.concatenate(here)
    position = 0
    for part in parts:
        size = len(part.keys) // 8
        yield part.first, part.counts, np.packbits(remove[position : position + size]).tobytes()
        position += size


def unpack(decided: Iterable[tuple[int, bytes, bytes]]) -> list[Bits]:
    """A bitmap for each of some consecutive splits, from (partition, counts, packed bits) of every partition."""
    pieces: list[list[Bits]] = []
    for _, counts, bits in sorted(decided, key=lambda d: d[0]):
        ends = np.cumsum(np.frombuffer(counts, np.int64))
        flags = np.unpackbits(np.frombuffer(bits, np.uint8), count=int(ends[-1])).view(bool)
        pieces.append(np.split(flags, ends[:-1]))
    return [np.concatenate(split) for split in zip(*pieces, strict=True)]


def write_bitmap(path: Path, bits: Bits) -> None:
    path.write_bytes(len(bits).to_bytes(8, "little") + np.packbits(bits).tobytes())


def read_bitmap(data: bytes) -> Bits:
    return np.unpackbits(np.frombuffer(data, np.uint8, offset=8), count=int.from_bytes(data[:8], "little")).view(bool)


ROUND = (pack, decide, unpack, write_bitmap)  # what a round does: its fingerprint covers their code
