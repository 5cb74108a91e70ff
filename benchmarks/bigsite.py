"""A Stack Exchange site far larger than a worker's memory: is it read with the memory that it is given?

    python -m benchmarks.bigsite --folder /some/folder --megabytes 3000 --memory-mb 300

writes a Posts.xml in which every answer stands half a file behind its question, packs it into a .7z with `--pack`, has
the source do it in a child process with that limit, and checks that every question came out with all its answers.
"""

import argparse
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import py7zr
import pyarrow.parquet as pq

from pipelines import store
from pipelines.fingerprint import code_fingerprint
from pipelines.ledger import Ledger
from pipelines.pool import Limits, close_pools, shared_pool
from pipelines.sources.source import Segment
from pipelines.sources.stackexchange import StackExchange
from pipelines.stages import as_input
from pipelines.tasks import Input, Record, Task

ANSWERS = 2
COLLECTION = "big"


def rows(questions: int) -> Iterator[str]:
    """Questions, then answers in another order, about 1 KB each."""
    draw = random.Random(0)
    words = ["".join(draw.choices("aeionrstlmdcu", k=draw.randint(2, 9))) for _ in range(20_000)]
    lines = [" ".join(draw.choices(words, k=40)) for _ in range(20_000)]

    def body() -> str:
        return "&lt;p&gt;" + "&lt;/p&gt;&#xA;&lt;p&gt;".join(draw.choices(lines, k=4)) + "&lt;/p&gt;"

    for number in range(1, questions + 1):
        yield f'  <row Id="{number}" PostTypeId="1" Score="3" Title="{draw.choice(lines)[:60]}" Body="{body()}" />\n'
    for number in range(questions * ANSWERS):
        parent = number * 7919 % questions + 1
        yield (
            f'  <row Id="{questions + 1 + number}" PostTypeId="2" ParentId="{parent}" Score="{draw.randint(-2, 20)}" '
            f'Body="{body()}" />\n'
        )


def generate(path: Path, megabytes: int) -> int:
    """Write a Posts.xml of about so many megabytes; returns how many questions it holds."""
    questions = megabytes * 1_000_000 // (1_120 * (1 + ANSWERS))
    with path.open("w", encoding="utf-8") as file:
        file.write('\ufeff<?xml version="1.0" encoding="utf-8"?>\n<posts>\n')
        file.writelines(rows(questions))
        file.write("</posts>\n")
    return questions


def do(segment: Segment, key: str, inputs: dict[str, Input], out: str, limits: Limits) -> Record:
    """One segment's task in a child process. Raises SystemExit with the reason where it fails."""
    settings: dict[str, Any] = {**segment.settings, "collection": COLLECTION, "dropped_sample": 5}
    name = f"stackexchange.{segment.name}"
    task = Task(name, key, segment.body, code_fingerprint(segment.body), inputs, settings, out)
    started = time.monotonic()
    shared_pool(limits).schedule(task).result()
    ledger = Ledger(out, name)
    for failure in ledger.failures():
        raise SystemExit(f"{name}: {failure.kind}: {failure.reason}\n{failure.detail}")
    record = ledger.current([task])[key]
    print(f"{segment.name}: {time.monotonic() - started:.1f} s, {dict(record.counts)}", flush=True)
    return record


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--megabytes", type=int, default=3_000)
    parser.add_argument("--memory-mb", type=int, default=300)
    parser.add_argument("--pack", action="store_true", help="as .7z")
    arguments = parser.parse_args()
    site = arguments.folder / "big.example.com"
    site.mkdir(parents=True, exist_ok=True)
    path = site / "Posts.xml"
    questions = generate(path, arguments.megabytes)
    if arguments.pack:
        packed = arguments.folder / "big.example.com.7z"
        with py7zr.SevenZipFile(packed, "w", filters=[{"id": py7zr.FILTER_LZMA2, "preset": 1}]) as archive:
            archive.write(path, "Posts.xml")
        path.unlink()
        path = packed
    print(f"{path}: {questions} questions, {path.stat().st_size / 1e6:.0f} MB", flush=True)

    source = StackExchange(weight=100, inputs={COLLECTION: (str(path),)})
    [split] = source.splits(COLLECTION, store.glob(str(path))[0])
    cut, clean = (link for link in source.chain() if isinstance(link, Segment))
    out, limits = str(arguments.folder / "out"), Limits(workers=1, memory_mb=arguments.memory_mb, seconds=4 * 3600)
    record = do(cut, split.key, {"raw": split.input}, out, limits)
    record = do(clean, split.key, {f"cut.{o.role}": as_input(out, o) for o in record.outputs}, out, limits)
    close_pools()
    text = pq.ParquetFile(store.join(out, record.output("text").path))
    print(f"kept {text.metadata.num_rows} documents, {record.counts['answers']} answers")
    if (text.metadata.num_rows, record.counts["answers"]) != (questions, questions * ANSWERS):
        raise SystemExit("questions or answers are missing")


if __name__ == "__main__":
    main()
