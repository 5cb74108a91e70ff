"""Configurations of runs and of training, and what overrides them."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pipelines import config
from pipelines.errors import UserError
from tests.fuzz._inputs import folder
from trainer.config import load_config
from trainer.errors import ConfigError

MAX_BYTES = 1 << 10
_CONFIGS = Path(__file__).parents[2] / "configs"
WORDS = (
    b"&a ", b"*a", b"<<: ", b"!!python/object:", b"!!binary ", b"!!timestamp ", b"2001-99-99", b"0x", b"1e999", b".nan",
    b"? ", b"- ", b"|\n", b"---\n", b"...\n", b"%YAML 1.1\n", b"\n  ", b"{a: [", b'"\\ud800"', b"sources:", b"weight:",
)  # fmt: skip


def seeds() -> Iterator[bytes]:
    """Our own configurations, cut to size, and one with an override behind a form feed."""
    yield from (path.read_bytes()[:MAX_BYTES] for path in sorted(_CONFIGS.rglob("*.yaml")))
    yield b"sources: {c4: {weight: 100, inputs: {a: [x]}}}\nseed: 1\fc4.weight=50"
    yield b"model: {dim: 8}\ndata: &a {batch: 2}\ntrain: *a\foptimizer.peak_lr=1e-3"


def one_input(data: bytes) -> None:
    """Settings, or an error of ours."""
    written, *overrides = data.split(b"\f")
    path = folder() / "c.yaml"
    path.write_bytes(written)
    read = load_config if b"model:" in written else config.load
    with suppress(UserError, ConfigError):
        read(str(path), [override.decode(errors="replace") for override in overrides[:1]])
