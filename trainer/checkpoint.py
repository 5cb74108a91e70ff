"""Checkpoints: PyTorch distributed checkpoints of the model and the optimiser, and beside them a small `state.json`.

    RUN/checkpoints/step-00000200/{.metadata, __0_0.distcp, state.json}

A checkpoint is written to a temporary folder and renamed when it is whole, so that one that can be seen can be loaded.
"""

import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import nn
from torch.distributed.checkpoint import state_dict_loader, state_dict_saver
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict

from trainer.data import Phase
from trainer.errors import TrainerError

_PREFIX = "step-"
_TEMPORARY = ".writing-"


class State(BaseModel):
    """What a run needs to go on, apart from tensors.

    The learning rate is a function of `step`; the loader's whole state is `sample`, the number of the next one, read
    under the last of `phases`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: int  # steps done
    sample: int
    tokens: int  # predicted so far
    seconds: float  # spent in steps so far
    phases: list[Phase]
    settings: dict[str, Any]  # the run's configuration
    manifest: str  # where it was read
    tokenizer: str  # sha256

    def advanced(self, *, samples: int, tokens: int, seconds: float) -> "State":
        """The state after one more step of so many samples and tokens, which took so long."""
        after = {
            "step": self.step + 1,
            "sample": self.sample + samples,
            "tokens": self.tokens + tokens,
            "seconds": self.seconds + seconds,
        }
        return self.model_copy(update=after)


def save(run: Path, model: nn.Module, optimizer: torch.optim.Optimizer, state: State, *, keep: int) -> Path:
    """Publish a checkpoint of `run` in one step, and keep the last `keep` only. Raises TrainerError if it cannot."""
    folder = run / "checkpoints"
    final = folder / f"{_PREFIX}{state.step:08d}"
    temporary = folder / f"{_TEMPORARY}{final.name}"
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        model_state, optimizer_state = get_state_dict(model, optimizer)
        with _quiet():
            tensors = {"model": model_state, "optimizer": optimizer_state}
            state_dict_saver.save(tensors, checkpoint_id=temporary, no_dist=True)
        with open(temporary / "state.json", "w", encoding="utf-8") as file:
            file.write(state.model_dump_json(indent=1))
            file.flush()
            os.fsync(file.fileno())
        _sync(temporary)
        shutil.rmtree(final, ignore_errors=True)
        temporary.rename(final)
        _sync(folder)
    except (OSError, CheckpointException) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise TrainerError(f"{final}: the checkpoint could not be written: {_first_line(error)}") from None
    for old in _finished(run)[:-keep]:
        shutil.rmtree(old)
    return final


def latest(run: Path) -> Path | None:
    """The run's last checkpoint, if it has any."""
    finished = _finished(run)
    return finished[-1] if finished else None


def read_state(checkpoint: Path) -> State:
    """The state of a checkpoint. Raises TrainerError when it is not there or not of this version."""
    try:
        return State.model_validate_json((checkpoint / "state.json").read_bytes())
    except (OSError, ValidationError) as error:
        raise TrainerError(f"{checkpoint}: its state.json cannot be used: {_first_line(error)}") from None


def load(checkpoint: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Load model and optimiser from a checkpoint; the optimiser keeps its own settings (decay, betas, ...)."""
    settings = [{name: value for name, value in group.items() if name != "params"} for group in optimizer.param_groups]
    model_state, optimizer_state = get_state_dict(model, optimizer)
    _read(checkpoint, {"model": model_state, "optimizer": optimizer_state})
    set_state_dict(model, optimizer, model_state_dict=model_state, optim_state_dict=optimizer_state)
    for group, own in zip(optimizer.param_groups, settings, strict=True):
        group.update(own)


def load_model(checkpoint: Path, model: nn.Module) -> None:
    """Load the model alone."""
    _read(checkpoint, {"model": model.state_dict()})  # in place


def _read(checkpoint: Path, tensors: dict[str, Any]) -> None:
    try:
        with _quiet():
            state_dict_loader.load(tensors, checkpoint_id=checkpoint, no_dist=True)
    except (OSError, CheckpointException) as error:
        raise TrainerError(f"{checkpoint}: cannot be loaded: {_first_line(error)}") from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Without PyTorch's warning, given even where `no_dist` says so, that it saves and loads from one process."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.distributed is disabled", UserWarning)
        yield


def _finished(run: Path) -> list[Path]:
    return sorted((run / "checkpoints").glob(f"{_PREFIX}*"))


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _first_line(error: BaseException) -> str:
    """The innermost reason, in one line: a CheckpointException holds one traceback for each rank."""
    if isinstance(error, CheckpointException):
        error = next((failure[0] for failure in error.failures.values()), error)
    return (str(error).splitlines() or [type(error).__name__])[0]
