"""What a run will take before it is started: tasks, CPU time, bytes, wall time and price, from sizes and a calibration.

Stages and splits are those that the run itself would make; only what a stage costs a byte is taken from elsewhere.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pipelines import assumptions as assumed
from pipelines import store
from pipelines.assumptions import Assumptions
from pipelines.calibration import TOKENS, Calibration, StageCost
from pipelines.config import Config
from pipelines.errors import UserError
from pipelines.graph import source_stages, token_stage
from pipelines.models import Models
from pipelines.plan import source_splits, untaken
from pipelines.sources.source import Source, Split
from pipelines.stages import Stage, waves
from pipelines.tasks import Input

SHUFFLED = ("digest", "signatures")  # what a round carries of the files that the segment before it left
TEXT, DROPPED, SHARD = "text", "dropped", "shard"
ASKED_FOR = "the paper's inputs were asked for"
CLUSTERS = ("spark", "dataflow")
GB = 1e9


@dataclass(frozen=True)
class SourceSize:
    """What goes into a source and what is expected to come out; `assumed` says why its files were not listed."""

    splits: Sequence[Split]
    tokens: float
    text_bytes: float
    assumed: str | None

    @property
    def files(self) -> int:
        return len({split.input.path for split in self.splits})

    @property
    def raw_bytes(self) -> int:
        return sum(split.input.size for split in self.splits)


@dataclass(frozen=True)
class StageEstimate:
    """What one stage will take. `longest_seconds` is its largest task's."""

    stage: str
    tasks: int
    bytes_in: int
    cpu_seconds: float
    shuffle_bytes: int
    disk_bytes: int
    longest_seconds: float
    longest: str
    round: bool
    measured: bool


@dataclass(frozen=True)
class Estimate:
    """Every source and stage, in waves of stages that run side by side, for a number of machines."""

    sources: Mapping[str, SourceSize]
    waves: Sequence[Sequence[StageEstimate]]
    shards: int
    machines: int
    assumptions: Assumptions
    calibration: Calibration
    untaken: Sequence[str]  # files below the data folder that no source reads

    @property
    def stages(self) -> list[StageEstimate]:
        return [stage for wave in self.waves for stage in wave]

    @property
    def cpu_seconds(self) -> float:
        return sum(stage.cpu_seconds for stage in self.stages)

    @property
    def shuffle_bytes(self) -> int:
        return sum(stage.shuffle_bytes for stage in self.stages)

    @property
    def disk_bytes(self) -> int:
        return sum(stage.disk_bytes for stage in self.stages)

    @property
    def cores(self) -> int:
        return self.machines * self.assumptions.machine.cores

    @property
    def last(self) -> StageEstimate:
        """The stage that has the longest task: no number of workers makes the run shorter than that."""
        return max(self.stages, key=lambda stage: stage.longest_seconds)

    def seconds(self, cores: int, engine: str) -> float:
        """Wall time: each wave is a job, which has a start, and takes what its work is, shared by all cores, or its
        longest task.
        """
        start = getattr(self.assumptions.engines, engine).seconds + self.calibration.seconds_between_stages
        busy, total = cores * self.assumptions.machine.busy, 0.0
        for wave in self.waves:
            longest = max(stage.longest_seconds for stage in wave)
            total += start + max(sum(stage.cpu_seconds for stage in wave) / busy, longest)
        return total

    def dataflow_dollars(self) -> dict[str, float]:
        """Machines that come and go with the work, by what the service bills."""
        machine, price = self.assumptions.machine, self.assumptions.dataflow
        hours = self.cpu_seconds / 3600 / machine.busy
        return {
            "vcpu": hours * price.vcpu_hour,
            "memory": hours * machine.memory_gb / machine.cores * price.memory_gb_hour,
            "disk": hours * machine.disk_gb / machine.cores * price.disk_gb_hour,
            "shuffle": self.shuffle_bytes / GB * price.shuffle_gb,
        }

    def machines_dollars(self) -> dict[str, float]:
        """Machines that are held from the first task to the last."""
        prices = self.assumptions.virtual_machines
        hours = self.seconds(self.cores, "spark") / 3600 * self.machines
        return {"on_demand": hours * prices.on_demand_hour, "spot": hours * prices.spot_hour}

    def warnings(self, out: str | None) -> list[str]:
        """What was never measured, what does not fit into this machine's memory, and what not on the disk of `out`."""
        said = [
            f"{stage.stage} was never measured and counts as nothing: see `calibrate`"
            for stage in self.stages
            if not stage.measured
        ]
        rule, memory = self.assumptions.in_process, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        largest = max(self.stages, key=lambda stage: stage.shuffle_bytes)
        held = largest.shuffle_bytes * rule.held_per_shuffled_byte
        if held > memory * rule.memory_share:
            said.append(
                f"{largest.stage} shuffles {largest.shuffle_bytes / GB:,.1f} GB, of which the in-process runner holds "
                f"{held / GB:,.1f} GB in memory; this machine has {memory / GB:,.1f}: use --runner spark, which spills"
            )
        if out and store.is_local(out):
            free = shutil.disk_usage(_existing(store.filesystem(out)[1])).free
            if self.disk_bytes > free:
                said.append(f"{out} will need {self.disk_bytes / GB:,.1f} GB; {free / GB:,.1f} GB are free there")
        return said

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "sources": {
                name: {
                    "files": size.files,
                    "raw_bytes": size.raw_bytes,
                    "text_bytes": round(size.text_bytes),
                    "tokens": round(size.tokens),
                    "assumed": size.assumed,
                }
                for name, size in self.sources.items()
            },
            "stages": [_rounded(asdict(stage)) for stage in self.stages],
            "total": {
                "tasks": sum(stage.tasks for stage in self.stages),
                "shards": self.shards,
                "cpu_hours": round(self.cpu_seconds / 3600, 3),
                "shuffle_bytes": self.shuffle_bytes,
                "disk_bytes": self.disk_bytes,
                "last_to_finish": {"stage": self.last.stage, "task": self.last.longest},
            },
            "machines": self.machines,
            "wall_seconds": {engine: round(self.seconds(self.cores, engine), 1) for engine in CLUSTERS},
            "dollars": {
                "dataflow": _rounded(self.dataflow_dollars()),
                "spark": _rounded(self.machines_dollars()),
            },
        }


def estimate(
    config: Config,
    assumptions: Assumptions,
    calibration: Calibration,
    *,
    machines: int = 1,
    full: bool = False,
    share: float = 1.0,
) -> Estimate:
    """Estimate a run of `config`: on the files that are there, or (`full`, and wherever a source's cannot be listed) on
    a share of those that the paper had. Raises UserError where neither is known.
    """
    sizes = {
        name: _size(config, name, source, assumptions, calibration, full, share)
        for name, source in config.sources.present()
    }
    text = [
        stage
        for name, source in config.sources.present()
        for stage in source_stages(config, source, sizes[name].splits, Models(), "")
    ]
    nothing = Input("", 0)
    tokens = [token_stage(config, source, sizes[n].splits, nothing, text, "") for n, source in config.sources.present()]
    cores, left = machines * assumptions.machine.cores, dict[str, float]()
    estimated = [
        [_stage(stage, sizes[stage.name.partition(".")[0]], calibration, cores, left) for stage in wave]
        for wave in waves([*text, *tokens])
    ]
    taken = {split.input.path for size in sizes.values() for split in size.splits}
    return Estimate(
        sources=sizes,
        waves=estimated,
        shards=sum(stage.expected[0] for stage in tokens),
        machines=machines,
        assumptions=assumptions,
        calibration=calibration,
        untaken=[] if full else untaken(config, taken),
    )


def _size(
    config: Config,
    name: str,
    source: Source,
    assumptions: Assumptions,
    calibration: Calibration,
    full: bool,
    share: float,
) -> SourceSize:
    reason = ASKED_FOR
    if not full:
        try:
            splits = source_splits(config, name, source)
        except UserError as error:
            reason = str(error)
        else:
            tokens = sum(s.input.size for s in splits) * source.tokens_per_byte
            cost = calibration.cost(f"{name}.{TOKENS}")
            text_bytes = tokens * cost.bytes_in / cost.tokens if cost and cost.tokens else 0.0
            return SourceSize(splits, tokens, text_bytes, None)
    if name not in assumptions.sources:
        raise UserError(f"{reason}; nor do the assumptions say how large {name} is")
    known = assumptions.sources[name]
    return SourceSize(
        assumed.assumed_splits(source, known, share), known.tokens * share, known.text_bytes * share, reason
    )


def _stage(
    stage: Stage, size: SourceSize, calibration: Calibration, cores: int, left: dict[str, float]
) -> StageEstimate:
    """One stage on so many cores. What it leaves for a round to shuffle, in bytes, goes into `left` under its name."""
    tasks, bytes_in = stage.expected
    cost = calibration.cost(stage.name)
    out = _bytes_out(stage, size, cost, tasks, bytes_in or size.raw_bytes)
    left[stage.name] = sum(out.get(role, 0) for role in SHUFFLED)
    shuffled, largest, longest = 0.0, 0.0, ""
    if stage.job:
        shuffled = left[stage.needs[0]] + sum(out.values())
        seconds = shuffled / GB * calibration.round_seconds_per_gb
    elif stage.name.endswith(f".{TOKENS}"):
        bytes_in = round(size.text_bytes)
        seconds = bytes_in * _a_byte(cost)
        largest, longest = bytes_in / max(1, tasks), "each"
    else:
        seconds = bytes_in * _a_byte(cost)
        longest, largest = _largest(stage, size.splits)
    return StageEstimate(
        stage=stage.name,
        tasks=tasks,
        bytes_in=bytes_in,
        cpu_seconds=seconds + (min(tasks, cores) * cost.start_seconds / cost.starts if cost and not stage.job else 0),
        shuffle_bytes=round(shuffled),
        disk_bytes=round(sum(out.values())),
        longest_seconds=largest * _a_byte(cost),
        longest=longest,
        round=stage.job is not None,
        measured=cost is not None,
    )


def _a_byte(cost: StageCost | None) -> float:
    return cost.cpu_seconds / cost.bytes_in if cost else 0.0


def _largest(stage: Stage, splits: Sequence[Split]) -> tuple[str, float]:
    """The stage's largest task, and what it takes in: a stage that cuts splits into pieces takes them whole."""
    cuts = not stage.needs and any(split.pieces for split in splits)
    sizes = {s.key: s.input.size / (1 if cuts else s.pieces or 1) for s in splits if s.pieces or not cuts}
    return max(sizes.items(), key=lambda item: item[1])


def _bytes_out(stage: Stage, size: SourceSize, cost: StageCost | None, tasks: int, bytes_in: int) -> dict[str, float]:
    """Files by role: text and shards go with what is kept, samples of what is dropped with tasks, the rest with what
    goes in.
    """
    if cost is None:  # copies of files on the web are as large as these
        return {"file": bytes_in} if all(folder.startswith("inputs/") for folder in stage.folders) else {}
    scales = dict.fromkeys(cost.bytes_out, bytes_in / cost.bytes_in)
    scales[DROPPED] = tasks / cost.tasks
    if cost.text_bytes:
        scales[TEXT] = size.text_bytes / cost.text_bytes
    if cost.tokens:
        scales[SHARD] = size.tokens / cost.tokens
    return {role: measured * scales[role] for role, measured in cost.bytes_out.items()}


def _rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: round(value, 3) if isinstance(value, float) else value for key, value in values.items()}


def _existing(path: str) -> str:
    """The folder, or the nearest one above it that is there."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return path
