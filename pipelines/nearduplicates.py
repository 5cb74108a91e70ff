"""Near-duplicate books as a round: a chain of a Beam job that proposes pairs, confirms them, and keeps one book of each
cluster.

    chunk of splits -> (group, partition of band keys) -> candidate pairs -> the chunk of the first book -> the chunk of
    the second -> confirmed pairs -> group -> clusters -> the chunk of each book that goes -> a verdict for each split

What travels is the keys of bands and a byte of each position for the proposal, then pairs of numbers. Shingles stay in
the files of their splits, and are read for the pairs that are compared exactly. A chunk travels too, from one grouping
to the next under a key of its own: so what needs its tasks meets it, and the chain has no branch.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain as joined
from typing import TypeVar

import apache_beam as beam
import numpy as np
import pyarrow as pa

from filters.nearduplicates import Shingles, components, containment
from pipelines import store
from pipelines.runners import Chain
from pipelines.signatures import VERDICTS, Packed, pack, propose
from pipelines.tasks import Task, Work, perform

CHUNK = 32
PARTITION_BYTES = 32 << 20  # of signatures: ten times as much while a partition is decided
PARTITION, OF_CHUNK, OF_GROUP = "partition", "chunk", "group"
Key = tuple[str, int, int]  # what meets there, the number of its group, its own number
Book = int  # the number of its split in the group << 32 | its place in the split
Node = tuple[int, str]  # a book's characters and id
T = TypeVar("T")


@dataclass(frozen=True)
class _Chunk:
    """Up to `CHUNK` consecutive splits of one group."""

    group: int
    first: int
    partitions: int
    tasks: tuple[Task, ...]

    @property
    def key(self) -> Key:
        return OF_CHUNK, self.group, self.first


@dataclass(frozen=True)
class _Pairs:
    """Candidate pairs of which all first books are in one chunk, and all second books in another (or the same)."""

    second: int  # the other chunk's first split
    books: bytes  # int64, shape (n, 2)
    tasks: Mapping[int, Task]  # of the first books' splits by number, once they are known


@dataclass(frozen=True)
class _Confirmed:
    """Pairs of books that are one, and what decides which of them stays."""

    pairs: list[tuple[Book, Book]]
    nodes: Mapping[Book, Node]


@dataclass(frozen=True)
class _Gone:
    """A book that goes, and the id of the one that stays for it."""

    book: Book
    kept: str


def _chunks(groups: Sequence[Sequence[Task]]) -> Iterator[_Chunk]:
    for number, tasks in enumerate(groups):
        partitions = -(-sum(task.inputs["signatures"].size for task in tasks) // PARTITION_BYTES)
        for first in range(0, len(tasks), CHUNK):
            yield _Chunk(number, first, max(1, partitions), tuple(tasks[first : first + CHUNK]))


def _read_signatures(task: Task) -> pa.Table:
    return pa.ipc.open_file(store.read_bytes(task.inputs["signatures"].path)).read_all()


def _pack(chunk: _Chunk, share: float, times: float) -> Iterator[tuple[Key, _Chunk | Packed]]:
    yield chunk.key, chunk
    tables = [_read_signatures(task) for task in chunk.tasks]
    for number, packed in enumerate(pack(chunk.first, tables, chunk.partitions, share, times)):
        yield (PARTITION, chunk.group, number), packed


def _propose(
    element: tuple[Key, Iterable[_Chunk | Packed]], share: float, times: float
) -> Iterator[tuple[Key, _Chunk | _Pairs]]:
    """The candidate pairs of a partition, by the chunk of their first book."""
    (kind, group, _), values = element
    if kind == OF_CHUNK:
        yield from ((chunk.key, chunk) for chunk in _only(_Chunk, values))
        return
    pairs = propose(_only(Packed, values), share, times)
    chunks = (pairs >> 32) // CHUNK * CHUNK
    for first, second in np.unique(chunks, axis=0).tolist():
        here = (chunks == (first, second)).all(axis=1)
        yield (OF_CHUNK, group, first), _Pairs(second, pairs[here].tobytes(), {})


def _send_on(element: tuple[Key, Iterable[_Chunk | _Pairs]]) -> Iterator[tuple[Key, _Chunk | _Pairs]]:
    """Pairs that have met the chunk of their first book go to the chunk of their second."""
    values = list(element[1])
    [chunk] = _only(_Chunk, values)
    yield chunk.key, chunk
    by_second: dict[int, list[bytes]] = {}
    for pairs in _only(_Pairs, values):
        by_second.setdefault(pairs.second, []).append(pairs.books)
    for second, some in by_second.items():
        books = b"".join(some)
        splits = np.unique(np.frombuffer(books, np.int64)[::2] >> 32).tolist()
        tasks = {split: chunk.tasks[split - chunk.first] for split in splits}
        yield (OF_CHUNK, chunk.group, second), _Pairs(second, books, tasks)


def _confirm(element: tuple[Key, Iterable[_Chunk | _Pairs]], share: float) -> Iterator[tuple[Key, _Chunk | _Confirmed]]:
    """The pairs of which one book holds more than `share` of the other."""
    values = list(element[1])
    [chunk] = _only(_Chunk, values)
    yield chunk.key, chunk
    for met in _only(_Pairs, values):
        shelf = _Shelf({**met.tasks, **dict(enumerate(chunk.tasks, chunk.first))})
        pairs = np.unique(np.frombuffer(met.books, np.int64).reshape(-1, 2), axis=0).tolist()
        same = [(a, b) for a, b in pairs if containment(shelf.shingles(a), shelf.shingles(b)) > share]
        if same:
            yield (OF_GROUP, chunk.group, 0), _Confirmed(same, {book: shelf.node(book) for book in set(joined(*same))})


class _Shelf:
    """The books of some splits, by the splits' numbers, read when they are asked for."""

    def __init__(self, tasks: Mapping[int, Task]) -> None:
        self._tasks = tasks
        self.shingles = lru_cache(maxsize=4)(self._shingles)
        self._files = lru_cache(maxsize=8)(self._file)
        self._tables = lru_cache(maxsize=8)(lambda split: _read_signatures(tasks[split]))

    def _file(self, split: int) -> pa.ipc.RecordBatchFileReader:
        return pa.ipc.open_file(store.open_read(self._tasks[split].inputs["shingles"].path))

    def _shingles(self, book: Book) -> Shingles:
        found: Shingles = self._files(book >> 32).get_batch(book & 0xFFFFFFFF)["shingle"].to_numpy()
        return found

    def node(self, book: Book) -> Node:
        table, place = self._tables(book >> 32), book & 0xFFFFFFFF
        return table["characters"][place].as_py(), table["id"][place].as_py()


def _connect(element: tuple[Key, Iterable[_Chunk | _Confirmed]]) -> Iterator[tuple[Key, _Chunk | _Gone]]:
    """For each book that goes, the id of the one that stays: the longest of its cluster, ties by id."""
    (kind, group, _), values = element
    if kind == OF_CHUNK:
        yield from ((chunk.key, chunk) for chunk in _only(_Chunk, values))
        return
    edges: list[tuple[Book, Book]] = []
    nodes: dict[Book, Node] = {}
    for confirmed in _only(_Confirmed, values):
        edges += confirmed.pairs
        nodes |= confirmed.nodes
    books = np.array(sorted(nodes), np.int64)
    left, right = np.searchsorted(books, np.array(edges, np.int64).T)
    clusters: dict[int, list[Book]] = {}
    for book, cluster in zip(books.tolist(), components(left, right).tolist(), strict=True):
        clusters.setdefault(cluster, []).append(book)
    for cluster_books in clusters.values():
        ranked = sorted(cluster_books, key=lambda b: (-nodes[b][0], nodes[b][1], b))
        for book in ranked[1:]:
            yield (OF_CHUNK, group, (book >> 32) // CHUNK * CHUNK), _Gone(book, nodes[ranked[0]][1])


def _publish(element: tuple[Key, Iterable[_Chunk | _Gone]]) -> None:
    """Write the verdicts of a chunk's splits, each as the output of that split's task."""
    values = list(element[1])
    [chunk] = _only(_Chunk, values)
    kept = {gone.book: gone.kept for gone in _only(_Gone, values)}
    for split, task in enumerate(chunk.tasks, chunk.first):
        books = (split << 32) + np.arange(len(_read_signatures(task)))
        perform(task, partial(_write, [kept.get(book) for book in books.tolist()]))


def _only(kind: type[T], values: Iterable[object]) -> list[T]:
    return [value for value in values if isinstance(value, kind)]


def _write(kept: Sequence[str | None], work: Work) -> None:
    path = work.output("verdicts", f"rounds/{work.task.stage}", ".arrow")
    with pa.ipc.new_file(path, VERDICTS) as writer:
        writer.write_table(pa.table([pa.array(kept, pa.string())], schema=VERDICTS))
    work.counts.update(books=len(kept), removed=sum(one is not None for one in kept))


def chain(name: str, groups: Sequence[Sequence[Task]]) -> Chain:
    """Decide which books of each group of splits go, and leave verdicts and a record for each split.

    Two books are one if more than the setting `share` of the smaller one's shingles are in the other, and the longer
    has at most `times` as many characters; so are books connected by such pairs.
    """
    chunks = list(_chunks(groups))
    task = chunks[0].tasks[0]
    share, times = task.settings["share"], task.settings["times"]

    def steps(listed: beam.PCollection[_Chunk]) -> beam.PCollection[None]:
        return (
            listed
            | "Pack bands" >> beam.FlatMap(_pack, share, times)
            | "By partition" >> beam.GroupByKey()
            | "Propose" >> beam.FlatMap(_propose, share, times)
            | "By first" >> beam.GroupByKey()
            | "Send on" >> beam.FlatMap(_send_on)
            | "By second" >> beam.GroupByKey()
            | "Confirm" >> beam.FlatMap(_confirm, share)
            | "By group" >> beam.GroupByKey()
            | "Connect" >> beam.FlatMap(_connect)
            | "By chunk" >> beam.GroupByKey()
            | "Write verdicts" >> beam.ParDo(_publish)
        )

    return Chain(name, chunks, task.out, steps)
