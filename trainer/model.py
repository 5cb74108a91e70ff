"""LLaMA (arXiv 2302.13971) as plain PyTorch for one device.

A pre-norm transformer: RMSNorm (Zhang and Sennrich 2019), rotary positions (Su et al. 2021), SwiGLU (Shazeer 2020), no
biases, untied output. Names end in their shapes: B batch, L positions, D model width, H heads, K width of a head, F
width of the feed-forward layer, V vocabulary.
"""

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from trainer.attention import causal_attention


class ModelConfig(BaseModel):
    """The model's shape. The vocabulary's size is the tokenizer's and comes from the manifest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dim: int = Field(ge=2)
    heads: int = Field(ge=1)
    layers: int = Field(ge=1)
    ffn: int | None = Field(None, ge=1)  # by default 2/3 of 4 dim, rounded up to a multiple of `multiple_of`
    multiple_of: int = Field(256, ge=1)
    norm_eps: float = Field(1e-5, gt=0)  # the reference code's; some released weights have 1e-6
    rope_theta: float = Field(10_000.0, gt=0)

    @model_validator(mode="after")
    def _heads_divide(self) -> "ModelConfig":
        if self.dim % (2 * self.heads):
            raise ValueError(f"dim {self.dim} cannot be cut into {self.heads} heads of an even width")
        return self

    @property
    def ffn_width(self) -> int:
        """The width of the feed-forward layer."""
        if self.ffn is not None:
            return self.ffn
        return -(-(8 * self.dim // 3) // self.multiple_of) * self.multiple_of


class RMSNorm(nn.Module):
    """x / rms(x) * weight, computed in fp32 whatever the type of x."""

    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x_BLD: Tensor) -> Tensor:
        return F.rms_norm(x_BLD.float(), self.weight.shape, self.weight.float(), self.eps).type_as(x_BLD)


def rotations(positions: int, width: int, theta: float) -> Tensor:
    """e^(i p theta^(-2j/K)) for position p and pair j: complex64, [L, K/2]."""
    frequencies_K2 = theta ** -(torch.arange(0, width, 2, dtype=torch.float64) / width)
    angles_LK2 = torch.outer(torch.arange(positions, dtype=torch.float64), frequencies_K2)
    return torch.polar(torch.ones_like(angles_LK2), angles_LK2).to(torch.complex64)


def rotate(x_BLHK: Tensor, rotations_LK2: Tensor) -> Tensor:
    """Rotary positions: entries 2j and 2j + 1 of each head are a complex number, turned by its position's angle, in
    fp32.
    """
    pairs_BLHK2 = torch.view_as_complex(x_BLHK.float().view(*x_BLHK.shape[:-1], -1, 2))
    turned_BLHK2 = pairs_BLHK2 * rotations_LK2[: x_BLHK.shape[1], None, :]
    return torch.view_as_real(turned_BLHK2).flatten(-2).type_as(x_BLHK)


class Attention(nn.Module):
    """Causal self-attention."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.wq = nn.Linear(config.dim, config.dim, bias=False)
        self.wk = nn.Linear(config.dim, config.dim, bias=False)
        self.wv = nn.Linear(config.dim, config.dim, bias=False)
        self.wo = nn.Linear(config.dim, config.dim, bias=False)

    def forward(self, x_BLD: Tensor, rotations_LK2: Tensor) -> Tensor:
        q_BLHK, k_BLHK, v_BLHK = (w(x_BLD).view(*x_BLD.shape[:2], self.heads, -1) for w in (self.wq, self.wk, self.wv))
        o_BLHK = causal_attention(rotate(q_BLHK, rotations_LK2), rotate(k_BLHK, rotations_LK2), v_BLHK)
        y_BLD: Tensor = self.wo(o_BLHK.flatten(-2))
        return y_BLD


class FeedForward(nn.Module):
    """SwiGLU: w2(silu(w1 x) * w3 x)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.w1 = nn.Linear(config.dim, config.ffn_width, bias=False)
        self.w2 = nn.Linear(config.ffn_width, config.dim, bias=False)
        self.w3 = nn.Linear(config.dim, config.ffn_width, bias=False)

    def forward(self, x_BLD: Tensor) -> Tensor:
        y_BLD: Tensor = self.w2(F.silu(self.w1(x_BLD)) * self.w3(x_BLD))
        return y_BLD


class Block(nn.Module):
    """One layer: attention, then SwiGLU, each on a normalised input and added to the residual stream."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.dim, config.norm_eps)
        self.attention = Attention(config)
        self.ffn_norm = RMSNorm(config.dim, config.norm_eps)
        self.feed_forward = FeedForward(config)

    def forward(self, x_BLD: Tensor, rotations_LK2: Tensor) -> Tensor:
        x_BLD = x_BLD + self.attention(self.attention_norm(x_BLD), rotations_LK2)
        x_BLD = x_BLD + self.feed_forward(self.ffn_norm(x_BLD))
        return x_BLD


class LLaMA(nn.Module):
    """The language model: token ids in, logits over the next token out."""

    rotations_LK2: Tensor

    def __init__(self, config: ModelConfig, *, vocabulary: int, context: int) -> None:
        """Weights are not initialised: see `initialise`. `context` is the longest input, in tokens."""
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(vocabulary, config.dim)
        self.layers = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = RMSNorm(config.dim, config.norm_eps)
        self.output = nn.Linear(config.dim, vocabulary, bias=False)
        table_LK2 = rotations(context, config.dim // config.heads, config.rope_theta)
        self.register_buffer("rotations_LK2", table_LK2, persistent=False)

    def forward(self, tokens_BL: Tensor) -> Tensor:
        """Logits [B, L, V] for token ids [B, L], with L at most the context."""
        x_BLD = self.embedding(tokens_BL)
        for layer in self.layers:
            x_BLD = layer(x_BLD, self.rotations_LK2)
        logits_BLV: Tensor = self.output(self.norm(x_BLD))
        return logits_BLV

    @torch.no_grad()
    def initialise(self, seed: int) -> None:
        """Normal with deviation 0.02, cut at three deviations; what writes to the residual stream is divided by
        sqrt(2 layers), so that the stream's variance does not grow with depth (Radford et al. 2019). Norms start at 1.
        """
        generator = torch.Generator(device=self.output.weight.device).manual_seed(seed)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 1:
                nn.init.ones_(parameter)
                continue
            writes = name.endswith(("attention.wo.weight", "feed_forward.w2.weight"))
            deviation = 0.02 / (2 * self.config.layers) ** 0.5 if writes else 0.02
            nn.init.trunc_normal_(parameter, 0.0, deviation, -3 * deviation, 3 * deviation, generator=generator)


def num_parameters(config: ModelConfig, vocabulary: int) -> int:
    """How many numbers the model learns; allocates nothing."""
    with torch.device("meta"):
        model = LLaMA(config, vocabulary=vocabulary, context=1)
    return sum(parameter.numel() for parameter in model.parameters())
