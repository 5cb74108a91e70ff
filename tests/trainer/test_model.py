import math

import pytest
import torch
from pydantic import ValidationError

from trainer.config import load_config
from trainer.model import LLaMA, ModelConfig, RMSNorm, num_parameters, rotate, rotations

TINY = ModelConfig(dim=32, heads=2, layers=2, multiple_of=16)


def tiny_model(seed: int = 0) -> LLaMA:
    model = LLaMA(TINY, vocabulary=100, context=16)
    model.initialise(seed)
    return model


@pytest.mark.parametrize(
    ("name", "ffn", "parameters"),
    [
        ("7b", 11008, 6_738_415_616),
        ("13b", 13824, 13_015_864_320),
        ("33b", 17920, 32_528_943_616),
        ("65b", 22016, 65_285_660_672),
    ],
)
def test_the_papers_models_have_the_papers_parameters(name, ffn, parameters):
    config = load_config(name).model
    assert config.ffn_width == ffn
    assert num_parameters(config, 32_000) == parameters


def test_the_feed_forward_width_can_be_given():
    assert TINY.ffn_width == 96  # 2/3 of 128 is 85, the next multiple of 16 is 96
    assert TINY.model_copy(update={"ffn": 50}).ffn_width == 50


def test_heads_must_divide_the_width():
    with pytest.raises(ValidationError, match="dim 32 cannot be cut into 3 heads of an even width"):
        ModelConfig(dim=32, heads=3, layers=1)


def test_rotary_positions_turn_interleaved_pairs():
    turned = rotate(torch.tensor([1.0, 0.0, 0.0, 2.0]).expand(1, 3, 1, 4), rotations(3, 4, 10_000.0))
    for position in range(3):
        slow = position / 100  # 10000^(-2/4)
        expected = [math.cos(position), math.sin(position), -2 * math.sin(slow), 2 * math.cos(slow)]
        torch.testing.assert_close(turned[0, position, 0], torch.tensor(expected))


def test_rotary_positions_make_scores_depend_on_distance_alone():
    q, k = torch.randn(2, 8, generator=torch.Generator().manual_seed(0))
    table = rotations(64, 8, 10_000.0)
    q_L, k_L = (rotate(x.expand(1, 64, 1, 8), table)[0, :, 0] for x in (q, k))
    scores = q_L @ k_L.T
    for distance in (0, 1, 17):
        torch.testing.assert_close(
            scores.diagonal(-distance), scores[distance, 0].expand(64 - distance), atol=1e-4, rtol=0
        )


def test_rms_norm_computes_in_fp32():
    norm = RMSNorm(64, eps=1e-5)
    x = torch.randn(3, 64, generator=torch.Generator().manual_seed(0)).bfloat16()
    exact = x.double() / (x.double().square().mean(-1, keepdim=True) + 1e-5).sqrt()
    assert norm(x).dtype == torch.bfloat16
    assert torch.equal(norm(x), exact.float().bfloat16())
    large = (x * 1_000).half()  # its squares overflow fp16
    assert torch.isfinite(norm(large)).all()


def test_logits_do_not_see_the_future():
    model = tiny_model()
    tokens = torch.randint(0, 100, (2, 16), generator=torch.Generator().manual_seed(1))
    changed = tokens.clone()
    changed[:, 9:] = (changed[:, 9:] + 1) % 100
    before, after = model(tokens), model(changed)
    torch.testing.assert_close(before[:, :9], after[:, :9])
    assert not torch.allclose(before[:, 9:], after[:, 9:])


def test_an_untrained_model_knows_nothing():
    logits = tiny_model()(torch.randint(0, 100, (4, 16)))
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), torch.randint(0, 100, (64,)))
    assert abs(loss.item() - math.log(100)) < 0.05


def test_initial_weights_follow_the_seed_and_the_published_deviations():
    model = LLaMA(ModelConfig(dim=128, heads=4, layers=2, multiple_of=32), vocabulary=500, context=4)
    model.initialise(0)
    again, other = (LLaMA(model.config, vocabulary=500, context=4) for _ in range(2))
    again.initialise(0)
    other.initialise(1)
    for (name, mine), same, different in zip(
        model.named_parameters(), again.parameters(), other.parameters(), strict=True
    ):
        assert torch.equal(mine, same)
        if mine.dim() == 1:
            assert torch.equal(mine, torch.ones_like(mine))
            continue
        assert not torch.equal(mine, different)
        expected = 0.02 / 2 if name.endswith(("wo.weight", "w2.weight")) else 0.02
        assert abs(mine.std().item() / expected - 0.987) < 0.02  # cut at three deviations


def test_the_model_learns_no_biases_and_no_tied_weights():
    names = dict(tiny_model().named_parameters())
    assert not [name for name in names if name.endswith("bias")]
    assert names["embedding.weight"].data_ptr() != names["output.weight"].data_ptr()
    assert num_parameters(TINY, 100) == sum(parameter.numel() for parameter in names.values())


def test_logits_are_the_papers_formulas():
    model = tiny_model()
    with torch.no_grad():
        for parameter in model.parameters():  # large enough for attention and positions to matter
            parameter.mul_(20 if parameter.dim() > 1 else 1.5)
    tokens = torch.randint(0, 100, (16,), generator=torch.Generator().manual_seed(2))
    w = {name: parameter.detach().double() for name, parameter in model.named_parameters()}

    def norm(x, weight):
        return x / (x.square().mean(-1, keepdim=True) + TINY.norm_eps).sqrt() * weight

    def turned(x, position):  # one head at one position: its pairs as complex numbers
        angles = position / TINY.rope_theta ** (torch.arange(0, 16, 2).double() / 16)
        pairs = torch.complex(x[0::2], x[1::2]) * torch.exp(1j * angles)
        return torch.stack([pairs.real, pairs.imag], -1).flatten()

    x_LD = w["embedding.weight"][tokens]
    for layer in ("layers.0.", "layers.1."):
        h_LD = norm(x_LD, w[layer + "attention_norm.weight"])
        q_LD, k_LD, v_LD = (h_LD @ w[f"{layer}attention.{name}.weight"].T for name in ("wq", "wk", "wv"))
        out_LD = torch.zeros_like(x_LD)
        for head in (slice(0, 16), slice(16, 32)):
            q_LK, k_LK = (torch.stack([turned(row, i) for i, row in enumerate(x[:, head])]) for x in (q_LD, k_LD))
            for i in range(16):
                shares = torch.softmax(k_LK[: i + 1] @ q_LK[i] / 4, 0)
                out_LD[i, head] = shares @ v_LD[: i + 1, head]
        x_LD = x_LD + out_LD @ w[layer + "attention.wo.weight"].T
        h_LD = norm(x_LD, w[layer + "ffn_norm.weight"])
        gate_LF, up_LF = (h_LD @ w[f"{layer}feed_forward.{name}.weight"].T for name in ("w1", "w3"))
        x_LD = x_LD + (gate_LF * gate_LF.sigmoid() * up_LF) @ w[layer + "feed_forward.w2.weight"].T
    expected_LV = norm(x_LD, w["norm.weight"]) @ w["output.weight"].T
    torch.testing.assert_close(model(tokens[None])[0].double(), expected_LV, atol=1e-3, rtol=1e-3)
