"""AdamW (Loshchilov and Hutter 2019) and the learning rate's course: linear warm-up, then a cosine down to a tenth."""

from math import cos, pi
from typing import Annotated

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import nn


class OptimizerConfig(BaseModel):
    """LLaMA's settings (arXiv 2302.13971, section 2.3)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    peak_lr: float = Field(gt=0)
    warmup_steps: int = Field(2_000, ge=0)
    final_lr_ratio: float = Field(0.1, ge=0, le=1)
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.9, 0.95)
    eps: float = Field(1e-8, gt=0)
    weight_decay: float = Field(0.1, ge=0)  # on matrices; norms have none
    clip: float = Field(1.0, gt=0)  # largest norm of the gradient


def learning_rate(config: OptimizerConfig, step: int, steps: int) -> float:
    """The learning rate of step `step` (from 0) in a run of `steps`: peak after the warm-up, `final_lr_ratio` of it at
    the end.
    """
    if step < config.warmup_steps:
        return config.peak_lr * (step + 1) / config.warmup_steps
    progress = (step - config.warmup_steps) / max(1, steps - 1 - config.warmup_steps)
    cosine = (1 + cos(pi * min(1.0, progress))) / 2
    return config.peak_lr * (config.final_lr_ratio + (1 - config.final_lr_ratio) * cosine)


def build_optimizer(model: nn.Module, config: OptimizerConfig) -> torch.optim.AdamW:
    """AdamW over the model's parameters, with weight decay on its matrices only."""
    matrices = [parameter for parameter in model.parameters() if parameter.dim() > 1]
    vectors = [parameter for parameter in model.parameters() if parameter.dim() == 1]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=config.peak_lr, betas=config.betas, eps=config.eps, fused=True)
