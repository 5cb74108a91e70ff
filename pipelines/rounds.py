"""A round as a chain of a Beam job: digests are cut into hash partitions, decided one by one, and joined into bitmaps.

    chunk of splits -> (group, partition) -> decide -> (group, chunk) -> one bitmap for each split

Only hashes travel, packed: an element is one partition's range of `CHUNK` splits, never a single hash. A chunk's tasks
travel with its first partition, so that the chain has no branch.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import apache_beam as beam

from pipelines import store
from pipelines.deduplicate import Bits, Digest, Keep, Packed, decide, pack, partitions, unpack, write_bitmap
from pipelines.runners import Chain
from pipelines.tasks import Task, Work, perform

CHUNK = 32
Key = tuple[int, int]
Tasks = tuple[Task, ...]
Decided = tuple[int, bytes, bytes]  # partition, counts, packed bits


@dataclass(frozen=True)
class Chunk:
    """Up to `CHUNK` consecutive splits of one group; each task's input `digest` is a split's digest."""

    group: int
    first: int
    partitions: int
    tasks: Tasks


def _chunks(groups: Sequence[Sequence[Task]]) -> Iterator[Chunk]:
    for number, tasks in enumerate(groups):
        keys = sum(task.inputs["digest"].size for task in tasks) // 8
        for first in range(0, len(tasks), CHUNK):
            yield Chunk(number, first, partitions(keys), tuple(tasks[first : first + CHUNK]))


def _pack(chunk: Chunk) -> Iterator[tuple[Key, tuple[Packed, Tasks]]]:
    digests = [Digest.read(store.read_bytes(task.inputs["digest"].path)) for task in chunk.tasks]
    for partition, packed in pack(chunk.first, digests, chunk.partitions):
        yield (chunk.group, partition), (packed, chunk.tasks if partition == 0 else ())


def _decide(
    element: tuple[Key, Iterable[tuple[Packed, Tasks]]], keep: Keep
) -> Iterator[tuple[Key, tuple[Decided, Tasks]]]:
    (group, partition), values = element
    packed = list(values)
    tasks = {one.first: some for one, some in packed}
    for first, counts, bits in decide((one for one, _ in packed), keep):
        yield (group, first), ((partition, counts, bits), tasks[first])


def _publish(element: tuple[Key, Iterable[tuple[Decided, Tasks]]]) -> None:
    """Write the bitmaps of a chunk's splits, each as the output of that split's task."""
    decided = list(element[1])
    tasks = next(some for _, some in decided if some)
    for task, bits in zip(tasks, unpack(one for one, _ in decided), strict=True):
        perform(task, partial(_write, bits))


def _write(bits: Bits, work: Work) -> None:
    write_bitmap(work.output("bitmap", f"rounds/{work.task.stage}", ".bits"), bits)
    work.counts.update(keys=len(bits), removed=int(bits.sum()))


def chain(name: str, groups: Sequence[Sequence[Task]]) -> Chain:
    """Decide which keys are removed in each group of splits, and leave a bitmap and a record for each split.

    A task's setting `keep` says which occurrence of a repeated key stays, as in `deduplicate.decide`.
    """
    chunks = list(_chunks(groups))
    task = chunks[0].tasks[0]
    keep: Keep = task.settings["keep"]

    def steps(listed: beam.PCollection[Chunk]) -> beam.PCollection[None]:
        return (
            listed
            | "Pack digests" >> beam.FlatMap(_pack)
            | "By partition" >> beam.GroupByKey()
            | "Decide" >> beam.FlatMap(_decide, keep)
            | "By split" >> beam.GroupByKey()
            | "Write bitmaps" >> beam.ParDo(_publish)
        )

    return Chain(name, chunks, task.out, steps)
