"""Manifests, as the pipeline and the trainer read them, and the index of models."""

import json
from collections.abc import Iterator
from contextlib import suppress

from pipelines import models
from pipelines.errors import UserError
from pipelines.manifest import verify
from tests.fuzz._inputs import folder
from trainer.errors import ConfigError
from trainer.manifest import read_manifest

_SHARD = {"path": "a.parquet", "rows": 2, "tokens": 3, "bytes": 4, "sha256": "", "row_groups": [2, 1]}
_SOURCE = {"weight": 100.0, "documents": 2, "tokens": 3, "shards": [_SHARD]}
_MANIFEST = {
    "format": "altiplano/manifest",
    "version": 1,
    "sources": {"c4": _SOURCE},
    "tokenizer": {"path": "models/t.model", "sha256": "", "pieces": 100},
    "configuration": {},
    "versions": {},
    "stages": {},
}
_MODELS = {
    "format": models.FORMAT,
    "files": {"model.x": {"path": "a", "sha256": "b"}},
    "cutoffs": {"en": [1.0, 2]},
    "facts": {},
}
_SAID: tuple[object, ...] = ("../x", "/x", "memory://x", "\ud800", None, True, {}, [], -1, 1e999)
WORDS = tuple(json.dumps(word).encode() for word in (*_SHARD, *_SOURCE, *_MANIFEST, *_MODELS, *_SAID))


def seeds() -> Iterator[bytes]:
    yield json.dumps(_MANIFEST).encode()
    yield json.dumps(_MODELS).encode()


def one_input(data: bytes) -> None:
    """A manifest, or an error of ours."""
    for name in ("manifest.json", models.INDEX):
        (folder() / name).write_bytes(data)
    try:
        manifest = read_manifest(str(folder()))
        assert all(".." not in shard.path.split("/") for s in manifest.sources.values() for shard in s.shards)
    except ConfigError:
        pass
    for read in (verify, models.load):
        with suppress(UserError):
            read(str(folder()))
