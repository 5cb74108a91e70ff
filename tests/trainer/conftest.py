"""Small runs made by the tests: a manifest and token shards as the pipeline writes them."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import trainer  # noqa: F401 (before PyTorch, so that its threads do not spin)

TOKENIZER = "7" * 64

# A source's weight, and its shards: each a list of row groups, each a list of documents' lengths in tokens.
Sources = Mapping[str, tuple[float, Sequence[Sequence[Sequence[int]]]]]


def write_run(folder: Path, sources: Sources, *, pieces: int = 60_000, tokenizer: str = TOKENIZER) -> str:
    """Write a run whose tokens count up from 0 in each source (so that a window's tokens say where it lies)."""
    entries: dict[str, dict[str, Any]] = {}
    for name, (weight, shards) in sources.items():
        shard_entries: list[dict[str, Any]] = []
        documents = next_token = 0
        for number, row_groups in enumerate(shards):
            path = f"tokens/{name}/{number:05d}.parquet"
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            metadata = {"altiplano.tokenizer": tokenizer, "altiplano.configuration": "c" * 64}
            schema = pa.schema([("id", pa.string()), ("tokens", pa.list_(pa.uint16()))], metadata=metadata)
            with pq.ParquetWriter(folder / path, schema) as writer:
                for lengths in row_groups:
                    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
                    flat = (np.arange(next_token, next_token + offsets[-1]) % pieces).astype(np.uint16)
                    ids = pa.array([f"{name}/{number}/{documents + i}" for i in range(len(lengths))], pa.string())
                    tokens = pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat))
                    writer.write_table(pa.table([ids, tokens], schema=schema), row_group_size=max(1, len(lengths)))
                    documents += len(lengths)
                    next_token += int(offsets[-1])
            raw = (folder / path).read_bytes()
            shard_entries.append(
                {
                    "path": path,
                    "rows": sum(len(lengths) for lengths in row_groups),
                    "tokens": sum(sum(lengths) for lengths in row_groups),
                    "bytes": len(raw),
                    "sha256": hashlib.sha256(raw).hexdigest(),
                    "row_groups": [sum(lengths) for lengths in row_groups],
                }
            )
        entries[name] = {
            "weight": weight,
            "documents": documents,
            "tokens": sum(entry["tokens"] for entry in shard_entries),
            "shards": shard_entries,
        }
    manifest = {
        "format": "altiplano/manifest",
        "version": 1,
        "sources": entries,
        "tokenizer": {"path": "models/tokenizer.model", "sha256": tokenizer, "pieces": pieces},
        "configuration": {},
        "versions": {},
        "stages": {},
    }
    location = folder / "manifest.json"
    location.write_text(json.dumps(manifest))
    return str(location)


@pytest.fixture
def small_run(tmp_path: Path) -> str:
    """Two sources, three shards, of 30 to 700 tokens a row group."""
    return write_run(
        tmp_path / "run",
        {
            "commoncrawl": (75.0, [[[200, 300], [400], [30, 1, 5]], [[700]]]),
            "wikipedia": (25.0, [[[40, 40, 20], [60]]]),
        },
    )


@pytest.fixture
def edit_manifest() -> Callable[[str, Callable[[dict], None]], None]:
    """Change a manifest in place."""

    def edit(location: str, change: Callable[[dict], None]) -> None:
        content = json.loads(Path(location).read_text())
        change(content)
        Path(location).write_text(json.dumps(content))

    return edit
