"""A stage: a set of tasks that may run side by side, and what it waits for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pipelines import store
from pipelines.tasks import Input, Output, Record, Task

Done = Mapping[str, Mapping[str, Record]]  # stage -> task key -> record


@dataclass(frozen=True)
class Stage:
    """A set of tasks that may run side by side. `expected` counts them, and their bytes, before they can be planned."""

    name: str
    needs: tuple[str, ...]
    folders: tuple[str, ...]  # every file below them is an output of this stage
    tasks: Callable[[Done], list[Task]]
    expected: tuple[int, int]
    job: str | None = None  # of a round: the "module:function" that makes the chain of a Beam job
    groups: tuple[tuple[str, ...], ...] = ()  # of a round: the task keys that are compared with each other


def waves(stages: Sequence[Stage]) -> list[list[Stage]]:
    """Stages in the order of their needs; those of one wave can run together. Needs outside `stages` count as done."""
    left, names = list(stages), {s.name for s in stages}
    result: list[list[Stage]] = []
    while left:
        waiting = {s.name for s in left}
        wave = [s for s in left if not waiting & set(s.needs) & names]
        assert wave, f"stages wait for each other: {waiting}"
        result.append(wave)
        left = [s for s in left if s not in wave]
    return result


def as_input(out: str, output: Output) -> Input:
    return Input(store.join(out, output.path), output.bytes, sha256=output.sha256)
