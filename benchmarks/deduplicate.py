"""Which of ten million lines are repeated: our round, on Beam and without it, beside plain numpy.

    python -m benchmarks.deduplicate [--lines 10000000] [--digests 100] [--work FOLDER]

Lines are drawn so that about four in ten occur more than once. Each row is a process of its own; all but the first must
give the same bits. Prints seconds of processor time, times numpy's for these bits, and the most memory that the process
held. Only the round's seconds include reading the digests and writing a bitmap and a record for each.
"""

import argparse
import hashlib
import multiprocessing
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from pipelines.deduplicate import Bits, Digest, decide, pack, partitions, read_bitmap, unpack
from pipelines.engine import Engine, Limits
from pipelines.rounds import CHUNK, chain
from pipelines.runners import do_job
from pipelines.tasks import Input, Task

NUMPY = "numpy.unique, and which occurrences"
SPREAD = np.uint64(0x9E3779B97F4A7C15)  # odd: distinct numbers become distinct keys all over the 64 bits


def write_digests(folder: Path, lines: int, digests: int) -> None:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(digests):
        drawn = rng.integers(0, 2 * lines, lines // digests, dtype=np.uint64)
        Digest.of(drawn * SPREAD).write(folder / f"{number:05d}.arrow")


def read_digests(folder: Path) -> list[Digest]:
    return [Digest.read(path.read_bytes()) for path in sorted(folder.iterdir())]


def numpy_unique(folder: Path) -> tuple[float, None]:
    keys = np.concatenate([d.keys for d in read_digests(folder)])
    started = time.process_time()
    np.unique(keys)
    return time.process_time() - started, None


def numpy_repeated(folder: Path) -> tuple[float, str]:
    digests = read_digests(folder)
    started = time.process_time()
    keys, here = np.concatenate([d.keys for d in digests]), np.concatenate([d.repeated for d in digests])
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    bits = (counts > 1)[inverse] | here
    return time.process_time() - started, checksum([bits])


def packed(folder: Path) -> tuple[float, str]:
    """What the round does, in one process and with nothing between its steps."""
    digests = read_digests(folder)
    started = time.process_time()
    number = partitions(sum(len(d.keys) for d in digests))
    by_partition, by_chunk = defaultdict(list), defaultdict(list)
    for first in range(0, len(digests), CHUNK):
        for partition, one in pack(first, digests[first : first + CHUNK], number):
            by_partition[partition].append(one)
    for partition, some in by_partition.items():
        for first, counts, bits in decide(some, "none"):
            by_chunk[first].append((partition, counts, bits))
    found = [bits for _, decided in sorted(by_chunk.items()) for bits in unpack(decided)]
    return time.process_time() - started, checksum(found)


def on_beam(folder: Path) -> tuple[float, str]:
    started = time.process_time()
    out = folder.parent / "out"
    tasks = [
        Task(
            stage="benchmark.lines",
            key=path.stem,
            body="",
            code="",
            inputs={"digest": Input(str(path), path.stat().st_size)},
            settings={"keep": "none"},
            out=str(out),
        )
        for path in sorted(folder.iterdir())
    ]
    do_job("benchmark", [chain("benchmark.lines", [tasks])], Engine(Limits(workers=1, memory_mb=1_500, seconds=600)))
    seconds = time.process_time() - started
    return seconds, checksum(read_bitmap(path.read_bytes()) for path in sorted(out.glob("rounds/*/*.bits")))


ROWS: dict[str, Callable[[Path], tuple[float, str | None]]] = {
    "numpy.unique": numpy_unique,
    NUMPY: numpy_repeated,
    "pack, decide, unpack": packed,
    "the round on Beam, in process": on_beam,
}


def checksum(bits: Iterable[Bits]) -> str:
    return hashlib.sha256(np.packbits(np.concatenate(list(bits))).tobytes()).hexdigest()


def row(name: str, folder: Path) -> tuple[float, str | None, int]:
    """Seconds, a checksum of the bits, and the most memory in MB."""
    seconds, bits = ROWS[name](folder)
    return seconds, bits, int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) >> 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=10_000_000)
    parser.add_argument("--digests", type=int, default=100)
    parser.add_argument("--work", type=Path, default=Path("runs/deduplicate"))
    options = parser.parse_args()
    work = options.work.resolve()
    shutil.rmtree(work, ignore_errors=True)
    write_digests(work / "digests", options.lines, options.digests)
    measured = {}
    for name in ROWS:
        with multiprocessing.get_context("spawn").Pool(1) as process:
            measured[name] = process.apply(row, (name, work / "digests"))
    assert len({bits for _, bits, _ in measured.values() if bits}) == 1, "the rows differ in their bits"
    print("| | seconds | times numpy | MB |\n|---|---|---|---|")
    for name, (seconds, _, memory) in measured.items():
        print(f"| {name} | {seconds:.2f} | {seconds / measured[NUMPY][0]:.2f} | {memory:,} |")
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
