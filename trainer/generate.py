"""Text from a checkpoint, one token after another: a look at what a run has learnt."""

from pathlib import Path

import torch
from pydantic import ValidationError

from trainer import checkpoint
from trainer.config import Config
from trainer.errors import ConfigError
from trainer.manifest import read_manifest
from trainer.model import LLaMA
from trainer.vocabulary import load_tokenizer


def generate(run: Path, prompt: str, *, tokens: int, temperature: float, seed: int) -> str:
    """`prompt` and up to `tokens` tokens after it, from the run's last checkpoint; greedy where `temperature` is 0.

    Raises ConfigError where the run has no checkpoint, or the manifest it was trained on is gone.
    """
    last = checkpoint.latest(run)
    if last is None:
        raise ConfigError(f"{run}: no checkpoint here")
    state = checkpoint.read_state(last)
    try:
        config = Config.model_validate(state.settings)
    except ValidationError:
        raise ConfigError(f"{last}: its settings are of another version") from None
    tokenizer = load_tokenizer(read_manifest(state.manifest))
    context = config.data.context
    model = LLaMA(config.model, vocabulary=tokenizer.get_piece_size(), context=context)
    checkpoint.load_model(last, model)
    ids = _continue(
        model, [tokenizer.bos_id(), *tokenizer.encode(prompt)], tokenizer.eos_id(), context, tokens, temperature, seed
    )
    text: str = tokenizer.decode(ids)
    return text


@torch.inference_mode()
def _continue(
    model: LLaMA, ids: list[int], end: int, context: int, tokens: int, temperature: float, seed: int
) -> list[int]:
    generator = torch.Generator().manual_seed(seed)
    for _ in range(tokens):
        logits_V = model(torch.tensor([ids[-context:]]))[0, -1].float()
        if temperature > 0:
            token = int(torch.multinomial(torch.softmax(logits_V / temperature, -1), 1, generator=generator))
        else:
            token = int(logits_V.argmax())
        if token == end:
            break
        ids.append(token)
    return ids
