"""Causal attention: xformers' memory-efficient kernels on a GPU, PyTorch's own attention elsewhere. Chosen here and
only here.
"""

from functools import cache
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor


class Attention(Protocol):
    """Softmax(q k / sqrt(D)) v, each position seeing itself and what came before it; all four are [B, L, H, D]."""

    def __call__(self, q_BLHD: Tensor, k_BLHD: Tensor, v_BLHD: Tensor) -> Tensor: ...


def causal_attention(q_BLHD: Tensor, k_BLHD: Tensor, v_BLHD: Tensor) -> Tensor:
    """Causal attention by the implementation that suits the tensors' device and type, [B, L, H, D]."""
    return implementation(q_BLHD.device.type, q_BLHD.dtype)(q_BLHD, k_BLHD, v_BLHD)


@cache
def implementation(device: str, dtype: torch.dtype) -> Attention:
    """`xformers_attention` on a GPU where its kernels run, forward and backward; `pytorch_attention` elsewhere.

    An xformers built for another PyTorch imports without its kernels, so a tiny problem is tried once, not only an
    import.
    """
    if device != "cuda":
        return pytorch_attention
    try:
        q, k, v = (torch.zeros(1, 8, 1, 64, device=device, dtype=dtype, requires_grad=True) for _ in range(3))
        with torch.enable_grad():
            torch.autograd.backward(xformers_attention(q, k, v).sum())
    except (ImportError, NotImplementedError, RuntimeError):
        return pytorch_attention
    return xformers_attention


def pytorch_attention(q_BLHD: Tensor, k_BLHD: Tensor, v_BLHD: Tensor) -> Tensor:
    """`torch.nn.functional.scaled_dot_product_attention`, which wants heads before positions."""
    q_BHLD, k_BHLD, v_BHLD = (x.transpose(1, 2) for x in (q_BLHD, k_BLHD, v_BLHD))
    return F.scaled_dot_product_attention(q_BHLD, k_BHLD, v_BHLD, is_causal=True).transpose(1, 2)


def xformers_attention(q_BLHD: Tensor, k_BLHD: Tensor, v_BLHD: Tensor) -> Tensor:
    """xformers' memory-efficient attention (Rabe and Staats 2021), as in the paper; only on a GPU."""
    from xformers import ops  # here, not above: without a GPU it warns that it has no kernels

    o_BLHD: Tensor = ops.memory_efficient_attention(q_BLHD, k_BLHD, v_BLHD, attn_bias=ops.LowerTriangularMask())
    return o_BLHD
