import io
import json
import math
import os
import shutil
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from rich.console import Console

from tests.trainer.conftest import write_run
from trainer import checkpoint, train
from trainer.config import Config
from trainer.errors import ConfigError, Stopped, TrainerError
from trainer.manifest import read_manifest
from trainer.model import LLaMA
from trainer.optimizer import build_optimizer

STEPS = 14


def config_of(**sections: dict) -> Config:
    """A model of some thousand parameters, a step of 32 tokens."""
    settings: dict = {
        "model": {"dim": 16, "heads": 2, "layers": 2, "multiple_of": 8},
        "data": {"context": 8, "batch": 4},
        "optimizer": {"peak_lr": 0.01, "warmup_steps": 3},
        "train": {"steps": STEPS},
        "checkpoint": {"every": 5},
    }
    for section, changes in sections.items():
        settings[section] = settings[section] | changes
    return Config.model_validate(settings)


def run_training(location: str, out: Path, *, new_phase: bool = False, **sections: dict) -> tuple[dict, str]:
    """The summary, and what was printed."""
    printed = io.StringIO()
    console = Console(file=printed, width=200, highlight=False)
    summary = train.train(config_of(**sections), read_manifest(location), out, new_phase=new_phase, console=console)
    return dict(summary), printed.getvalue()


def losses(out: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (out / "metrics.jsonl").read_text().splitlines()]


def weights(out: Path, step: int = STEPS) -> list[torch.Tensor]:
    model = LLaMA(config_of().model, vocabulary=300, context=8)
    checkpoint.load_model(out / "checkpoints" / f"step-{step:08d}", model)
    return [parameter.detach() for parameter in model.parameters()]


def stop_after(monkeypatch: pytest.MonkeyPatch, steps: int, act) -> None:
    """Call `act` in the step that follows `steps` others."""
    real, done = train.training_step, []

    def step(*arguments: Any) -> tuple[float, float]:
        done.append(1)
        if len(done) == steps + 1:
            act()
        return real(*arguments)

    monkeypatch.setattr(train, "training_step", step)


def write_data(folder: Path) -> str:
    sources = {"commoncrawl": (80.0, [[[150, 150], [290]]]), "wikipedia": (20.0, [[[300]]])}
    return write_run(folder, sources, pieces=300)


@pytest.fixture
def location(tmp_path: Path) -> str:
    return write_data(tmp_path / "data")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("trained")
    run_training(write_data(folder / "data"), folder / "run")
    return folder / "run"


@pytest.fixture
def whole(trained: Path, tmp_path: Path) -> Path:
    """A copy of that run."""
    return Path(shutil.copytree(trained, tmp_path / "whole"))


def test_training_learns(location, tmp_path):
    summary, printed = run_training(location, tmp_path / "run", train={"steps": 40})
    assert summary["loss_last"] < summary["loss_first"] - 0.5  # the tokens count up: easily learnt
    assert summary["steps"] == 40
    assert summary["tokens"] == 40 * 32
    assert summary["parameters"] == sum(weight.numel() for weight in weights(tmp_path / "run", 40))
    assert summary["epochs"] == {"commoncrawl": round(128 / 73, 6), "wikipedia": round(32 / 37, 6)}
    assert summary == json.loads((tmp_path / "run" / "summary.json").read_text())
    found = losses(tmp_path / "run")
    assert summary["loss_first"] == pytest.approx(sum(found[:10]) / 10, abs=1e-6)
    assert summary["loss_last"] == pytest.approx(sum(found[-10:]) / 10, abs=1e-6)
    assert "step 1/40  loss 5.7" in printed
    assert "step 40/40" in printed
    assert "commoncrawl" in printed.splitlines()[-3]
    assert printed.splitlines()[-1].startswith("complete: 40 steps, 1,280 tokens in ")


def test_the_same_seed_gives_the_same_losses(location, whole, tmp_path):
    run_training(location, tmp_path / "again", data={"workers": 0})
    run_training(location, tmp_path / "other", train={"seed": 1})
    assert losses(tmp_path / "again") == losses(whole)
    assert losses(tmp_path / "other") != losses(whole)


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("steps", [0, 7, 9])
def test_a_run_stopped_by_a_signal_goes_on_bit_for_bit(location, whole, tmp_path, monkeypatch, signal_number, steps):
    out = tmp_path / "stopped"
    with monkeypatch.context() as patch:
        stop_after(patch, steps, lambda: os.kill(os.getpid(), signal_number))
        with pytest.raises(Stopped, match=f"stopped by {signal_number.name} and saved at step {steps + 1}") as stopped:
            run_training(location, out)
    assert stopped.value.exit_status == 128 + signal_number
    assert checkpoint.latest(out).name == f"step-{steps + 1:08d}"
    summary, printed = run_training(location, out)
    assert f"resuming at step {steps + 1} of 14" in printed
    assert losses(out) == losses(whole)
    assert all(torch.equal(a, b) for a, b in zip(weights(out), weights(whole), strict=True))
    without_time = {key: value for key, value in summary.items() if key != "seconds"}
    assert without_time.items() <= json.loads((whole / "summary.json").read_text()).items()


def test_a_run_that_was_killed_goes_on_bit_for_bit(location, whole, tmp_path, monkeypatch):
    def kill() -> None:
        raise MemoryError  # nothing is saved: the run goes back to step 5

    out = tmp_path / "killed"
    with monkeypatch.context() as patch:
        stop_after(patch, 8, kill)
        with pytest.raises(MemoryError):
            run_training(location, out)
    assert len(losses(out)) == 8
    _, printed = run_training(location, out)
    assert "resuming at step 5 of 14" in printed
    assert losses(out) == losses(whole)
    assert all(torch.equal(a, b) for a, b in zip(weights(out), weights(whole), strict=True))


def test_a_complete_run_is_left_as_it_is(location, whole):
    before = {path: path.stat().st_mtime_ns for path in whole.rglob("*.distcp")}
    (whole / "summary.json").unlink()
    summary, printed = run_training(location, whole)
    assert {path: path.stat().st_mtime_ns for path in whole.rglob("*.distcp")} == before
    assert summary["steps"] == STEPS
    assert (whole / "summary.json").exists()
    assert "step 1/14" not in printed


def test_checkpoints_alone_are_enough_to_go_on(location, whole):
    (whole / "metrics.jsonl").unlink()
    summary, _ = run_training(location, whole)
    assert (summary["tokens"], summary["loss_first"]) == (STEPS * 32, None)
    summary, _ = run_training(location, whole, train={"steps": 20})
    assert summary["tokens"] == 20 * 32
    assert summary["loss_last"] == pytest.approx(sum(losses(whole)) / 6, abs=1e-6)


def test_a_run_can_be_made_longer(location, whole):
    summary, printed = run_training(location, whole, train={"steps": 20})
    assert "changed: train.steps: 14 -> 20" in printed
    assert summary["steps"] == len(losses(whole)) == 20


def test_parts_of_a_batch_add_up_to_it(location, whole, tmp_path):
    run_training(location, tmp_path / "parts", train={"micro_batch": 1})
    assert losses(tmp_path / "parts") == pytest.approx(losses(whole), abs=1e-4)


def test_bf16_trains_as_fp32_nearly(location, whole, tmp_path):
    run_training(location, tmp_path / "bf16", train={"precision": "bf16"})
    assert losses(tmp_path / "bf16") != losses(whole)
    assert losses(tmp_path / "bf16") == pytest.approx(losses(whole), abs=0.1)


def test_another_stream_needs_a_new_phase(location, whole, tmp_path):
    with pytest.raises(ConfigError, match=r"seed: 0 -> 1.*--new-phase"):
        run_training(location, whole, data={"seed": 1}, train={"steps": 20})
    assert len(losses(whole)) == STEPS
    run_training(location, whole, new_phase=True, data={"batch": 8}, train={"steps": 20})
    state = checkpoint.read_state(checkpoint.latest(whole))
    assert state.sample == STEPS * 4 + 6 * 8
    assert [(phase.sample, phase.identity.batch) for phase in state.phases] == [(0, 4), (STEPS * 4, 8)]
    rows = [json.loads(line) for line in (whole / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["tokens"] == state.sample * 8


def test_another_model_or_tokenizer_is_refused(location, whole, edit_manifest):
    with pytest.raises(ConfigError, match=r"another model \(model.layers: 2 -> 3\): start a new run"):
        run_training(location, whole, model={"layers": 3})
    edit_manifest(location, lambda m: m["tokenizer"].update(sha256="8" * 64))
    with pytest.raises(ConfigError, match="the run's tokenizer is 777777777777, the manifest's 888888888888"):
        run_training(location, whole, new_phase=True)


def test_a_loss_that_is_not_finite_stops_the_run_before_any_update(location, whole, tmp_path, monkeypatch):
    real = train.F.cross_entropy
    calls = []

    def cross_entropy(*arguments: object) -> object:
        calls.append(1)
        return real(*arguments) * (float("nan") if len(calls) == 7 else 1)

    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(train.F, "cross_entropy", cross_entropy)
        with pytest.raises(TrainerError, match=r"^step 7: the loss is nan [^\n]*nothing was updated[^\n]*start at 24"):
            run_training(location, out)
    assert checkpoint.latest(out).name == "step-00000005"
    assert losses(out) == losses(whole)[:6]


def test_a_damaged_shard_stops_the_run_in_one_line(location, tmp_path):
    with open(tmp_path / "data" / "tokens" / "wikipedia" / "00000.parquet", "ab") as file:
        file.write(b"x")
    with pytest.raises(TrainerError, match=r"^tokens/wikipedia/00000\.parquet: not the shard"):
        run_training(location, tmp_path / "run")


def test_two_trainers_in_one_folder_are_refused(location, tmp_path):
    with train._only_one(tmp_path / "run"), pytest.raises(ConfigError, match="another trainer is at work"):
        run_training(location, tmp_path / "run")


def test_a_model_that_cannot_fit_is_refused_before_work(location, tmp_path):
    with pytest.raises(ConfigError, match=r"parameters need [\d,]+ GB for weights, gradients .* has \d+ GB"):
        run_training(location, tmp_path / "run", model={"dim": 65536, "heads": 64, "layers": 100})
    assert not (tmp_path / "run").exists()


def test_a_full_disk_is_refused_before_work(location, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=1_000))
    with pytest.raises(ConfigError, match=r"run: a checkpoint takes 0.\d GB, and 0.0 GB are free"):
        run_training(location, tmp_path / "run")


def test_a_folder_that_cannot_be_made_is_named(location, tmp_path):
    with pytest.raises(ConfigError, match="cannot be written"):
        run_training(location, tmp_path / "data" / "manifest.json")


def test_several_ranks_are_refused(location, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="WORLD_SIZE is 2"):
        run_training(location, tmp_path / "run")


@pytest.mark.parametrize("damage", [float("nan"), float("inf")])
def test_a_step_that_is_not_finite_updates_nothing(damage):
    config = config_of(train={"micro_batch": 2})
    model = LLaMA(config.model, vocabulary=300, context=8)
    model.initialise(0)
    optimizer = build_optimizer(model, config.optimizer)
    batch_BT = torch.randint(0, 300, (4, 9), generator=torch.Generator().manual_seed(0))
    hook = model.output.register_forward_hook(lambda module, inputs, logits: logits * damage)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    loss, norm = train.training_step(model, optimizer, batch_BT, 0.1, 1.0, config.train)
    assert not (math.isfinite(loss) and math.isfinite(norm))
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), before, strict=True))
    hook.remove()
    loss, norm = train.training_step(model, optimizer, batch_BT, 0.1, 1.0, config.train)
    assert math.isfinite(loss)
    assert math.isfinite(norm)
    assert not any(torch.equal(a, b) for a, b in zip(model.parameters(), before, strict=True))
