"""How a run scales with workers: cleaning and tokenising, from their first task's start to their last task's end.

    python -m benchmarks.scaling --data FOLDER [--copies 10] [--workers 1,2] [--work FOLDER]

FOLDER is laid out as the sample: web/*.warc.wet.gz and wikipedia/*. The crawled pages are copied `copies` times, each
copy with a word of its own in every line, so that the copies are not each other's duplicates. Models are made once.
Prints a line for each number of workers: wall seconds, busy seconds over workers x wall, and what the whole run adds
(start-up, planning, rounds), then the ratio to one worker.
"""

import argparse
import gzip
import json
import re
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from fastwarc.warc import ArchiveIterator, WarcRecordType

ROOT = Path(__file__).resolve().parent.parent
CONSONANTS, VOWELS = "bcdfghjklmnpqrstvwxz", "aeiou"
LAST_WORD = re.compile(r"[\W_]*$")
SOURCES = [f"{name}=null" for name in ("c4", "github", "books", "arxiv", "stackexchange")]
SOURCES += ["commoncrawl.weight=93.71", "wikipedia.weight=6.29"]
MEASURED = ("digest", "clean", "tokens")


def word(number: int) -> str:
    """A pronounceable word of letters only, so that keys that fold digits still differ."""
    text = ""
    for _ in range(3):
        number, consonant = divmod(number, 20)
        number, vowel = divmod(number, 5)
        text += CONSONANTS[consonant] + VOWELS[vowel]
    return text


def changed(text: str, numbers: Iterator[int]) -> str:
    """Each line with a word of its own before its final punctuation."""
    lines = []
    for line in text.split("\n"):
        if line.strip():
            end = LAST_WORD.search(line).start()
            line = f"{line[:end]} {word(next(numbers))}{line[end:]}"
        lines.append(line)
    return "\n".join(lines)


def record(url: str, text: str, number: int) -> bytes:
    body = text.encode()
    header = (
        "WARC/1.0\r\nWARC-Type: conversion\r\n"
        f"WARC-Target-URI: {url}\r\nWARC-Date: 2020-01-01T00:00:00Z\r\n"
        f"WARC-Record-ID: <urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{number} {url}')}>\r\n"
        f"Content-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return gzip.compress(header.encode() + body + b"\r\n\r\n", 6, mtime=0)


def enlarge(data: Path, target: Path, copies: int) -> float:
    """Copies of the crawled pages below `target`; megabytes of text."""
    size, numbers = 0, iter(range(10**9))
    (target / "web").mkdir(parents=True)
    shutil.copytree(data / "wikipedia", target / "wikipedia")
    for path in sorted((data / "web").glob("*.warc.wet.gz")):
        pages = []
        with path.open("rb") as stream:
            for r in ArchiveIterator(stream, record_types=WarcRecordType.conversion):
                pages.append((r.headers.get("WARC-Target-URI"), r.reader.read().decode("utf-8", "replace")))
        for copy in range(copies if pages else 0):
            texts = [text if copy == 0 else changed(text, numbers) for _, text in pages]
            size += sum(len(text.encode()) for text in texts)
            records = (record(url, text, copy) for (url, _), text in zip(pages, texts, strict=True))
            (target / "web" / f"copy{copy:03d}-{path.name}").write_bytes(b"".join(records))
    return size / 1e6


def pipelines(*arguments: str) -> float:
    """Run a verb; its wall seconds."""
    started = time.monotonic()
    subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - started


def measured(out: Path) -> tuple[float, float]:
    """Wall and busy seconds of the measured jobs, summed: from a job's first task's start to its last task's end."""
    wall = busy = 0.0
    spans: dict[str, list[tuple[float, float]]] = {}
    for path in (out / "tasks").glob("*/records.jsonl"):
        kind = path.parent.name.rpartition(".")[2]
        if kind in MEASURED:
            runs = [json.loads(line)["run"] for line in path.read_text().splitlines()]
            spans.setdefault(wave(path.parent.name), []).extend((r["started"], r["ended"]) for r in runs)
    for span in spans.values():
        wall += max(ended for _, ended in span) - min(started for started, _ in span)
        busy += sum(ended - started for started, ended in span)
    return wall, busy


def wave(stage: str) -> str:
    """Stages that wait for nothing but raw files run as one job, and so do all `tokens` stages: each job is measured as
    one.
    """
    source, _, kind = stage.partition(".")
    return {"tokens": "tokens", "clean": f"{source}.clean" if source == "commoncrawl" else "first", "digest": "first"}[
        kind
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--copies", type=int, default=10)
    parser.add_argument("--workers", default="1,2")
    parser.add_argument("--work", type=Path, default=Path("runs/scaling"))
    options = parser.parse_args()
    shutil.rmtree(options.work, ignore_errors=True)
    size = enlarge(options.data, options.work / "data", options.copies)
    config = ["--config", "configs/demo.yaml", f"data={(options.work / 'data').resolve()}", *SOURCES]
    base = options.work.resolve() / "models"
    pipelines("pipelines", "models", "--out", str(base), *config)
    pipelines("pipelines", "run", "--until", "text", "--out", str(base), *config)
    weights = ["--weights", "commoncrawl=93.71", "--weights", "wikipedia=6.29", "--pieces", "8000"]
    tokenizer = ["tokenizer", "train", *weights, "--text", str(base / "text")]
    pipelines(*tokenizer, "--out", str(base / "models/tokenizer.model"))
    pinned = [f"models.folder={base / 'models'}", f"tokenizer.path={base / 'models/tokenizer.model'}"]
    print(f"{size:.1f} MB of crawled text, {options.copies} copies")
    first = None
    for workers in map(int, options.workers.split(",")):
        out = options.work.resolve() / f"workers{workers}"
        total = pipelines("pipelines", "run", "--out", str(out), "--workers", str(workers), *config, *pinned)
        wall, busy = measured(out)
        first = first or wall
        print(
            f"{workers} workers: {wall:.1f} s of cleaning and tokenising, busy {busy / (workers * wall):.3f}, "
            f"{first / wall:.2f} times the first; the whole run adds {total - wall:.1f} s"
        )


if __name__ == "__main__":
    main()
