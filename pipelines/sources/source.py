"""What every source is: a section of the configuration that knows its files, its splits and its chain of segments and
rounds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipelines.store import FileInfo, is_local
from pipelines.tasks import Input

Percent = Annotated[Decimal, Field(ge=0, le=100, multiple_of=Decimal("0.01"))]
Scope = Literal["group", "dump", "all"]
PIECE = "piece"
GROUPS = 32  # CCNet compares lines within 50 of a dump's 1,600 shards


class Section(BaseModel):
    """A part of the configuration: unknown keys are errors, and nothing changes after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Split:
    """A piece of a source that one task takes: a file, or a range of one. `name` is unique in its collection."""

    collection: str
    name: str
    input: Input
    pieces: int = 0  # into how many a segment that `cuts` is expected to cut it; 0: it is taken as it is

    @property
    def key(self) -> str:
        return f"{self.collection}__{self.name}"

    @classmethod
    def of_file(cls, collection: str, file: FileInfo) -> "Split":
        return cls(collection, file.name, Input(file.path, file.size, file.hint))

    @classmethod
    def of_range(cls, collection: str, file: FileInfo, start: int, end: int) -> "Split":
        source = Input(file.path, end - start, file.hint, start=start, end=end)
        return cls(collection, f"{file.name}@{start:012d}", source)


@dataclass(frozen=True)
class Segment:
    """One task for each split.

    `takes` names earlier segments and rounds: what they made of the same split are inputs under `<name>.<role>`, beside
    the raw file as `raw` where `reads_raw`. One that `cuts` is the first of its chain, takes the splits that have
    `pieces`, and writes files under the role `PIECE`: each is a split for the segments behind it, in the other's place
    (a round could not follow: its groups are planned with the splits).
    """

    name: str
    body: str  # "module:function", which takes a `tasks.Work`
    settings: Mapping[str, Any]
    folders: tuple[str, ...]  # where its outputs go
    takes: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    reads_raw: bool = True
    cuts: bool = False


@dataclass(frozen=True)
class Round:
    """A decision that needs to see all splits of a scope, from what segment `of` made of each.

    `job` is "module:function", called as `rounds.chain` is: by default it decides which keys of the segment's
    `digest` are removed, and leaves each split a `bitmap`. `body` is the code that the decision depends on.
    """

    name: str
    of: str
    scope: Scope
    settings: Mapping[str, Any]
    job: str = "pipelines.rounds:chain"
    body: str = "pipelines.deduplicate:ROUND"

    def groups(self, splits: Sequence[Split]) -> list[list[Split]]:
        """The splits that are compared with each other, in the order that says which occurrence is first."""
        ordered = sorted(splits, key=lambda s: (s.collection, s.name))
        if self.scope == "all":
            return [ordered]
        dumps: dict[str, list[Split]] = {}
        for split in ordered:
            dumps.setdefault(split.collection, []).append(split)
        if self.scope == "dump":
            return list(dumps.values())
        groups: list[list[Split]] = []
        for dump in dumps.values():
            cuts = [len(dump) * i // GROUPS for i in range(GROUPS + 1)]
            groups += [dump[a:b] for a, b in pairwise(cuts) if a < b]
        return groups


class Source(Section):
    """The settings that all sources share. A subclass adds its own rules and says what its stages are."""

    name: ClassVar[str]

    takes_folders: ClassVar[bool] = False  # whether an input may be a folder of this machine, as one split

    weight: Percent
    inputs: Mapping[str, tuple[str, ...]] = Field(min_length=1)  # collection: paths or globs
    tokens_per_byte: float = Field(gt=0)  # expected of raw bytes as published: it sizes shards and nothing else

    def rules(self) -> dict[str, Any]:
        """The settings that say what is done to documents: not to which, nor how they are mixed and cut."""
        return self.model_dump(mode="json", exclude={"weight", "inputs", "tokens_per_byte"}, exclude_none=True)

    def splits(self, collection: str, file: FileInfo) -> list[Split]:
        """How one input file is cut."""
        try:
            ranges = self.ranges(file)
        except OSError:
            if not is_local(file.path):  # a store that fails for a moment must not change the splits
                raise
            ranges = []  # its task will say what is wrong with it
        if len(ranges) <= 1:
            return [Split.of_file(collection, file)]
        return [Split.of_range(collection, file, start, end) for start, end in ranges]

    def ranges(self, file: FileInfo) -> list[tuple[int, int]]:
        """Where a file can be cut, as byte ranges that cover it in order; by default nowhere."""
        return []

    def chain(self) -> tuple[Segment | Round, ...]:
        """What is done to each split, in order. The last segment leaves clean text under the role `text`."""
        raise NotImplementedError
