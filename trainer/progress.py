"""What a person sees of a run: a bar with the time left on a terminal, plain lines elsewhere, and a table of the
sources.
"""

from collections.abc import Mapping
from datetime import timedelta
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from trainer.data import PAPER_EPOCHS, Stream
from trainer.metrics import Row


class TrainingProgress:
    """Shows steps as they are done."""

    def __init__(self, console: Console, *, done: int, steps: int, log_every: int) -> None:
        self._console = console
        self._done = done
        self._steps = steps
        self._log_every = log_every
        self._started: float | None = None
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("step {task.completed}/{task.total}"),
                BarColumn(bar_width=20),
                TextColumn("{task.description}"),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                console=self._console,
            )
            self._task = self._bar.add_task("", total=self._steps, completed=self._done)
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def step(self, row: Row, epochs: Mapping[str, float]) -> None:
        """One more step was done."""
        rate = f"{row['tokens_per_second']:,.0f} tokens/s"
        numbers = f"loss {row['loss']:.4f}  lr {row['lr']:.2e}  grad {row['grad_norm']:.2f}  {rate}"
        shares = ", ".join(f"{source} {number:.2f}" for source, number in epochs.items())
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=row["step"], description=f"{numbers}\nepochs: {shares}")
        elif row["step"] % self._log_every == 0 or row["step"] in (self._done + 1, self._steps):
            left = timedelta(seconds=round(self._seconds_left(row)))
            self._console.print(f"step {row['step']}/{self._steps}  {numbers}  left {left}  epochs: {shares}")

    def _seconds_left(self, row: Row) -> float:
        if self._started is None:  # the first step of an attempt warms up: it says little about the others
            self._started = row["seconds"]
        done = row["step"] - self._done - 1
        pace = (row["seconds"] - self._started) / done if done else 0.0
        return pace * (self._steps - row["step"])


def source_table(stream: Stream, sample: int) -> str:
    """Each source's share, size, and its epochs when `sample` samples are read, beside the paper's."""
    epochs, places = stream.epochs(sample), stream.phase.places_at(sample)
    rows = [("source", "weight", "tokens", "windows", "read", "epochs", "paper's epochs")]
    rows += [
        (
            name,
            f"{stream.identity.weights[name]:.2f} %",
            f"{stream.manifest.sources[name].tokens:,}",
            f"{stream.windows[name]:,}",
            f"{places[name]:,}",
            f"{epochs[name]:.3f}" if name in epochs else "-",
            f"{PAPER_EPOCHS[name]:.2f}" if name in PAPER_EPOCHS else "-",
        )
        for name in stream.sources
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    )
