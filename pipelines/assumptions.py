"""What `plan` assumes: the paper's inputs, machines and prices, all in one file, each with its source."""

import math
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipelines import store
from pipelines.errors import UserError
from pipelines.sources import Sources
from pipelines.sources.source import Section, Source, Split
from pipelines.store import FileInfo

SHIPPED = str(Path(__file__).with_suffix(".yaml"))
NOWHERE = "/assumed"  # a folder that is not there: a source that looks into a file finds none


class AssumedFiles(Section):
    """One collection's files, of equal size, or but for the largest. Its source says where the sizes come from."""

    files: int = Field(gt=0)
    bytes: int = Field(gt=0)
    largest: int | None = Field(None, gt=0)
    ranges: bool = False
    source: str

    @model_validator(mode="after")
    def _largest_is_one_of_them(self) -> "AssumedFiles":
        if self.largest and not self.bytes / self.files <= self.largest <= self.bytes:
            raise ValueError(f"largest must lie between the mean and all bytes, not {self.largest}")
        return self

    def sizes(self, share: float) -> list[int]:
        """The size of every file of a share of them; the largest keeps its part of the bytes, and of few, the mean."""
        number, total = math.ceil(self.files * share), self.bytes * share
        largest = max(total / number, total * (self.largest or 0) / self.bytes)
        rest = (total - largest) / max(1, number - 1)
        return [round(largest)] + [round(rest)] * (number - 1)


class AssumedSource(Section):
    """A source as the paper had it: what goes in, by collection, and the clean text and tokens that come out."""

    tokens: int = Field(gt=0)
    text_bytes: int = Field(gt=0)
    inputs: Mapping[str, AssumedFiles] = Field(min_length=1)
    source: str


class Machine(Section):
    """One worker; `busy` is the share of its core time in which tasks run."""

    cores: int = Field(gt=0)
    memory_gb: float = Field(gt=0)
    disk_gb: float = Field(gt=0)
    busy: float = Field(gt=0, le=1)
    source: str


class StageStart(Section):
    """Seconds that an engine takes to start a job."""

    seconds: float = Field(ge=0)
    source: str


class DataflowPrices(Section):
    """Dollars."""

    vcpu_hour: float = Field(ge=0)
    memory_gb_hour: float = Field(ge=0)
    disk_gb_hour: float = Field(ge=0)
    shuffle_gb: float = Field(ge=0)
    source: str


class MachinePrices(Section):
    """Dollars for an hour of one machine."""

    on_demand_hour: float = Field(ge=0)
    spot_hour: float = Field(ge=0)
    source: str


class InProcess(Section):
    """Memory that the in-process runner needs for a round, and how much of the machine's it may have."""

    held_per_shuffled_byte: float = Field(gt=0)
    memory_share: float = Field(gt=0, le=1)
    source: str


class Engines(Section):
    """What each engine that a run can name takes to start."""

    direct: StageStart
    spark: StageStart
    dataflow: StageStart


class Assumptions(Section):
    """The whole file."""

    sources: Mapping[str, AssumedSource]
    machine: Machine
    engines: Engines
    dataflow: DataflowPrices
    virtual_machines: MachinePrices
    in_process: InProcess

    @model_validator(mode="after")
    def _known_sources(self) -> "Assumptions":
        unknown = self.sources.keys() - Sources.model_fields.keys()
        if unknown:
            raise ValueError(f"no such source: {', '.join(sorted(unknown))}")
        return self


def load(path: str = SHIPPED) -> Assumptions:
    """Read the file. Raises UserError with a line for each mistake, naming its key."""
    try:
        tree: Any = YAML(typ="safe").load(store.read_bytes(path))
        return Assumptions.model_validate(tree)
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file") from None
    except YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        problems = (f"{path}: {'.'.join(map(str, p['loc'])) or 'the file'}: {p['msg']}" for p in error.errors())
        raise UserError("\n".join(problems)) from None


def assumed_splits(source: Source, assumed: AssumedSource, share: float) -> list[Split]:
    """The splits that a source would make of a share of the files the paper had."""
    splits: list[Split] = []
    for collection, files in assumed.inputs.items():
        for number, size in enumerate(files.sizes(share)):
            file = FileInfo(f"{NOWHERE}/{collection}/{number:07d}", size, "")
            if files.ranges:
                pieces = math.ceil(size / source.rules()["split_bytes"])
                cuts = [size * i // pieces for i in range(pieces + 1)]
                splits += [Split.of_range(collection, file, a, b) for a, b in pairwise(cuts)]
            else:
                splits += source.splits(collection, file)
    return splits
