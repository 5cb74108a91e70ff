"""A source's chain done in this process, stage by stage, rounds on Beam's in-process runner."""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.config import Config
from pipelines.engine import Engine, Limits
from pipelines.graph import source_stages
from pipelines.models import Models
from pipelines.plan import make_plan
from pipelines.runners import do_job
from pipelines.tasks import Record, execute, load

Done = dict[str, dict[str, Record]]
NO_MODELS = Models()
ENGINE = Engine(Limits(workers=1, memory_mb=1_500, seconds=600))


def run_chain(name: str, settings: Mapping[str, object], data: Path, out: Path, models: Models = NO_MODELS) -> Done:
    """The records of every stage of the source `name`, by stage and task."""
    config = Config.model_validate({"data": str(data), "sources": {name: {"weight": 100, **settings}}})
    splits = make_plan(config).splits[name]
    done: Done = {}
    for stage in source_stages(config, getattr(config.sources, name), splits, models, str(out)):
        tasks = {task.key: task for task in stage.tasks(done)}
        if stage.job:
            groups = [[tasks[key] for key in group] for group in stage.groups]
            do_job(stage.name, [load(stage.job)(stage.name, groups)], ENGINE)
        else:
            for task in tasks.values():
                failure = execute(task)
                assert failure is None, failure
        records = (Record.from_json(path.read_text()) for path in (out / "tasks" / stage.name).glob("*.json"))
        done[stage.name] = {record.key: record for record in records}
    return done


def texts(done: Done, stage: str, out: Path) -> pa.Table:
    """The clean documents of all splits, in their order."""
    records = [done[stage][key] for key in sorted(done[stage])]
    return pa.concat_tables(pq.read_table(out / record.output("text").path) for record in records)


def counts(done: Done, stage: str) -> dict[str, int]:
    """A stage's counts over all its tasks, without those that are zero."""
    total: dict[str, int] = {}
    for record in done[stage].values():
        for name, number in record.counts.items():
            total[name] = total.get(name, 0) + number
    return {name: number for name, number in total.items() if number}
