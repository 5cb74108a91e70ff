"""One YAML file a run, read into typed models and checked whole before any work starts."""

import difflib
import reprlib
from collections.abc import Iterator, Sequence
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipelines import store
from pipelines.errors import UserError
from pipelines.sources import Sources
from pipelines.sources.source import Section

_YAML_ERRORS = (YAMLError, ValueError, RecursionError)  # a date with a 13th month is a ValueError
_SHOWN = reprlib.Repr()  # of what was given: a few lines of YAML with anchors hold a list of any size
_SHOWN.maxlevel, _SHOWN.maxstring, _SHOWN.maxother = 2, 200, 200


class ModelsConfig(Section):
    """The pinned models that filters use, and how `models` makes the ones it can make."""

    folder: str | None = None  # holds models.json; by default the run's own models/
    language_identification: str | None = None  # fastText lid.176; by default the one that set-up installed
    perplexity_languages: tuple[str, ...] = ("en",)
    pieces: int = Field(65_536, gt=100, le=1_000_000)
    max_documents: int = Field(1_000_000, gt=0)
    measured_splits: int = Field(100, gt=0)  # the sample of splits that the cut-offs are measured on
    percentiles: tuple[float, float] = (30.0, 60.0)  # of perplexity: where head ends, and where middle does
    memory_mb: int = Field(4_000, ge=100)  # for lmplz and SentencePiece while they train

    @field_validator("percentiles")
    @classmethod
    def _in_order(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not 0 < value[0] < value[1] < 100:
            raise ValueError("two percentiles are wanted, the first below the second, both between 0 and 100")
        return value


class TokenizerConfig(Section):
    """The tokenizer that `tokenizer train` makes, by the paper's settings, and that a run pins."""

    path: str | None = None  # by default the run's own models/tokenizer.model
    pieces: int = Field(32_000, gt=300, le=1_000_000)
    sample_bytes: int = Field(10_000_000_000, gt=0)


class ShardsConfig(Section):
    """How clean text is cut into token shards."""

    tokens: int = Field(100_000_000, gt=0)
    row_group_tokens: int = Field(2_000_000, gt=0)


class LimitsConfig(Section):
    """What one task may use; no setting here changes a byte of the result."""

    memory_mb: int = Field(1_500, ge=200)
    seconds: int = Field(4 * 3600, gt=0)


class Config(Section):
    """A run: where its sources are, what is done to each, and how the result is cut."""

    seed: int = 0
    data: str | None = None  # relative inputs start here; by default where the command is run
    unreadable_inputs: Literal["stop", "leave_out"] = "stop"
    dropped_sample: int = Field(20, ge=0)  # dropped documents kept for people to read, a task and reason
    sources: Sources
    models: ModelsConfig = ModelsConfig()
    tokenizer: TokenizerConfig = TokenizerConfig()
    shards: ShardsConfig = ShardsConfig()
    limits: LimitsConfig = LimitsConfig()

    @model_validator(mode="after")
    def _weights_sum_to_100(self) -> "Config":
        weights = {name: source.weight for name, source in self.sources.present()}
        if sum(weights.values()) != 100:
            said = " + ".join(f"{name} {weight}" for name, weight in weights.items())
            raise ValueError(f"the sources' weights must sum to 100, but {said} = {sum(weights.values())}")
        return self

    def describe(self) -> dict[str, Any]:
        """What changes the bytes of a run's result: no folders, limits or paths of a machine."""
        left_out: dict[str, Any] = {
            "data": True,
            "limits": True,
            "models": {"folder", "language_identification", "memory_mb"},
            "tokenizer": {"path"},
            "sources": {name: {"inputs"} for name, _ in self.sources.present()},
        }
        return self.model_dump(mode="json", exclude=left_out, exclude_none=True)


def load(path: str, overrides: Sequence[str] = ()) -> Config:
    """Read a configuration and apply `a.b.c=value` overrides. Raises UserError that names the key, the value and what
    fits.
    """
    try:
        tree = YAML(typ="safe").load(store.read_bytes(path))
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such configuration file") from None
    except _YAML_ERRORS as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(tree, dict):
        raise UserError(f"{path}: a configuration is a mapping of keys to values")
    for override in overrides:
        _override(tree, override)
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        raise UserError("\n".join(f"{path}: {problem}" for problem in _problems(error))) from None


def _override(tree: dict[str, Any], override: str) -> None:
    name, equals, value = override.partition("=")
    keys = name.split(".")
    if not equals or not all(keys):
        raise UserError(
            f"{override!r}: an override is written as dotted.name=value, like commoncrawl.deduplicate.scope=all"
        )
    if keys[0] in Sources.model_fields:
        keys.insert(0, "sources")
    for key in keys[:-1]:
        tree = tree.setdefault(key, {})
        if not isinstance(tree, dict):
            raise UserError(f"{override!r}: {key} holds a value, not a section")
    try:
        tree[keys[-1]] = YAML(typ="safe").load(value)
    except _YAML_ERRORS:
        raise UserError(f"{override!r}: {value!r} is not a YAML value") from None


def _problems(error: ValidationError) -> Iterator[str]:
    for problem in error.errors():
        location = [str(part) for part in problem["loc"]]
        where = ".".join(location) or "the configuration"
        if problem["type"] == "extra_forbidden":
            accepted = _accepted(location[:-1])
            close = difflib.get_close_matches(location[-1], accepted, 1)
            hint = f"did you mean {close[0]}?" if close else f"accepted here: {', '.join(accepted)}"
            yield f"{where}: unknown key; {hint}"
        elif problem["type"] == "missing":
            yield f"{where}: missing"
        else:
            message = problem["msg"].removeprefix("Value error, ")
            given = problem["input"]
            shown = "" if isinstance(given, dict | BaseModel) else f" (given: {_SHOWN.repr(given)})"
            yield f"{where}: {message[0].lower() + message[1:]}{shown}"


def _accepted(location: Sequence[str]) -> list[str]:
    """The keys of the section at a dotted place."""
    model: type[BaseModel] = Config
    for key in location:
        annotation: Any = model.model_fields[key].annotation if key in model.model_fields else None
        options = [annotation, *get_args(annotation)] if get_origin(annotation) else [annotation]
        model = next((o for o in options if isinstance(o, type) and issubclass(o, BaseModel)), model)
    return sorted(model.model_fields)
