"""Doing stages, wave after wave: skip what is done, do the rest, stop before the next round if something could not be
done.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from pipelines.engine import Engine
from pipelines.errors import InterruptedRunError, RunError, UserError
from pipelines.ledger import Files, Ledger
from pipelines.pool import close_pools
from pipelines.progress import Monitor
from pipelines.stages import Stage, waves
from pipelines.tasks import TASKS, Failure, Record, Task, load, total_counts

NAMED_FAILURES = 20
_JAVA = re.compile(r"\s*(at |\.\.\. \d+ more|Driver stacktrace:|ExcludeOnFailure behavior)")  # around a reason
DISK_FULL = "the disk is full: free some space and run the same command again; finished tasks are kept"


@dataclass
class Result:
    """What stages gave: the current record of every task, and what was left out because it could not be read."""

    records: dict[str, dict[str, Record]] = field(default_factory=dict)
    left_out: dict[str, list[Failure]] = field(default_factory=dict)
    did: int = 0  # tasks that were not done before


def run_stages(
    stages: Sequence[Stage],
    out: str,
    engine: Engine,
    monitor: Monitor,
    before: Mapping[str, dict[str, Record]] | None = None,
) -> Result:
    """Do the stages under `out`, which the caller has locked; `before` are the records of stages done already.

    Raises RunError naming every task that could not be done.
    """
    try:
        return _run_stages(stages, out, engine, monitor, Result(dict(before or {})))
    except KeyboardInterrupt:
        close_pools()
        raise InterruptedRunError("interrupted; the same command goes on where this one stopped") from None


def _run_stages(stages: Sequence[Stage], out: str, engine: Engine, monitor: Monitor, result: Result) -> Result:
    order = waves(stages)
    for stage in (s for wave in order for s in wave):
        monitor.expect(stage.name, *stage.expected)
    for wave in order:
        todo: dict[str, list[Task]] = {}
        planned = {stage.name: stage.tasks(result.records) for stage in wave}
        for stage in wave:
            todo[stage.name] = _begin(stage, planned[stage.name], out, monitor)
            result.did += len(todo[stage.name])
        _do([stage for stage in wave if todo[stage.name]], planned, todo, engine)
        for stage in wave:
            records, failures = _end(stage, planned[stage.name], out, monitor)
            result.records[stage.name] = records
            if failures:
                result.left_out[stage.name] = failures
        _stop_on(failures=[f for stage in wave for f in result.left_out.get(stage.name, ())], engine=engine)
    return result


def _begin(stage: Stage, tasks: Sequence[Task], out: str, monitor: Monitor) -> list[Task]:
    """The tasks that have no record that still matches."""
    ledger, files = Ledger(out, stage.name), Files(out, stage.folders)
    todo, known, done = [], [], 0
    for task in map(ledger.remember, tasks):
        if ledger.done(task, files):
            done += 1
        elif ledger.unreadable(task):
            known.append(task.key)
        else:
            todo.append(replace(task, previous=ledger.previous(task, files)))
    ledger.forget_failures({task.key for task in tasks}.difference(known))
    monitor.start(stage.name, len(tasks), done, len(known), sum(t.size for t in todo))
    return todo


Planned = Mapping[str, Sequence[Task]]  # by stage


def _do(stages: Sequence[Stage], planned: Planned, todo: Planned, engine: Engine) -> None:
    """One Beam job: the tasks of all stages together, and each round."""
    if not stages:
        return
    from pipelines import runners  # Beam takes seconds to import: a run with nothing to do does without

    tasks = [task for stage in stages if not stage.job for task in todo[stage.name]]
    chains = [runners.chain(tasks, engine.limits)] if tasks else []
    for stage in stages:
        if stage.job:
            chains.append(load(stage.job)(stage.name, _groups(stage, planned[stage.name], todo[stage.name])))
    with _readable_errors():
        runners.do_job("-".join(["altiplano", *(stage.name.replace(".", "-") for stage in stages)]), chains, engine)


def _groups(stage: Stage, tasks: Sequence[Task], todo: Sequence[Task]) -> list[list[Task]]:
    """The groups in which a split's verdict is missing; those that are complete stay as they are."""
    missing, by_key = {t.key for t in todo}, {t.key: t for t in tasks}
    return [[by_key[k] for k in group if k in by_key] for group in stage.groups if missing.intersection(group)]


@contextmanager
def _readable_errors() -> Iterator[None]:
    """A Beam job dies with pages of traceback; a user needs the line that says why."""
    try:
        yield
    except (UserError, RunError):
        raise
    except Exception as error:
        text = str(error)
        if "KeyboardInterrupt" in text:
            raise KeyboardInterrupt from None
        if "No space left on device" in text or "[Errno 28]" in text:
            raise RunError(DISK_FULL) from error
        lines = [line.strip() for line in text.splitlines() if line.strip() and not _JAVA.match(line)]
        reason = lines[-1] if lines else type(error).__name__
        raise RunError(f"the Beam job failed: {reason} (finished tasks are kept)") from error


def _end(stage: Stage, tasks: Sequence[Task], out: str, monitor: Monitor) -> tuple[dict[str, Record], list[Failure]]:
    """Take stock: the records that are current, compacted; files that none of them names, removed."""
    ledger = Ledger(out, stage.name)
    records = ledger.current(tasks)
    missing = {t.key for t in tasks} - records.keys()
    failures = [f for f in ledger.failures() if f.key in missing]
    lost = sorted(missing - {f.key for f in failures})
    failures += [Failure(stage.name, key, "error", "the job ended without doing it") for key in lost]
    if not any(f.kind != "unreadable" for f in failures):
        ledger.compact(records.values())
        Files(out, stage.folders).remove_all_but(records.values())
    monitor.end(stage.name, len(records), len(failures), total_counts(records.values()))
    return records, failures


def _stop_on(failures: Sequence[Failure], engine: Engine) -> None:
    fatal = [f for f in failures if not (engine.leave_out_unreadable and f.kind == "unreadable")]
    if not fatal:
        return
    lines = [f"{f.stage} {f.key}: {f.kind}: {f.reason}" for f in fatal[:NAMED_FAILURES]]
    if len(fatal) > NAMED_FAILURES:
        lines.append(f"... and {len(fatal) - NAMED_FAILURES} more")
    if any(f.kind == "space" for f in fatal):
        advice = DISK_FULL
    elif any(f.kind == "store" for f in fatal):
        advice = "a store failed at every attempt: run the same command again; finished tasks are kept"
    elif all(f.kind == "unreadable" for f in fatal):
        advice = "mend or remove these files, or set unreadable_inputs=leave_out, and run the same command again"
    else:
        advice = (
            f"details are in {TASKS}/<stage>/<task>.failed.json; running the same command again redoes these tasks only"
        )
    raise RunError("\n".join([f"{len(fatal)} tasks could not be done:", *lines, advice]))
