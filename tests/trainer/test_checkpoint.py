import pytest
import torch

from trainer import checkpoint
from trainer.checkpoint import State
from trainer.data import Phase, StreamIdentity
from trainer.errors import TrainerError
from trainer.model import LLaMA, ModelConfig
from trainer.optimizer import OptimizerConfig, build_optimizer

IDENTITY = StreamIdentity(manifest="a", weights={"x": 100.0}, batch=2, context=4, seed=0, block=1, order=1)


def state_at(step: int) -> State:
    phase = Phase(sample=0, identity=IDENTITY, places={"x": 0}, windows={"x": 7})
    return State(
        step=step,
        sample=2 * step,
        tokens=8 * step,
        seconds=0.5,
        phases=[phase],
        settings={"a": 1},
        manifest="file:///m",
        tokenizer="t",
    )


def model_and_optimizer(seed: int, peak_lr: float = 1e-2) -> tuple[LLaMA, torch.optim.AdamW]:
    model = LLaMA(ModelConfig(dim=16, heads=2, layers=2), vocabulary=20, context=4)
    model.initialise(seed)
    return model, build_optimizer(model, OptimizerConfig(peak_lr=peak_lr))


def update(model: LLaMA, optimizer: torch.optim.Optimizer, steps: int) -> None:
    for step in range(steps):
        tokens = torch.randint(0, 20, (3, 4), generator=torch.Generator().manual_seed(step))
        torch.autograd.backward(model(tokens).square().mean())
        optimizer.step()
        optimizer.zero_grad()


def test_what_is_loaded_goes_on_as_what_was_saved(tmp_path):
    model, optimizer = model_and_optimizer(0)
    update(model, optimizer, 3)
    folder = checkpoint.save(tmp_path, model, optimizer, state_at(3), keep=1)
    assert checkpoint.latest(tmp_path) == folder
    assert checkpoint.read_state(folder) == state_at(3)

    other, its_optimizer = model_and_optimizer(1)
    checkpoint.load(folder, other, its_optimizer)
    update(model, optimizer, 3)
    update(other, its_optimizer, 3)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))

    only_model, _ = model_and_optimizer(2)
    checkpoint.load_model(folder, only_model)
    assert not torch.equal(only_model.output.weight, model.output.weight)  # it is three steps behind
    update(other, its_optimizer, 0)


def test_the_optimizers_own_settings_stay(tmp_path):
    model, optimizer = model_and_optimizer(0, peak_lr=1e-2)
    update(model, optimizer, 1)
    folder = checkpoint.save(tmp_path, model, optimizer, state_at(1), keep=1)
    model, optimizer = model_and_optimizer(0, peak_lr=5e-3)
    checkpoint.load(folder, model, optimizer)
    assert [group["lr"] for group in optimizer.param_groups] == [5e-3, 5e-3]


def test_the_last_checkpoints_are_kept(tmp_path):
    model, optimizer = model_and_optimizer(0)
    for step in (1, 2, 3, 10):
        checkpoint.save(tmp_path, model, optimizer, state_at(step), keep=2)
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["step-00000003", "step-00000010"]
    assert checkpoint.read_state(checkpoint.latest(tmp_path)).step == 10


def test_a_checkpoint_that_was_not_finished_is_not_seen(tmp_path, monkeypatch):
    model, optimizer = model_and_optimizer(0)
    assert checkpoint.latest(tmp_path) is None
    checkpoint.save(tmp_path, model, optimizer, state_at(1), keep=2)

    def killed(*arguments: object, **more: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "_sync", killed)
        with pytest.raises(KeyboardInterrupt):
            checkpoint.save(tmp_path, model, optimizer, state_at(2), keep=2)
    assert checkpoint.latest(tmp_path).name == "step-00000001"
    checkpoint.save(tmp_path, model, optimizer, state_at(2), keep=2)
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["step-00000001", "step-00000002"]


def test_a_full_disk_is_one_line_and_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    model, optimizer = model_and_optimizer(0)
    checkpoint.save(tmp_path, model, optimizer, state_at(1), keep=1)
    real_open = torch.serialization.os.fsync

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(
        TrainerError, match=r"^[^\n]*step-00000002: the checkpoint could not be written: [^\n]*No space[^\n]*$"
    ):
        checkpoint.save(tmp_path, model, optimizer, state_at(2), keep=1)
    monkeypatch.setattr("os.fsync", real_open)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000001"]


def test_a_damaged_checkpoint_is_one_line(tmp_path):
    model, optimizer = model_and_optimizer(0)
    folder = checkpoint.save(tmp_path, model, optimizer, state_at(1), keep=1)
    (folder / "state.json").write_text("{}")
    with pytest.raises(TrainerError, match=r"^[^\n]*state.json cannot be used[^\n]*$"):
        checkpoint.read_state(folder)
    (folder / "__0_0.distcp").unlink()
    with pytest.raises(TrainerError, match=r"^[^\n]*cannot be loaded: [^\n]+$"):
        checkpoint.load(folder, model, optimizer)
    (folder / ".metadata").write_bytes(b"")
    with pytest.raises(TrainerError, match=r"^[^\n]*cannot be loaded: [^\n]+$"):
        checkpoint.load_model(folder, model)
