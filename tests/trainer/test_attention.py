import pytest
import torch
from torch import Tensor

from trainer.attention import causal_attention, implementation, pytorch_attention, xformers_attention

on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU: xformers has no kernels elsewhere")


def naive_attention(q_BLHD: Tensor, k_BLHD: Tensor, v_BLHD: Tensor) -> Tensor:
    """The definition, in fp64."""
    length, width = q_BLHD.shape[1], q_BLHD.shape[3]
    scores_BHLL = torch.einsum("blhd,bmhd->bhlm", q_BLHD.double(), k_BLHD.double()) / width**0.5
    scores_BHLL = scores_BHLL.masked_fill(torch.ones(length, length).triu(1).bool().to(q_BLHD.device), float("-inf"))
    return torch.einsum("bhlm,bmhd->blhd", scores_BHLL.softmax(-1), v_BLHD.double())


def assert_like_naive(attention, device: str, dtype: torch.dtype, tolerance: float) -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = [torch.randn(2, 37, 3, 16, generator=generator).to(device, dtype).requires_grad_() for _ in range(3)]
    weight = torch.randn(2, 37, 3, 16, generator=generator).to(device, torch.float64)
    out, expected = attention(*inputs), naive_attention(*inputs)
    torch.testing.assert_close(out.double(), expected, atol=tolerance, rtol=tolerance)
    gradients = torch.autograd.grad((out.double() * weight).sum(), inputs)
    expected_gradients = torch.autograd.grad((expected * weight).sum(), inputs)
    for gradient, expected_gradient in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(gradient, expected_gradient, atol=4 * tolerance, rtol=4 * tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
def test_pytorchs_attention_is_the_definition(dtype, tolerance):
    assert_like_naive(pytorch_attention, "cpu", dtype, tolerance)


@on_a_gpu
@pytest.mark.parametrize("attention", [xformers_attention, pytorch_attention])
def test_attention_on_a_gpu_is_the_definition(attention):
    if implementation("cuda", torch.bfloat16) is not xformers_attention and attention is xformers_attention:
        pytest.skip("this xformers has no kernels for this PyTorch and GPU")
    assert_like_naive(attention, "cuda", torch.bfloat16, 2e-2)


def test_pytorchs_attention_is_chosen_on_a_cpu():
    assert implementation("cpu", torch.float32) is pytorch_attention
    assert_like_naive(causal_attention, "cpu", torch.float32, 1e-5)


@on_a_gpu
def test_the_chosen_attention_on_a_gpu_is_the_definition():
    assert_like_naive(causal_attention, "cuda", torch.bfloat16, 2e-2)
