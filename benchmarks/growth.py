"""What grows with the input, and what does not: rates inside tasks, a task's memory, the bytes that are shuffled.

    python -m benchmarks.growth --data FOLDER [--sizes 10,100,1000] [--engines direct,embedded] [--workers 2]
                                [--models FOLDER] [--work FOLDER]

FOLDER is laid out as the sample: web/*.warc.wet.gz and wikipedia/*. Each WET file that is made holds all its crawled
pages once, with a word of the file's own in every line; a size in MB of text is a number of such files. Common Crawl is
run from these to clean text on each engine (`embedded` is Spark inside the run) with each number of workers, with
models that `python -m pipelines models` left in a folder, or that are made first. Prints a Markdown table:

- rates are MB of text over a task's processor seconds, apart from each child's first task, which loads code and models;
- the memory is the most that any child held; the round's, of the process that decides which lines are repeated;
- shuffled: what digests put into the round (keys and bits) and what comes out (bits), over the text.
"""

import argparse
import itertools
import json
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from fastwarc.warc import ArchiveIterator, WarcRecordType

from benchmarks.scaling import SOURCES, changed, pipelines, record

Page = tuple[str, str]  # its address, its text
OPTIONS = {"direct": [], "embedded": ["--runner=spark"]}
COLUMNS = (
    "text MB",
    "files",
    "engine",
    "workers",
    "wall s",
    "digest MB/s",
    "clean MB/s",
    "task MB",
    "round MB",
    "shuffled",
)


def read_pages(web: Path) -> list[Page]:
    pages = []
    for path in sorted(web.glob("*.warc.wet.gz")):
        with path.open("rb") as stream:
            for r in ArchiveIterator(stream, record_types=WarcRecordType.conversion):
                pages.append((r.headers.get("WARC-Target-URI"), r.reader.read().decode("utf-8", "replace")))
    return pages


def write_file(pages: Sequence[Page], folder: Path, number: int) -> int:
    """All pages as one WET file; bytes of text."""
    texts = [changed(text, itertools.repeat(number)) for _, text in pages]
    records = (record(url, text, number) for (url, _), text in zip(pages, texts, strict=True))
    (folder / f"{number:05d}.warc.wet.gz").write_bytes(b"".join(records))
    return sum(len(text.encode()) for text in texts)


def read_records(out: Path, stage: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "tasks" / stage / "records.jsonl").read_text().splitlines()]


def measure(out: Path, text_bytes: int) -> list[str]:
    """The last five columns of a row, from the records of a run."""
    stages = {name: read_records(out, f"commoncrawl.{name}") for name in ("digest", "lines", "clean")}

    def rate(stage: str) -> str:
        done = sorted(stages[stage], key=lambda r: r["run"]["ended"])
        first = {r["run"]["pid"]: r["key"] for r in reversed(done)}.values()
        warm = [r["run"]["cpu_seconds"] for r in done if r["key"] not in first]
        return f"{text_bytes / len(done) * len(warm) / sum(warm) / 1e6:.2f}" if warm else ""

    def peak(*names: str) -> str:
        return str(max(r["run"]["peak_mb"] for name in names for r in stages[name]))

    shuffled = sum(o["bytes"] for name in ("digest", "lines") for r in stages[name] for o in r["outputs"])
    return [rate("digest"), rate("clean"), peak("digest", "clean"), peak("lines"), f"{shuffled / text_bytes:.1%}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sizes", default="10,100,1000")
    parser.add_argument("--engines", default=",".join(OPTIONS))
    parser.add_argument("--workers", default="2")
    parser.add_argument("--models", type=Path)
    parser.add_argument("--work", type=Path, default=Path("runs/growth"))
    options = parser.parse_args()
    work, models = options.work.resolve(), options.models and options.models.resolve()
    shutil.rmtree(work, ignore_errors=True)
    (work / "files").mkdir(parents=True)
    config = ["--config", "configs/demo.yaml", *SOURCES]
    if not models:
        pipelines("pipelines", "models", "--out", str(work), *config, f"data={options.data.resolve()}")
        models = work / "models"
    pages = read_pages(options.data / "web")
    file_bytes = sum(len(text.encode()) for _, text in pages)
    numbers = {size: max(1, round(int(size) * 1e6 / file_bytes)) for size in options.sizes.split(",")}
    with ProcessPoolExecutor() as pool:
        sizes = list(pool.map(partial(write_file, pages, work / "files"), range(max(numbers.values()))))
    only = ["--until=text", *config, "wikipedia=null", "commoncrawl.weight=100", f"models.folder={models}"]
    print("|", " | ".join(COLUMNS), "|\n" + "|---" * len(COLUMNS) + "|")
    for size, engine, workers in itertools.product(numbers, options.engines.split(","), options.workers.split(",")):
        data, out = work / size / "data", work / size / f"{engine}{workers}"
        (data / "web").mkdir(parents=True, exist_ok=True)
        for path in sorted((work / "files").iterdir())[: numbers[size]]:
            (data / "web" / path.name).unlink(missing_ok=True)
            os.link(path, data / "web" / path.name)
        arguments = [*only, f"--out={out}", f"--workers={workers}", f"data={data}", *OPTIONS[engine]]
        wall, text_bytes = pipelines("pipelines", "run", *arguments), sum(sizes[: numbers[size]])
        row = [f"{text_bytes / 1e6:.0f}", str(numbers[size]), engine, workers, f"{wall:.1f}", *measure(out, text_bytes)]
        print("|", " | ".join(row), "|", flush=True)
        shutil.rmtree(out)


if __name__ == "__main__":
    main()
