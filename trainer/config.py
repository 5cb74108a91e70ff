"""A training run's settings: one YAML file for each model size, and overrides by dotted name on the command line.

Each part's settings are defined beside what they set; here they are read together and checked whole before any work
starts.
"""

import reprlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from trainer.data import DataConfig
from trainer.errors import ConfigError
from trainer.model import ModelConfig
from trainer.optimizer import OptimizerConfig

_SHOWN = reprlib.Repr()  # of what was given: a few lines of YAML with anchors hold a list of any size
_SHOWN.maxlevel, _SHOWN.maxstring, _SHOWN.maxother = 2, 200, 200

MODELS = Path(__file__).parent.parent / "configs" / "models"


class TrainConfig(BaseModel):
    """How long to train, and how one device gets through a batch."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(ge=1)  # the learning rate's cosine ends here
    micro_batch: int | None = Field(None, ge=1)  # samples at a time; gradients add up over the batch. By default all
    precision: Literal["fp32", "bf16"] = "fp32"  # of matrix products; weights and their updates are fp32 always
    seed: int = 0  # of the initial weights
    log_every: int = Field(10, ge=1)  # steps between lines, where no terminal shows a bar


class CheckpointConfig(BaseModel):
    """When to save, and how many to keep."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    every: Annotated[int, Field(ge=1)] = 1_000  # steps
    keep: Annotated[int, Field(ge=1)] = 2


class Config(BaseModel):
    """All of a run's settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: ModelConfig
    data: DataConfig
    optimizer: OptimizerConfig
    train: TrainConfig
    checkpoint: CheckpointConfig = CheckpointConfig()

    @model_validator(mode="after")
    def _micro_batch_divides(self) -> "Config":
        if self.train.micro_batch and self.data.batch % self.train.micro_batch:
            raise ValueError(f"train.micro_batch {self.train.micro_batch} does not divide data.batch {self.data.batch}")
        return self


def load_config(model: str, overrides: Sequence[str] = ()) -> Config:
    """The settings in the YAML file `model`, or of the model of that name in configs/models, with `name=value`
    overrides.

    Raises ConfigError, a line for each mistake, that names the setting, its value and what would be accepted.
    """
    path = Path(model)
    if path.suffix not in (".yaml", ".yml"):
        path = MODELS / f"{model}.yaml"
        if not path.is_file():
            names = ", ".join(sorted(file.stem for file in MODELS.glob("*.yaml")))
            raise ConfigError(f"no model is called {model!r}: give one of {names}, or a YAML file")
    settings = _read_yaml(path)
    for override in overrides:
        name, equals, value = override.partition("=")
        if not equals or not name:
            raise ConfigError(f"{override!r}: an override is written name=value, as in optimizer.peak_lr=1e-3")
        _set(settings, name, _parse(value, override))
    try:
        return Config.model_validate(settings)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{path}: {_explain(item)}" for item in error.errors())) from None


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = _parse(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: not a YAML mapping of settings")
    return content


def _parse(text: str, where: str) -> Any:
    try:
        return YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        line = f" (line {error.problem_mark.line + 1})" if error.problem_mark else ""
        raise ConfigError(f"{where}: not valid YAML: {str(error.problem).splitlines()[0]}{line}") from None
    except (YAMLError, ValueError, RecursionError) as error:  # a date with a 13th month is a ValueError
        raise ConfigError(f"{where}: not valid YAML: {' '.join(str(error).split())}") from None


def _set(settings: dict[str, Any], name: str, value: object) -> None:
    *parents, last = name.split(".")
    for parent in parents:
        below = settings.get(parent)
        settings[parent] = settings = dict(below) if isinstance(below, dict) else {}
    settings[last] = value


def _explain(error: Any) -> str:
    """One line for a pydantic error: the setting by its dotted name, what was given, and what would be accepted."""
    location = [str(part) for part in error["loc"]]
    name = ".".join(location)
    if error["type"] == "extra_forbidden":
        part: Any = Config
        for step in location[:-1]:
            part = part.model_fields[step].annotation
        return f"{name}: no such setting; there are {', '.join(part.model_fields)}"
    if error["type"] == "missing":
        return f"{name}: missing, and has no default"
    message = error["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if error["type"] == "value_error":
        return f"{name}: {message}" if name else message
    return f"{name}: {_SHOWN.repr(error['input'])}: {message}"
