"""A run's `metrics.jsonl`: one line a step, whatever happened in between."""

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Self, TypedDict

from trainer.errors import TrainerError


class Row(TypedDict):
    """What one step showed."""

    step: int  # counted from 1: the number of steps done
    loss: float  # nats a token, over the whole batch, before the step's update
    lr: float
    grad_norm: float  # before clipping
    tokens: int  # predicted since the run began
    seconds: float  # spent training since the run began, all attempts together
    tokens_per_second: float


class Metrics:
    """The rows of a run, in memory and in `metrics.jsonl`. Rows after the checkpoint that a run resumes from are taken
    back.
    """

    def __init__(self, run: Path, *, steps_done: int) -> None:
        path = run / "metrics.jsonl"
        self.rows = [row for row in _read(path) if row["step"] <= steps_done]
        temporary = path.with_name(f".{path.name}")
        temporary.write_text("".join(json.dumps(row) + "\n" for row in self.rows), encoding="utf-8")
        temporary.replace(path)
        self._path = path
        self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115 (closed by __exit__)

    def append(self, row: Row) -> None:
        """Add a row; it is in the file when this returns. Raises TrainerError when the disk is full."""
        self.rows.append(row)
        try:
            self._file.write(json.dumps(row) + "\n")
            self._file.flush()
        except OSError as error:
            raise TrainerError(f"{self._path}: cannot be written: {error.strerror}") from None

    def sync(self) -> None:
        """Make sure that a power cut does not lose what was written."""
        os.fsync(self._file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()


def _read(path: Path) -> list[Row]:
    """The whole rows of the file; a last line that a kill cut short is left out."""
    if not path.is_file():
        return []
    rows: list[Row] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows
