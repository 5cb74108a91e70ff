"""Can near-duplicates be proposed among more books than one worker's memory should hold?

    python -m benchmarks.editions --books 200000

makes signatures as if of so many books (no texts), of which any two agree in a position with a probability of 0.002,
and every tenth is one of `--editions` that agree in 0.8; packs them into partitions of band keys as the round does, and
proposes pairs a partition at a time. `--copies` makes so many more of one book. Prints what each partition takes.
"""

import argparse
import math
import time
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from filters.nearduplicates import PERMUTATIONS, Indices, Shingles, Signatures, candidates, signature
from pipelines.nearduplicates import CHUNK, PARTITION_BYTES
from pipelines.signatures import SIGNATURES, Packed, pack, propose

SHARE, TIMES = 0.9, 3.0
STRANGERS, ALIKE = 0.002, 0.8  # how often two books, and two editions, agree
SPLIT_BOOKS = 150  # in 64 MB of text


def mixed(draw: np.random.Generator, one: Signatures, other: Signatures, share: float) -> Signatures:
    """`one`, with that share of its positions from `other`."""
    return np.where(draw.random(one.shape) < share, other, one)


def signatures(books: int, editions: int, copies: int) -> Signatures:
    """Shape (books + copies, PERMUTATIONS): editions of one work stand side by side, copies at the end."""
    draw = np.random.default_rng(0)
    random = draw.integers(0, 1 << 32, (books, PERMUTATIONS), np.uint32)
    stock = draw.integers(0, 1 << 32, PERMUTATIONS, np.uint32)
    random = mixed(draw, random, np.broadcast_to(stock, random.shape), math.sqrt(STRANGERS))
    several = books // 10 // editions * editions
    works = np.repeat(random[:several:editions], editions, axis=0)
    random[:several] = mixed(draw, random[:several], works, math.sqrt(ALIKE))
    return np.concatenate([random, np.broadcast_to(random[-1], (copies, PERMUTATIONS))])


def splits(made: Signatures) -> Iterator[pa.Table]:
    for start in range(0, len(made), SPLIT_BOOKS):
        some = [row.tobytes() for row in made[start : start + SPLIT_BOOKS]]
        ids, characters = [str(start + i) for i in range(len(some))], [400_000] * len(some)
        yield pa.table([ids, characters, pa.array(some, SIGNATURES.field("signature").type)], schema=SIGNATURES)


def speed_of_signatures() -> float:
    """Shingles a second, in one thread."""
    book: Shingles = np.random.default_rng(0).integers(0, 1 << 63, 1_000_000).astype(np.uint64)
    started = time.process_time()
    signature(book)
    return len(book) / (time.process_time() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--books", type=int, default=200_000)
    parser.add_argument("--editions", type=int, default=3)
    parser.add_argument("--copies", type=int, default=0)
    arguments = parser.parse_args()
    print(f"{speed_of_signatures() / 1e6:.1f} M shingles/s into signatures")

    tables = list(splits(signatures(arguments.books, arguments.editions, arguments.copies)))
    number = sum(len(table) for table in tables)
    partitions = -(-number * PERMUTATIONS * 4 // PARTITION_BYTES)
    packed: list[list[Packed]] = [[] for _ in range(partitions)]
    started, largest = time.process_time(), 0
    for first in range(0, len(tables), CHUNK):
        some = list(pack(first, tables[first : first + CHUNK], partitions, SHARE, TIMES))
        for partition, one in zip(packed, some, strict=True):
            partition.append(one)
            largest = max(largest, size(one))
    seconds = time.process_time() - started
    shuffled = sum(size(one) for partition in packed for one in partition)
    print(
        f"{number:,} books: {shuffled / 1e6:.0f} MB packed in {seconds:.1f} s into {partitions} partitions, "
        f"the largest element {largest / 1e6:.1f} MB"
    )

    found: list[Indices] = []
    tracemalloc.start()
    for decided, parts in enumerate(packed):
        keys = np.concatenate([np.frombuffer(one.keys, np.uint64) for one in parts])
        met = sum(len(left) for left, _ in candidates(keys))
        del keys
        tracemalloc.reset_peak()
        before, started = tracemalloc.get_traced_memory()[0], time.process_time()
        pairs = propose(parts, SHARE, TIMES)
        seconds = time.process_time() - started
        peak = tracemalloc.get_traced_memory()[1] - before
        print(
            f"partition {decided}: {sum(map(size, parts)) / 1e6:.0f} MB, {peak / 1e6:.0f} MB more while it is "
            f"decided, {seconds:.1f} s; {met:,} times two books shared a band, {len(pairs):,} pairs to compare"
        )
        found.append(pairs)
    print(f"{len(np.unique(np.concatenate(found), axis=0)):,} pairs to compare in all")


def size(one: Packed) -> int:
    return sum(map(len, vars(one).values()))


if __name__ == "__main__":
    main()
