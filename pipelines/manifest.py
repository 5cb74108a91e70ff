"""The manifest: what a run made, written last, so that its presence means that the run is whole; and `verify`, which
checks it.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.progress import track
from typing_extensions import TypedDict  # pydantic wants it before Python 3.12

from pipelines import store
from pipelines.config import Config
from pipelines.errors import UserError
from pipelines.fingerprint import source_versions
from pipelines.run import Result
from pipelines.tasks import Failure, Record, total_counts

MANIFEST = "manifest.json"
FORMAT = "altiplano/manifest"
VERSION = 1


class _Shard(TypedDict):
    path: str
    rows: int
    tokens: int
    bytes: int
    sha256: str
    row_groups: list[int]


class _Source(TypedDict):
    weight: float
    documents: int
    tokens: int
    shards: list[_Shard]


class _Tokenizer(TypedDict):
    path: str
    sha256: str
    pieces: int


class _Manifest(TypedDict):
    format: Literal["altiplano/manifest"]
    version: Literal[1]
    sources: dict[str, _Source]
    tokenizer: _Tokenizer
    stages: dict[str, Any]


_MANIFEST = TypeAdapter(_Manifest)


def _shard(record: Record) -> dict[str, Any]:
    output = record.output("shard")
    return {
        "path": output.path,
        "rows": record.counts["documents"],
        "tokens": record.counts["tokens"],
        "bytes": output.bytes,
        "sha256": output.sha256,
        "row_groups": record.facts["row_groups"],
    }


def _source(weight: float, records: Mapping[str, Record]) -> dict[str, Any]:
    shards = [_shard(records[key]) for key in sorted(records)]
    totals = {"documents": sum(s["rows"] for s in shards), "tokens": sum(s["tokens"] for s in shards)}
    return {"weight": weight, **totals, "shards": shards}


def _stage(records: Mapping[str, Record], left_out: Sequence[Failure]) -> dict[str, Any]:
    """What a stage took in and gave out. Names are task keys: no path of this machine."""
    counts = total_counts(records.values())
    inputs = sorted((r.key, role, i.sha256) for r in records.values() for role, i in r.inputs.items())
    stage: dict[str, Any] = {
        "tasks": len(records),
        "inputs_sha256": hashlib.sha256(json.dumps(inputs).encode()).hexdigest(),
        "counts": dict(sorted(counts.items())),
        "truncated": {key: records[key].truncated for key in sorted(records) if records[key].truncated},
        "left_out": {f.key: f.reason for f in sorted(left_out, key=lambda f: f.key)},
    }
    return {name: value for name, value in stage.items() if value or name == "counts"}


def write_manifest(config: Config, result: Result, tokenizer: Mapping[str, Any], out: str) -> dict[str, Any]:
    """Write `out`/manifest.json from the records of a whole run; equal runs write equal bytes."""
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "sources": {
            name: _source(float(source.weight), result.records[f"{name}.tokens"])
            for name, source in config.sources.present()
        },
        "tokenizer": dict(tokenizer),
        "configuration": config.describe(),
        "versions": source_versions(),
        "stages": {name: _stage(records, result.left_out.get(name, ())) for name, records in result.records.items()},
    }
    store.write_bytes(out, MANIFEST, (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode())
    return manifest


def read_manifest(path: str) -> tuple[dict[str, Any], str]:
    """A manifest and the folder its paths start from; `path` is the file or the run's folder."""
    if not path.endswith(".json"):
        path = store.join(path, MANIFEST)
    try:
        manifest = json.loads(store.read_bytes(path))
    except FileNotFoundError:
        raise UserError(f"{path}: there is no manifest: the run has not finished") from None
    except (ValueError, RecursionError):
        raise UserError(f"{path}: not JSON, so not a manifest") from None
    try:
        _MANIFEST.validate_python(manifest)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise UserError(f"{path}: not a manifest of format {FORMAT}, version {VERSION} ({where})") from None
    return manifest, path.rpartition("/")[0] or "."


def verify(path: str) -> list[str]:
    """Check every shard against the manifest, byte for byte and token for token: the problems found, none if it is
    sound.
    """
    manifest, folder = read_manifest(path)
    problems = []
    if round(sum(s["weight"] for s in manifest["sources"].values()), 2) != 100:
        problems.append("the sources' weights do not sum to 100")
    tokenizer = manifest["tokenizer"]
    problems += _check_bytes(folder, tokenizer)
    for name, source in manifest["sources"].items():
        for total, part in (("documents", "rows"), ("tokens", "tokens")):
            if source[total] != sum(shard[part] for shard in source["shards"]):
                problems.append(f"{name}: {total} is not the sum over its shards")
    shards = [shard for source in manifest["sources"].values() for shard in source["shards"]]
    for shard in track(shards, "verify", console=Console(stderr=True), transient=True):
        wrong = _check_bytes(folder, shard)
        problems += wrong or _check_shard(folder, shard, tokenizer)
    return problems


def _check_bytes(folder: str, entry: Mapping[str, Any]) -> list[str]:
    path = store.join(folder, entry["path"])
    try:
        digest, _ = store.sha256(path)
    except OSError as error:
        return [f"{entry['path']}: cannot be read: {error.strerror or type(error).__name__}"]
    return [] if digest == entry["sha256"] else [f"{entry['path']}: its bytes are not those in the manifest"]


def _check_shard(folder: str, shard: Mapping[str, Any], tokenizer: Mapping[str, Any]) -> Iterator[str]:
    with store.open_read(store.join(folder, shard["path"])) as stream:
        file = pq.ParquetFile(stream)
        said = (file.schema_arrow.metadata or {}).get(b"altiplano.tokenizer", b"").decode()
        if said != tokenizer["sha256"]:
            yield f"{shard['path']}: made with another tokenizer"
        lengths = []
        for group in range(file.num_row_groups):
            table = file.read_row_group(group)
            tokens = table["tokens"].combine_chunks()
            lengths.append(len(tokens.flatten()))
            if lengths[-1] and pc.max(tokens.flatten()).as_py() >= tokenizer["pieces"]:
                yield f"{shard['path']}: row group {group} holds a token beyond the {tokenizer['pieces']} pieces"
        if lengths != shard["row_groups"]:
            yield f"{shard['path']}: its row groups hold {lengths} tokens, the manifest says {shard['row_groups']}"
        if (file.metadata.num_rows, sum(lengths)) != (shard["rows"], shard["tokens"]):
            yield f"{shard['path']}: its documents or tokens are not counted as in the manifest"
