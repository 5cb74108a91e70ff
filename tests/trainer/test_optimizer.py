import pytest
import torch
from pydantic import ValidationError

from trainer.config import load_config
from trainer.model import LLaMA, ModelConfig
from trainer.optimizer import OptimizerConfig, build_optimizer, learning_rate

CONFIG = OptimizerConfig(peak_lr=1.0, warmup_steps=10)


def test_the_learning_rate_warms_up_linearly_peaks_and_falls_to_a_tenth():
    rates = [learning_rate(CONFIG, step, 111) for step in range(111)]
    assert rates[:10] == pytest.approx([0.1 * step for step in range(1, 11)])
    assert rates[10] == max(rates) == 1.0
    assert rates[60] == pytest.approx(0.55)  # half-way down the cosine
    assert rates[110] == pytest.approx(0.1)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_the_learning_rate_is_defined_for_any_length():
    assert learning_rate(CONFIG, 0, 1) == pytest.approx(0.1)
    assert learning_rate(CONFIG.model_copy(update={"warmup_steps": 0}), 0, 1) == 1.0
    assert learning_rate(CONFIG, 500, 100) == pytest.approx(0.1)


def test_matrices_decay_and_norms_do_not():
    model = LLaMA(ModelConfig(dim=8, heads=1, layers=2), vocabulary=10, context=4)
    matrices, vectors = build_optimizer(model, CONFIG).param_groups
    assert matrices["weight_decay"] == 0.1
    assert vectors["weight_decay"] == 0.0
    assert len(vectors["params"]) == 2 * 2 + 1  # two norms a layer, and the last
    assert len(matrices["params"]) + len(vectors["params"]) == len(list(model.parameters()))
    assert matrices["betas"] == (0.9, 0.95)


def test_an_update_is_adamws():
    model = torch.nn.Linear(3, 2, bias=False)
    weight = model.weight.detach().clone()
    optimizer = build_optimizer(model, CONFIG.model_copy(update={"peak_lr": 0.01}))
    model.weight.grad = torch.tensor([[1.0, -2.0, 0.5], [3.0, -0.1, 1.0]])
    optimizer.step()
    # The first step of Adam moves by the learning rate against the gradient's sign, after the decay.
    torch.testing.assert_close(model.weight.detach(), weight * (1 - 0.01 * 0.1) - 0.01 * model.weight.grad.sign())


@pytest.mark.parametrize("settings", [{"peak_lr": 0}, {"peak_lr": 1, "betas": [0.9]}, {"peak_lr": 1, "clip": 0}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ValidationError):
        OptimizerConfig.model_validate(settings)


@pytest.mark.parametrize(
    ("name", "peak", "trillions"), [("7b", 3e-4, 1), ("13b", 3e-4, 1), ("33b", 1.5e-4, 1.4), ("65b", 1.5e-4, 1.4)]
)
def test_the_papers_models_train_as_in_the_paper(name, peak, trillions):
    config = load_config(name)
    assert config.optimizer == OptimizerConfig(peak_lr=peak, warmup_steps=2_000)
    tokens_a_step = config.data.batch * config.data.context
    assert tokens_a_step == 4 * 2**20
    assert 0 <= config.train.steps * tokens_a_step - trillions * 1e12 < tokens_a_step
