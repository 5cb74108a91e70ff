"""The manifest: which token shards there are, what each holds, and in which shares the sources are mixed.

It is JSON, written last by the pipeline, so that its presence means that the run is whole. Paths are relative to its
folder, which fsspec reaches (`/data/run`, `gs://bucket/run`, `s3://bucket/run`).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import fsspec
from fsspec.spec import AbstractFileSystem
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from trainer.errors import ConfigError

WEIGHT_UNITS = 10_000  # weights are percentages with two decimals: whole multiples of 1/10,000

Count = Annotated[int, Field(ge=0)]


def _inside(path: str) -> str:
    if path.startswith("/") or ".." in path.split("/") or "://" in path:
        raise ValueError(f"{path!r} leaves the manifest's folder")
    return path


RelativePath = Annotated[str, AfterValidator(_inside)]


class Shard(BaseModel):
    """One Parquet file of token rows; `row_groups` holds the number of tokens in each of its row groups."""

    model_config = ConfigDict(frozen=True)

    path: RelativePath
    rows: Count
    tokens: Count
    bytes: Count
    sha256: str
    row_groups: tuple[Count, ...]

    @model_validator(mode="after")
    def _adds_up(self) -> "Shard":
        if sum(self.row_groups) != self.tokens:
            raise ValueError(
                f"{self.path}: row groups hold {sum(self.row_groups):,} tokens, `tokens` says {self.tokens:,}"
            )
        return self


class Source(BaseModel):
    """A source's shards, in order, and its share of the samples in percent."""

    model_config = ConfigDict(frozen=True)

    weight: Annotated[float, Field(ge=0, le=100)]
    documents: Count
    tokens: Count
    shards: tuple[Shard, ...]

    @model_validator(mode="after")
    def _adds_up(self) -> "Source":
        if sum(shard.tokens for shard in self.shards) != self.tokens:
            raise ValueError(
                f"shards hold {sum(s.tokens for s in self.shards):,} tokens, `tokens` says {self.tokens:,}"
            )
        return self


class Tokenizer(BaseModel):
    """The SentencePiece model that made the tokens; `pieces` is the size of its vocabulary."""

    model_config = ConfigDict(frozen=True)

    path: RelativePath
    sha256: str
    pieces: Annotated[int, Field(ge=1)]


class _Content(BaseModel):
    format: Literal["altiplano/manifest"]
    version: Literal[1]
    sources: dict[str, Source] = Field(min_length=1)
    tokenizer: Tokenizer


@dataclass(frozen=True)
class Manifest:
    """A manifest that was read and found whole.

    `location` is its full URL, and `folder`, where its paths start, a path of `filesystem`. `sha256` is that of what
    the data are: shards and tokenizer by their contents, whatever they are called and whichever version wrote them.
    """

    location: str
    sha256: str
    filesystem: AbstractFileSystem
    folder: str
    sources: Mapping[str, Source]
    tokenizer: Tokenizer


def read_manifest(location: str) -> Manifest:
    """Read the manifest at `location`: its path or URL, or that of the folder that holds `manifest.json`.

    Raises ConfigError, in one line, when it is not there or is not a manifest of this version.
    """
    try:
        filesystem, path = fsspec.core.url_to_fs(location)
        if filesystem.isdir(path):
            path = f"{path.rstrip('/')}/manifest.json"
        raw: bytes = filesystem.cat_file(path)
    except FileNotFoundError:
        raise ConfigError(f"{location}: no manifest here (a run writes manifest.json last, when it is whole)") from None
    except Exception as error:  # a store's library raises what it likes
        raise ConfigError(f"{location}: cannot be read: {' '.join(str(error).split())}") from None
    try:
        content = _Content.model_validate_json(raw)
        units_of({name: source.weight for name, source in content.sources.items()})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "JSON"
        raise ConfigError(f"{location}: not a manifest that can be used: {where}: {first['msg']}") from None
    except ValueError as error:
        raise ConfigError(f"{location}: {error}") from None
    folder = path.rpartition("/")[0]
    contents = {name: [shard.sha256 for shard in source.shards] for name, source in content.sources.items()}
    identity = json.dumps([contents, content.tokenizer.sha256], sort_keys=True)
    sha256 = hashlib.sha256(identity.encode()).hexdigest()
    return Manifest(filesystem.unstrip_protocol(path), sha256, filesystem, folder, content.sources, content.tokenizer)


def units_of(weights: Mapping[str, float]) -> dict[str, int]:
    """Percentages as whole multiples of 1/10,000. Raises ValueError unless they are such and sum to 100."""
    units = {name: round(weight * 100) for name, weight in weights.items()}
    for name, weight in weights.items():
        if weight < 0 or abs(weight * 100 - units[name]) > 1e-6:
            raise ValueError(f"the weight of {name} is {weight}, which is not a percentage with at most two decimals")
    if sum(units.values()) != WEIGHT_UNITS:
        raise ValueError(f"weights sum to {sum(units.values()) / 100:g}, not 100: {dict(weights)}")
    return units
