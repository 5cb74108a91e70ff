"""Near-duplicate books as a round: a Beam job that proposes pairs, confirms them, and keeps one book of each cluster.

    signatures -> (group, partition of band keys) -> candidate pairs -> (group, two chunks of splits) -> confirmed pairs
    -> group -> clusters -> (group, chunk) -> a verdict for each split

What travels is the keys of bands and a byte of each bin for the proposal, then pairs of numbers. Shingles stay in the
files of their splits, and are read for the pairs that are compared exactly.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa

from filters.nearduplicates import (
    BINS,
    Shingles,
    bands,
    candidates,
    components,
    containment,
    similar,
    sketches,
)
from pipelines import store
from pipelines.runners import job
from pipelines.signatures import VERDICTS
from pipelines.tasks import Task, Work, perform

CHUNK = 32
PARTITION_BYTES = 64 << 20
COMPARED = 1 << 16  # pairs whose sketches are compared at a time
ChunkKey = tuple[int, int]  # a group's number, and the first of the chunk's splits
Book = int  # the number of its split in the group << 32 | its place in the split
Node = tuple[int, str]  # a book's characters and id


@dataclass(frozen=True)
class _Chunk:
    """Up to `CHUNK` consecutive splits of one group."""

    group: int
    first: int
    partitions: int
    tasks: tuple[Task, ...]

    @property
    def key(self) -> ChunkKey:
        return self.group, self.first


@dataclass(frozen=True)
class _Packed:
    """The band keys of a chunk's books in one partition: what the first shuffle carries."""

    books: bytes  # int64, shape (n,)
    characters: bytes  # int64, shape (n,)
    sketches: bytes  # uint8, shape (n, BINS)
    keys: bytes  # uint64, shape (m,)
    places: bytes  # uint32, shape (m,): of which of `books` each key is


def _chunks(groups: Sequence[Sequence[Task]]) -> Iterator[_Chunk]:
    for number, tasks in enumerate(groups):
        partitions = -(-sum(task.inputs["signatures"].size for task in tasks) // PARTITION_BYTES)
        for first in range(0, len(tasks), CHUNK):
            yield _Chunk(number, first, max(1, partitions), tuple(tasks[first : first + CHUNK]))


def _read_signatures(task: Task) -> pa.Table:
    return pa.ipc.open_file(store.read_bytes(task.inputs["signatures"].path)).read_all()


def _pack(chunk: _Chunk) -> Iterator[tuple[tuple[int, int], _Packed]]:
    tables = [_read_signatures(task) for task in chunk.tasks]
    numbers = [(chunk.first + i << 32) + np.arange(len(table), dtype=np.int64) for i, table in enumerate(tables)]
    books = np.concatenate(numbers)
    table = pa.concat_tables(tables)
    joined = b"".join(table["signature"].to_pylist())
    signatures = np.frombuffer(joined, "<u8").astype(np.uint64).reshape(-1, BINS)
    characters, bytes_ = table["characters"].to_numpy(), sketches(signatures)
    keys = bands(signatures)
    keys[~signatures.any(axis=1)] = 0  # a book without words
    of = np.broadcast_to(np.arange(len(books), dtype=np.uint32)[:, None], keys.shape)
    partition = (keys >> np.uint64(32)) * np.uint64(chunk.partitions) >> np.uint64(32)
    for number in range(chunk.partitions):
        here = (partition == number) & (keys != 0)
        present, places = np.unique(of[here], return_inverse=True)
        arrays = books[present], characters[present], bytes_[present], keys[here], places.astype(np.uint32)
        yield (chunk.group, number), _Packed(*(array.tobytes() for array in arrays))


def _propose(
    element: tuple[tuple[int, int], Iterable[_Packed]], share: float, times: float
) -> Iterator[tuple[ChunkKey, tuple[int, bytes]]]:
    """The candidate pairs of one partition, by the two chunks that their books are in."""
    (group, _), packed = element
    parts = sorted(packed, key=lambda p: p.books)
    books = np.concatenate([np.frombuffer(p.books, np.int64) for p in parts])
    characters = np.concatenate([np.frombuffer(p.characters, np.int64) for p in parts])
    sketch = np.concatenate([np.frombuffer(p.sketches, np.uint8).reshape(-1, BINS) for p in parts])
    keys = np.concatenate([np.frombuffer(p.keys, np.uint64) for p in parts])
    before = np.cumsum([0, *(len(p.books) // 8 for p in parts)])
    places = [np.frombuffer(p.places, np.uint32) + start for p, start in zip(parts, before, strict=False)]
    of = np.concatenate(places).astype(np.int64)
    left, right = (of[side] for side in candidates(keys))
    pairs = np.unique(np.stack([np.minimum(left, right), np.maximum(left, right)], axis=1), axis=0)
    lengths = np.sort(characters[pairs], axis=1)
    pairs = pairs[lengths[:, 0] * times >= lengths[:, 1]]
    alike = [
        similar(sketch[some[:, 0]], sketch[some[:, 1]], share, times)
        for some in (pairs[i : i + COMPARED] for i in range(0, len(pairs), COMPARED))
    ]
    found = np.sort(books[pairs[np.concatenate([np.empty(0, bool), *alike])]], axis=1)
    chunks = (found >> 32) // CHUNK * CHUNK
    for first, second in np.unique(chunks, axis=0).tolist():
        here = (chunks == (first, second)).all(axis=1)
        yield (group, first), (second, found[here].tobytes())


def _send_on(element: tuple[ChunkKey, dict[str, Iterable[Any]]]) -> Iterator[tuple[ChunkKey, tuple[_Chunk, bytes]]]:
    """Pairs that have met the chunk of their first book go to the chunk of their second."""
    (group, _), joined = element
    (chunk,) = joined["chunk"]
    by_second: dict[int, list[bytes]] = {}
    for second, pairs in joined["pairs"]:
        by_second.setdefault(second, []).append(pairs)
    for second, some in by_second.items():
        yield (group, second), (chunk, b"".join(some))


def _confirm(
    element: tuple[ChunkKey, dict[str, Iterable[Any]]], share: float
) -> Iterator[tuple[int, tuple[list[tuple[Book, Book]], dict[Book, Node]]]]:
    """The pairs of which one book holds more than `share` of the other."""
    (group, _), joined = element
    (second,) = joined["chunk"]
    for first, packed in sorted(joined["pairs"], key=lambda pair: pair[0].first):
        shelf = _Shelf({chunk.first: chunk for chunk in (first, second)})
        pairs = np.unique(np.frombuffer(packed, np.int64).reshape(-1, 2), axis=0)
        edges = [(a, b) for a, b in pairs.tolist() if containment(shelf.shingles(a), shelf.shingles(b)) > share]
        if edges:
            yield group, (edges, {book: shelf.node(book) for edge in edges for book in edge})


class _Shelf:
    """The books of a few chunks, read when they are asked for."""

    def __init__(self, chunks: Mapping[int, _Chunk]) -> None:
        self._chunks = chunks
        self.shingles = lru_cache(maxsize=4)(self._shingles)
        self._files = lru_cache(maxsize=8)(self._file)
        self._tables = lru_cache(maxsize=8)(lambda split: _read_signatures(self._task(split)))

    def _task(self, split: int) -> Task:
        return self._chunks[split // CHUNK * CHUNK].tasks[split % CHUNK]

    def _file(self, split: int) -> pa.ipc.RecordBatchFileReader:
        return pa.ipc.open_file(store.open_read(self._task(split).inputs["shingles"].path))

    def _shingles(self, book: Book) -> Shingles:
        found: Shingles = self._files(book >> 32).get_batch(book & 0xFFFFFFFF)["shingle"].to_numpy()
        return found

    def node(self, book: Book) -> Node:
        table, place = self._tables(book >> 32), book & 0xFFFFFFFF
        return table["characters"][place].as_py(), table["id"][place].as_py()


def _connect(
    element: tuple[int, Iterable[tuple[list[tuple[Book, Book]], dict[Book, Node]]]],
) -> Iterator[tuple[ChunkKey, tuple[Book, str]]]:
    """For each book that goes, the id of the one that stays: the longest of its cluster, ties by id."""
    group, confirmed = element
    edges: list[tuple[Book, Book]] = []
    nodes: dict[Book, Node] = {}
    for some, described in confirmed:
        edges += some
        nodes |= described
    books = np.array(sorted(nodes), np.int64)
    left, right = np.searchsorted(books, np.array(edges, np.int64).T)
    clusters: dict[int, list[Book]] = {}
    for book, cluster in zip(books.tolist(), components(left, right).tolist(), strict=True):
        clusters.setdefault(cluster, []).append(book)
    for cluster_books in clusters.values():
        ranked = sorted(cluster_books, key=lambda b: (-nodes[b][0], nodes[b][1], b))
        for book in ranked[1:]:
            yield (group, (book >> 32) // CHUNK * CHUNK), (book, nodes[ranked[0]][1])


def _publish(element: tuple[ChunkKey, dict[str, Iterable[Any]]]) -> None:
    """Write the verdicts of a chunk's splits, each as the output of that split's task."""
    _, joined = element
    (chunk,) = joined["chunk"]
    gone = dict(joined["gone"])
    for i, task in enumerate(chunk.tasks):
        number = chunk.first + i << 32
        kept = [gone.get(number + place) for place in range(len(_read_signatures(task)))]
        perform(task, partial(_write, kept))


def _write(kept: Sequence[str | None], work: Work) -> None:
    path = work.output("verdicts", f"rounds/{work.task.stage}", ".arrow")
    with pa.ipc.new_file(path, VERDICTS) as writer:
        writer.write_table(pa.table([pa.array(kept, pa.string())], schema=VERDICTS))
    work.counts.update(books=len(kept), removed=sum(one is not None for one in kept))


def find(groups: Sequence[Sequence[Task]], name: str, runner: str, options: Sequence[str]) -> None:
    """Decide which books of each group of splits go, and leave verdicts and a record for each split.

    Two books are one if more than the setting `share` of the smaller one's shingles are in the other, and the longer
    has at most `times` as many characters; so are books connected by such pairs.
    """
    chunks = list(_chunks(groups))
    share, times = (chunks[0].tasks[0].settings[name] for name in ("share", "times"))
    with job(name, runner, options) as pipeline:
        keyed = pipeline | "List chunks" >> beam.Create([(chunk.key, chunk) for chunk in chunks])
        proposed = (
            pipeline
            | "List splits" >> beam.Create(chunks)
            | "Spread" >> beam.Reshuffle()
            | "Pack bands" >> beam.FlatMap(_pack)
            | "By partition" >> beam.GroupByKey()
            | "Propose" >> beam.FlatMap(_propose, share, times)
        )
        met = (
            {"pairs": proposed, "chunk": keyed}
            | "By first" >> beam.CoGroupByKey()
            | "Send on" >> beam.FlatMap(_send_on)
        )  # fmt: skip
        gone = (
            {"pairs": met, "chunk": keyed}
            | "By second" >> beam.CoGroupByKey()
            | "Confirm" >> beam.FlatMap(_confirm, share)
            | "By group" >> beam.GroupByKey()
            | "Connect" >> beam.FlatMap(_connect)
        )
        _ = (
            {"gone": gone, "chunk": keyed}
            | "By split" >> beam.CoGroupByKey()
            | "Write verdicts" >> beam.ParDo(_publish)
        )
