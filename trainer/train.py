"""The training loop: a manifest and settings in, checkpoints, `metrics.jsonl` and `summary.json` out.

The same settings give the same losses on the same machine. A run that was stopped, whenever and however, goes on from
its last checkpoint as if it had not been.
"""

import fcntl
import json
import math
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, TypedDict

import torch
import torch.nn.functional as F
from rich.console import Console
from torch import Tensor, nn

from trainer import checkpoint
from trainer.attention import implementation, xformers_attention
from trainer.checkpoint import State
from trainer.config import Config, TrainConfig
from trainer.data import Stream, batches, first_phase, resume_phase
from trainer.errors import ConfigError, Stopped, TrainerError
from trainer.manifest import Manifest
from trainer.metrics import Metrics, Row
from trainer.model import LLaMA, num_parameters
from trainer.optimizer import build_optimizer, learning_rate
from trainer.progress import TrainingProgress, source_table

_TRAINING_BYTES = 16  # a parameter in training: weight, gradient and AdamW's two moments, fp32 each
_CHECKPOINT_BYTES = 12  # without the gradient
_ENDS = 10  # steps averaged for the first and the last loss


class Summary(TypedDict):
    """`summary.json`: a finished run in a few numbers. Losses are means over ten steps, epochs over the whole run."""

    steps: int
    loss_first: float | None
    loss_last: float | None
    tokens: int
    seconds: float
    parameters: int
    epochs: dict[str, float]


def train(config: Config, manifest: Manifest, run: Path, *, new_phase: bool = False, console: Console) -> Summary:
    """Train until `config.train.steps`, from the run's last checkpoint if it has one.

    Raises ConfigError before any work where settings, data or machine cannot do, TrainerError when a shard is damaged,
    the loss is not finite or the disk is full, and Stopped after SIGTERM or SIGINT.
    """
    device = choose_device()
    stream = Stream(manifest, config.data)
    parameters = num_parameters(config.model, manifest.tokenizer.pieces)
    _check_memory(parameters, device)
    with _only_one(run):
        last = checkpoint.latest(run)
        state = _first_state(config, manifest, stream) if last is None else checkpoint.read_state(last)
        _check_resumable(state, config, manifest)
        phases = resume_phase(state.phases, state.sample, stream, new_phase=new_phase)
        stream.start(phases[-1])
        state = state.model_copy(
            update={"phases": phases, "settings": config.model_dump(mode="json"), "manifest": manifest.location}
        )
        _report_start(console, config, parameters, device, state, last)

        with Metrics(run, steps_done=state.step) as metrics:
            if state.step < config.train.steps:
                _check_disk(parameters, run)
                state = _train_from(state, last, config, stream, device, run, metrics, console)
            summary = _summarise(metrics.rows, state, parameters, stream)
        _write_json(run / "summary.json", summary)
    console.print(source_table(stream, state.sample))
    console.print(
        f"complete: {summary['steps']:,} steps, {summary['tokens']:,} tokens in {summary['seconds']:,.0f} s; "
        f"loss {summary['loss_first']} -> {summary['loss_last']} (means of the first and last {_ENDS} steps)"
    )
    return summary


def _train_from(
    state: State,
    last: Path | None,
    config: Config,
    stream: Stream,
    device: torch.device,
    run: Path,
    metrics: Metrics,
    console: Console,
) -> State:
    """Train from `state`, whose checkpoint is `last`, to the end; gives the final state."""
    model = LLaMA(config.model, vocabulary=stream.manifest.tokenizer.pieces, context=config.data.context).to(device)
    optimizer = build_optimizer(model, config.optimizer)
    if last is None:
        model.initialise(config.train.seed)
    else:
        checkpoint.load(last, model, optimizer)

    batch, steps = config.data.batch, config.train.steps
    tokens_a_step = batch * config.data.context
    with (
        closing(batches(stream, state.sample)) as loader,
        _signals_noted() as signals,
        TrainingProgress(console, done=state.step, steps=steps, log_every=config.train.log_every) as progress,
    ):
        while state.step < steps:
            began = time.perf_counter()
            batch_BT = torch.from_numpy(next(loader)).to(device)
            lr = learning_rate(config.optimizer, state.step, steps)
            loss, norm = training_step(model, optimizer, batch_BT, lr, config.optimizer.clip, config.train)
            if not (math.isfinite(loss) and math.isfinite(norm)):
                raise TrainerError(
                    f"step {state.step + 1}: the loss is {loss} and its gradient's norm {norm}; nothing was updated. "
                    f"Its samples start at {state.sample} (see `data --sample`); a lower optimizer.peak_lr may help"
                )
            took = time.perf_counter() - began
            state = state.advanced(samples=batch, tokens=tokens_a_step, seconds=took)
            row = Row(
                step=state.step,
                loss=loss,
                lr=lr,
                grad_norm=norm,
                tokens=state.tokens,
                seconds=round(state.seconds, 3),
                tokens_per_second=round(tokens_a_step / took, 1),
            )
            metrics.append(row)
            progress.step(row, stream.epochs(state.sample))
            if state.step % config.checkpoint.every == 0 or state.step == steps or signals:
                metrics.sync()
                checkpoint.save(run, model, optimizer, state, keep=config.checkpoint.keep)
            if signals and state.step < steps:
                raise Stopped(signals[0], state.step)
    return state


def training_step(
    model: nn.Module, optimizer: torch.optim.Optimizer, batch_BT: Tensor, lr: float, clip: float, config: TrainConfig
) -> tuple[float, float]:
    """One update from a batch of samples [B, context + 1]: gives the mean loss in nats and the gradient's norm.

    The norm is that before clipping. Where either is not finite, nothing is updated.
    """
    samples = len(batch_BT)
    loss = torch.zeros((), device=batch_BT.device)
    for part_BT in torch.split(batch_BT, config.micro_batch or samples):
        with torch.autocast(batch_BT.device.type, torch.bfloat16, enabled=config.precision == "bf16"):
            logits_BLV = model(part_BT[:, :-1])
        part_loss = F.cross_entropy(logits_BLV.flatten(0, 1).float(), part_BT[:, 1:].flatten())
        part_loss = part_loss * (len(part_BT) / samples)
        torch.autograd.backward(part_loss)
        loss += part_loss.detach()
    norm = nn.utils.clip_grad_norm_(model.parameters(), clip)
    if torch.isfinite(loss) and torch.isfinite(norm):
        for group in optimizer.param_groups:
            group["lr"] = lr
        optimizer.step()
    optimizer.zero_grad()
    return loss.item(), norm.item()


def choose_device() -> torch.device:
    """The GPU if there is one, else every core this process may use. Raises ConfigError under torchrun with several
    ranks.
    """
    if (ranks := int(os.environ.get("WORLD_SIZE", "1"))) > 1:
        raise ConfigError(f"WORLD_SIZE is {ranks}: the trainer uses one device; start it without torchrun")
    torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _first_state(config: Config, manifest: Manifest, stream: Stream) -> State:
    return State(
        step=0,
        sample=0,
        tokens=0,
        seconds=0.0,
        phases=[first_phase(stream)],
        settings=config.model_dump(mode="json"),
        manifest=manifest.location,
        tokenizer=manifest.tokenizer.sha256,
    )


def _check_resumable(state: State, config: Config, manifest: Manifest) -> None:
    """A model goes on only as itself, with the tokenizer it knows."""
    if state.tokenizer != manifest.tokenizer.sha256:
        raise ConfigError(
            f"the run's tokenizer is {state.tokenizer[:12]}, the manifest's {manifest.tokenizer.sha256[:12]}: "
            "start a new run with --out"
        )
    changes = _changes({"model": state.settings["model"]}, {"model": config.model.model_dump(mode="json")})
    if changes:
        raise ConfigError(f"the run trains another model ({'; '.join(changes)}): start a new run with --out")


def _changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """`section.name: before -> after`, for each setting that differs."""
    return [
        f"{section}.{name}: {before[section].get(name)} -> {value}"
        for section, settings in after.items()
        for name, value in settings.items()
        if before[section].get(name) != value
    ]


def _check_memory(parameters: int, device: torch.device) -> None:
    """Weights, gradients and moments must fit."""
    if device.type == "cuda":
        memory = torch.cuda.mem_get_info(device)[1]
    else:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if (needed := parameters * _TRAINING_BYTES) > memory:
        raise ConfigError(
            f"{parameters:,} parameters need {needed / 1e9:,.0f} GB for weights, gradients and AdamW's moments; "
            f"this {'GPU' if device.type == 'cuda' else 'machine'} has {memory / 1e9:,.0f} GB"
        )


def _check_disk(parameters: int, run: Path) -> None:
    """One more checkpoint must fit."""
    if (needed := parameters * _CHECKPOINT_BYTES) > (free := shutil.disk_usage(run).free):
        raise ConfigError(f"{run}: a checkpoint takes {needed / 1e9:,.1f} GB, and {free / 1e9:,.1f} GB are free")


def _report_start(
    console: Console, config: Config, parameters: int, device: torch.device, state: State, last: Path | None
) -> None:
    dtype = torch.bfloat16 if config.train.precision == "bf16" else torch.float32
    attention = "xformers" if implementation(device.type, dtype) is xformers_attention else "PyTorch"
    where = (
        f"cpu with {torch.get_num_threads()} threads" if device.type == "cpu" else torch.cuda.get_device_name(device)
    )
    tokens = config.data.batch * config.data.context
    console.print(f"{parameters:,} parameters on {where}, {attention} attention, {tokens:,} tokens a step")
    if last is not None:
        console.print(f"resuming at step {state.step:,} of {config.train.steps:,} from {last.name}")
        before = checkpoint.read_state(last).settings
        for change in _changes(before, config.model_dump(mode="json")):
            console.print(f"changed: {change}")


def _summarise(rows: list[Row], state: State, parameters: int, stream: Stream) -> Summary:
    losses = [row["loss"] for row in rows]
    return Summary(
        steps=state.step,
        loss_first=_mean(losses[:_ENDS]),
        loss_last=_mean(losses[-_ENDS:]),
        tokens=state.tokens,
        seconds=round(state.seconds, 3),
        parameters=parameters,
        epochs={source: round(number, 6) for source, number in stream.epochs(state.sample).items()},
    )


def _mean(losses: list[float]) -> float | None:
    """The mean; none where metrics.jsonl was lost with all its rows."""
    return round(sum(losses) / len(losses), 6) if losses else None


def _write_json(path: Path, content: Summary) -> None:
    temporary = path.with_name(f".{path.name}")
    temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)


@contextmanager
def _only_one(run: Path) -> Iterator[None]:
    """Hold the run's folder, made if need be: two trainers in one folder would undo each other's work."""
    try:
        run.mkdir(parents=True, exist_ok=True)
        lock = open(run / ".lock", "w", encoding="utf-8")  # noqa: SIM115 (closed below)
    except OSError as error:
        raise ConfigError(f"{run}: cannot be written: {error.strerror}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigError(f"{run}: another trainer is at work in this folder") from None
        yield


@contextmanager
def _signals_noted() -> Iterator[list[int]]:
    """SIGTERM and SIGINT, noted for the loop to act on after its step; a second one has its usual effect."""
    noted: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, note)
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
