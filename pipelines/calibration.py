"""What work costs, measured: sums for each stage, from the task records that finished runs left."""

import json
import os
import platform
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines import store
from pipelines.deduplicate import Digest, decide, pack, unpack
from pipelines.errors import UserError
from pipelines.ledger import Ledger
from pipelines.sources import Sources
from pipelines.tasks import MODEL, TASKS, Input, Record

SHIPPED = str(Path(__file__).with_suffix(".json"))
TOKENS = "tokens"
WARM_SHARE = 0.25  # of the bytes that later tasks must have read, for the first ones to be told apart
TIMED_SPLITS, TIMED_KEYS = 32, 100_000  # a chunk of a round, with as many keys a split as 6 MB of pages have


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StageCost(_Part):
    """What a stage's tasks took and gave, summed. Rates are quotients of these, so that stages can be added up."""

    tasks: int = Field(gt=0)
    bytes_in: int = Field(ge=0)  # of the source's raw files; for `tokens`, of text in UTF-8
    cpu_seconds: float = Field(ge=0)  # without what a child's first task adds
    start_seconds: float = Field(ge=0)  # what first tasks add: imports, models
    starts: int = Field(gt=0)  # children that did the stage
    bytes_out: Mapping[str, int]  # files by role
    text_bytes: int = Field(0, ge=0)  # of kept text in UTF-8
    tokens: int = Field(0, ge=0)

    def __add__(self, other: "StageCost") -> "StageCost":
        roles = self.bytes_out.keys() | other.bytes_out.keys()
        return StageCost(
            tasks=self.tasks + other.tasks,
            bytes_in=self.bytes_in + other.bytes_in,
            cpu_seconds=round(self.cpu_seconds + other.cpu_seconds, 3),
            start_seconds=round(self.start_seconds + other.start_seconds, 3),
            starts=self.starts + other.starts,
            bytes_out={role: self.bytes_out.get(role, 0) + other.bytes_out.get(role, 0) for role in sorted(roles)},
            text_bytes=self.text_bytes + other.text_bytes,
            tokens=self.tokens + other.tokens,
        )


class Host(_Part):
    """Where and when it was measured."""

    processor: str
    cores: int
    date: str


class Calibration(_Part):
    """The cost of each stage, by its name; what one more stage adds to a run in seconds; and the cost of deciding keys
    in a round, which happens inside Beam, where no task record sees it.
    """

    format: Literal["altiplano/calibration"] = "altiplano/calibration"
    host: Host
    stages: Mapping[str, StageCost]
    seconds_between_stages: float = Field(ge=0)
    round_seconds_per_gb: float = Field(gt=0)

    def cost(self, stage: str) -> StageCost | None:
        """The stage's cost. Tokenising costs about the same whatever the source: where one's was not measured, the
        others' holds. None for a stage of which nothing is known.
        """
        measured = {name: cost for name, cost in self.stages.items() if cost.bytes_in}
        if stage in measured or not stage.endswith(f".{TOKENS}"):
            return measured.get(stage)
        others = [cost for name, cost in measured.items() if name.endswith(f".{TOKENS}")]
        return sum(others[1:], others[0]) if others else None

    def over(self, other: "Calibration") -> "Calibration":
        """This one, with the other's costs for the stages that this one lacks."""
        return self.model_copy(update={"stages": {**other.stages, **self.stages}})

    def to_json(self) -> bytes:
        return (json.dumps(self.model_dump(mode="json"), indent=1, sort_keys=True) + "\n").encode()


def load(path: str | None = None) -> Calibration:
    """The calibration in a JSON file, or of a finished run whose folder `path` is; where it lacks a stage, or without a
    path, the one that is shipped. Raises UserError for anything else.
    """
    shipped = _read(SHIPPED)
    if path is None:
        return shipped
    if store.list_files(store.join(path, TASKS)):
        return measure([path]).over(shipped)
    return _read(path).over(shipped)


def _read(path: str) -> Calibration:
    try:
        return Calibration.model_validate_json(store.read_bytes(path))
    except FileNotFoundError:
        raise UserError(f"{path}: neither a calibration nor the folder of a run") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UserError(f"{path}: no calibration: {where + ': ' if where else ''}{first['msg']}") from None


def measure(runs: Sequence[str]) -> Calibration:
    """What the records below the folders of runs say; a stage that several runs did is summed. Takes a second itself,
    to time a round. Raises UserError for a folder in which no stage was done.
    """
    costs: dict[str, StageCost] = {}
    pauses: list[float] = []
    for run in runs:
        records = _records(run)
        if not records:
            raise UserError(f"{run}: no run that did anything: it holds no task records")
        for name, cost in _costs(run, records).items():
            costs[name] = costs[name] + cost if name in costs else cost
        pauses += _pauses(records.values())
    return Calibration(
        host=Host(processor=_processor(), cores=os.cpu_count() or 1, date=time.strftime("%Y-%m-%d", time.gmtime())),
        stages=dict(sorted(costs.items())),
        seconds_between_stages=round(median(pauses), 2) if pauses else 0.0,
        round_seconds_per_gb=round(_time_round(), 2),
    )


def _records(run: str) -> dict[str, list[Record]]:
    """The latest record of each task, by stage."""
    stages = {name.partition("/")[0] for name in store.list_files(store.join(run, TASKS)) if "/" in name}
    wanted = [s for s in sorted(stages) if s.partition(".")[0] in Sources.model_fields]
    found = {stage: Ledger(run, stage).latest() for stage in wanted}
    return {stage: records for stage, records in found.items() if records}


def _costs(run: str, records: Mapping[str, Sequence[Record]]) -> dict[str, StageCost]:
    raw: dict[str, dict[str, int]] = defaultdict(dict)  # of each source: its raw files and ranges, with their sizes
    text: dict[str, int] = defaultdict(int)
    for stage, done in records.items():
        source = stage.partition(".")[0]
        raw[source].update({i.memo_key: i.size for record in done for i in _raw(run, record)})
        text[source] += sum(record.counts.get("bytes_kept", 0) for record in done)
    costs = {}
    for stage, done in records.items():
        source, _, link = stage.partition(".")
        mine = [[*_raw(run, record)] for record in done]
        if link == TOKENS:
            size = text[source]
        elif all(mine):  # of files that are cut into pieces first, the cut's own
            size = sum(i.size for some in mine for i in some)
        else:
            size = sum(raw[source].values())
        out: dict[str, int] = defaultdict(int)
        for record in done:
            for output in record.outputs:
                out[output.role] += output.bytes
        cpu, start, starts = _cpu(done)
        costs[stage] = StageCost(
            tasks=len(done),
            bytes_in=size,
            cpu_seconds=cpu,
            start_seconds=start,
            starts=starts,
            bytes_out=dict(sorted(out.items())),
            text_bytes=sum(r.counts.get("bytes_kept", 0) for r in done),
            tokens=sum(r.counts.get("tokens", 0) for r in done),
        )
    return costs


def _cpu(done: Sequence[Record]) -> tuple[float, float, int]:
    """CPU seconds at the rate of tasks that found their child warm, what the others took beyond, and their number.

    Where all tasks, or nearly all, were their child's first, nothing can be told apart.
    """
    first: dict[tuple[Any, Any], str] = {}
    for record in sorted(done, key=lambda r: r.ended):
        first.setdefault((record.run.get("host"), record.run.get("pid")), record.key)
    warm = [record for record in done if record.key not in first.values()]
    everything, size = _seconds(done), sum(map(_size, done))
    warm_size = sum(map(_size, warm))
    if warm_size < WARM_SHARE * size or not warm_size:
        return round(everything, 3), 0.0, len(first)
    cpu = _seconds(warm) / warm_size * size
    return round(cpu, 3), round(max(0.0, everything - cpu), 3), len(first)


def _seconds(done: Iterable[Record]) -> float:
    return sum(record.run.get("cpu_seconds", 0.0) for record in done)


def _size(record: Record) -> int:
    return sum(i.size for role, i in record.inputs.items() if not role.startswith(MODEL))


def _raw(run: str, record: Record) -> Iterable[Input]:
    """What a task read of the source's own files, and not of what the run made."""
    made = store.absolute(run) + "/"
    return (i for role, i in record.inputs.items() if role == "raw" and not i.path.startswith(made))


def _pauses(stages: Iterable[Sequence[Record]]) -> Iterable[float]:
    """Seconds from the end of all that ran to the start of what ran next: a Beam job's start-up, listings, a round."""
    spans = sorted((min(r.run.get("started", r.ended) for r in done), max(r.ended for r in done)) for done in stages)
    end = spans[0][1]
    for start, ended in spans[1:]:
        if start > end:
            yield start - end
        end = max(end, ended)


def _time_round() -> float:
    """CPU seconds for a GB of keys, packed, decided and unpacked as a round does it, apart from Beam's shuffle."""
    keys = np.random.default_rng(0).integers(0, 1 << 63, (TIMED_SPLITS, TIMED_KEYS), np.uint64)
    digests = [Digest.of(split) for split in keys]
    started = time.process_time()
    packed = [one for _, one in pack(0, digests, 1)]
    unpack((0, counts, bits) for _, counts, bits in decide(packed, "none"))
    return (time.process_time() - started) / keys.nbytes * 1e9


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
