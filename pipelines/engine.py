"""Where and how tasks run; nothing here changes a byte of the result."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What one Beam worker may use: a child over `memory_mb` MB of resident memory, or longer than `seconds` at a task,
    is killed. `workers` children, or one for each core of the worker's own machine where it is 0.
    """

    workers: int
    memory_mb: int
    seconds: int


@dataclass(frozen=True)
class Engine:
    """A runner (direct, spark, dataflow, or a Beam runner's full name) with its own options."""

    limits: Limits
    runner: str = "direct"
    options: tuple[str, ...] = ()
    leave_out_unreadable: bool = False
