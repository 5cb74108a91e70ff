"""The loader against the floor: batches [8, 2049] a second, and the time from nothing to the first batch at 90 % of an
epoch.

    .venv/bin/python -m benchmarks.loader [--tokens 40_000_000] [--batches 1500] [--repetitions 3]

Writes token shards (row groups of two million random tokens, as the pipeline cuts them) and, for the floor, the same
tokens as one uint16 array in a temporary folder, then prints one JSON line for each: median and range over the
repetitions. `workers 0` reads in the calling thread; `workers 1` reads ahead, which tells only where something else,
such as a training step, is done in between. The floor is what no loader can beat by much: np.memmap rows in a random
order that is made anew when opened. It needs all tokens as one local file, and knows no sources, epochs or exact
mixing.
"""

import hashlib
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import typer

from trainer.data import DataConfig, Stream, batches
from trainer.manifest import read_manifest

BATCH, CONTEXT = 8, 2048
ROW_GROUP = 2_000_000
ROW_GROUPS_A_SHARD = 4
PIECES = 32_000


def write_shards(folder: Path, tokens: npt.NDArray[np.uint16]) -> None:
    """The tokens as a run's shards, in documents of 1,000 tokens, and their manifest."""
    shards: list[dict[str, object]] = []
    tokenizer = hashlib.sha256(b"").hexdigest()
    schema = pa.schema(
        [("id", pa.string()), ("tokens", pa.list_(pa.uint16()))], metadata={"altiplano.tokenizer": tokenizer}
    )
    (folder / "tokens").mkdir()
    for start in range(0, len(tokens), ROW_GROUP * ROW_GROUPS_A_SHARD):
        part = tokens[start : start + ROW_GROUP * ROW_GROUPS_A_SHARD]
        offsets = np.append(np.arange(0, len(part), 1_000), len(part)).astype(np.int32)
        documents = pa.ListArray.from_arrays(pa.array(offsets), pa.array(part))
        table = pa.table([pa.array([str(start + i) for i in range(len(documents))]), documents], schema=schema)
        path = folder / "tokens" / f"{len(shards):05d}.parquet"
        pq.write_table(
            table,
            path,
            row_group_size=ROW_GROUP // 1_000,
            compression="zstd",
            use_dictionary=False,
            column_encoding={"tokens.list.element": "BYTE_STREAM_SPLIT"},
        )
        groups = [min(ROW_GROUP, len(part) - i) for i in range(0, len(part), ROW_GROUP)]
        shard = {"path": f"tokens/{path.name}", "rows": len(documents), "tokens": len(part), "row_groups": groups}
        shards.append(shard | {"bytes": path.stat().st_size, "sha256": ""})
    source = {"weight": 100.0, "documents": 0, "tokens": len(tokens), "shards": shards}
    manifest = {
        "format": "altiplano/manifest",
        "version": 1,
        "sources": {"commoncrawl": source},
        "tokenizer": {"path": "none", "sha256": tokenizer, "pieces": PIECES},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))


def ours(folder: Path, workers: int, batch: int) -> Iterator[npt.NDArray[np.int64]]:
    """The loader from batch `batch` on, from nothing."""
    config = DataConfig(context=CONTEXT, batch=BATCH, workers=workers)
    return batches(Stream(read_manifest(str(folder)), config), batch * BATCH)


def memmap(file: Path, batch: int) -> Iterator[npt.NDArray[np.int64]]:
    """The floor from batch `batch` on, from nothing."""
    windows = np.load(file, mmap_mode="r")
    order = np.random.default_rng(1).permutation(len(windows))
    for first in range(batch * BATCH, len(windows) - BATCH + 1, BATCH):
        yield windows[np.sort(order[first : first + BATCH])].astype(np.int64)


def measure(
    name: str, open_at: Callable[[int], Iterator[npt.NDArray[np.int64]]], last: int, count: int, repetitions: int
) -> None:
    """Print the batches a second over `count` batches from the start, and the seconds to batch `last` from nothing."""
    rates, resumes = [], []
    for _ in range(repetitions):
        started = time.perf_counter()
        read = sum(1 for _ in islice(open_at(0), count))
        rates.append(read / (time.perf_counter() - started))
        started = time.perf_counter()
        next(open_at(last))
        resumes.append(time.perf_counter() - started)
    figures = {
        "batches_s": round(statistics.median(rates)),
        "batches_s_range": [round(min(rates)), round(max(rates))],
        "million_tokens_s": round(statistics.median(rates) * BATCH * CONTEXT / 1e6, 1),
        "resume_s": round(statistics.median(resumes), 4),
        "resume_s_range": [round(min(resumes), 4), round(max(resumes), 4)],
    }
    print(json.dumps({"loader": name, **figures}), flush=True)


def main(
    tokens: Annotated[int, typer.Option(min=ROW_GROUP)] = 40_000_000,
    batches: Annotated[int, typer.Option(min=1)] = 1_500,
    repetitions: Annotated[int, typer.Option(min=1)] = 3,
) -> None:
    """Measure and print."""
    values = np.random.default_rng(0).integers(0, PIECES, tokens, dtype=np.uint16)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_shards(folder, values)
        windows = (tokens - 1) // CONTEXT
        rows = np.lib.stride_tricks.sliding_window_view(values, CONTEXT + 1)[::CONTEXT][:windows]
        np.save(folder / "tokens.npy", rows)
        last = int(0.9 * windows / BATCH)
        measure("np.memmap", partial(memmap, folder / "tokens.npy"), last, batches, repetitions)
        for workers in (0, 1):
            measure(f"ours, workers {workers}", partial(ours, folder, workers), last, batches, repetitions)


if __name__ == "__main__":
    typer.run(main)
