"""A round as a Beam job: digests are cut into hash partitions, decided a partition at a time, and joined into bitmaps.

    groups of splits -> (group, partition) -> decide -> (group, chunk of splits) -> one bitmap for each split

Only hashes travel, packed: an element is one partition's range of `CHUNK` splits, never a single hash.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import apache_beam as beam

from pipelines import store
from pipelines.deduplicate import Bits, Digest, Keep, Packed, decide, pack, partitions, unpack, write_bitmap
from pipelines.runners import job
from pipelines.tasks import Task, Work, perform

CHUNK = 32
Key = tuple[int, int]


@dataclass(frozen=True)
class Chunk:
    """Up to `CHUNK` consecutive splits of one group; each task's input `digest` is a split's digest."""

    group: int
    first: int
    partitions: int
    tasks: tuple[Task, ...]


def _chunks(groups: Sequence[Sequence[Task]]) -> Iterator[Chunk]:
    for number, tasks in enumerate(groups):
        keys = sum(task.inputs["digest"].size for task in tasks) // 8
        for first in range(0, len(tasks), CHUNK):
            yield Chunk(number, first, partitions(keys), tuple(tasks[first : first + CHUNK]))


def _pack(chunk: Chunk) -> Iterator[tuple[Key, tuple[int, bytes, bytes, bytes]]]:
    digests = [Digest.read(store.read_bytes(task.inputs["digest"].path)) for task in chunk.tasks]
    for partition, packed in pack(chunk.first, digests, chunk.partitions):
        yield (chunk.group, partition), (packed.first, packed.counts, packed.keys, packed.repeated)


def _decide(
    element: tuple[Key, Iterable[tuple[int, bytes, bytes, bytes]]], keep: Keep
) -> Iterator[tuple[Key, tuple[int, bytes, bytes]]]:
    (group, partition), packed = element
    for first, counts, bits in decide((Packed(*p) for p in packed), keep):
        yield (group, first), (partition, counts, bits)


def _publish(element: tuple[Key, dict[str, Iterable[Any]]]) -> None:
    """Write the bitmaps of a chunk's splits, each as the output of that split's task."""
    _, joined = element
    (chunk,) = joined["chunk"]
    for task, bits in zip(chunk.tasks, unpack(joined["decided"]), strict=True):
        perform(task, partial(_write, bits))


def _write(bits: Bits, work: Work) -> None:
    write_bitmap(work.output("bitmap", f"rounds/{work.task.stage}", ".bits"), bits)
    work.counts.update(keys=len(bits), removed=int(bits.sum()))


def do_round(groups: Sequence[Sequence[Task]], name: str, runner: str, options: Sequence[str]) -> None:
    """Decide which keys are removed in each group of splits, and leave a bitmap and a record for each split.

    A task's setting `keep` says which occurrence of a repeated key stays, as in `deduplicate.decide`.
    """
    chunks = list(_chunks(groups))
    keep: Keep = chunks[0].tasks[0].settings["keep"]
    with job(name, runner, options) as pipeline:
        decided = (
            pipeline
            | "List splits" >> beam.Create(chunks)
            | "Spread" >> beam.Reshuffle()
            | "Pack digests" >> beam.FlatMap(_pack)
            | "By partition" >> beam.GroupByKey()
            | "Decide" >> beam.FlatMap(_decide, keep)
        )
        keyed = pipeline | "List chunks" >> beam.Create([((c.group, c.first), c) for c in chunks])
        joined = {"decided": decided, "chunk": keyed} | "By split" >> beam.CoGroupByKey()
        _ = joined | "Write bitmaps" >> beam.ParDo(_publish)
