"""The demo: raw files to a training step, every stage real, in minutes on two cores.

It does what a user does, by the same commands: models, clean text, tokenizer, shards, verify, and the trainer.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from pipelines import store
from pipelines.config import load
from pipelines.errors import RunError, UserError
from pipelines.fingerprint import canonical, sha256
from pipelines.plan import make_plan
from pipelines.progress import clock
from pipelines.sample import build_sample
from pipelines.summary import print_summary, print_untaken

CONFIG = Path(__file__).parent.parent / "configs" / "demo.yaml"
MODEL = "tiny"


class _Steps:
    """Says what each step is and how long it took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._console = Console(stderr=True)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        self._console.print(f"[bold]{len(self.seconds) + 1}. {name}[/bold]", highlight=False)
        started = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - started


def run_demo(
    out: str, data: str | None, runner: str, workers: int | None, overrides: Sequence[str], options: Sequence[str]
) -> None:
    """Everything below `out`. Raises UserError and RunError as the steps do."""
    from pipelines import commands

    if not store.is_local(out):
        raise UserError(f"--out {out}: the demo wants a local folder; runs take any store")
    out, steps = store.absolute(out), _Steps()
    if data is None:
        data = store.join(out, "sample")
        with steps.step("sample: raw files in the real formats"):
            build_sample(Path(data))
    elif not Path(data).is_dir():
        raise UserError(f"--data {data}: there is no such folder")
    config = load(str(CONFIG), [f"data={json.dumps(store.absolute(data))}", *_present(data), *overrides])
    engine = commands.engine(config, runner, workers, options, out)
    with steps.step("models: language model and its cut-offs"):
        commands.train_models(config, out, engine)
    with steps.step("text: raw files to clean documents"):
        commands.run_text(config, out, engine)
    with steps.step("tokenizer: SentencePiece on the mixture's sample"):
        weights = [f"--weights={name}={source.weight}" for name, source in config.sources.present()]
        size = [
            f"--pieces={config.tokenizer.pieces}",
            f"--sample-bytes={config.tokenizer.sample_bytes}",
            f"--seed={config.seed}",
        ]
        tokenizer = commands.tokenizer_path(config, out)
        _call("tokenizer", "train", "--text", store.join(out, "text"), "--out", tokenizer, *weights, *size)
    with steps.step("shards: clean documents to tokens and the manifest"):
        manifest = commands.run(config, out, engine)
    with steps.step("verify: every shard against the manifest"):
        _call("pipelines", "verify", out)
    with steps.step(f"train: a {MODEL} LLaMA on the shards"):
        trained = store.join(out, "trainer", _identity(manifest))
        _call("trainer", "train", "--manifest", store.join(out, "manifest.json"), "--model", MODEL, "--out", trained)
    print_summary(manifest, out)
    print_untaken(make_plan(config).untaken)
    _print_training(json.loads(store.read_bytes(store.join(trained, "summary.json"))), trained)
    took = ", ".join(f"{name.partition(':')[0]} {clock(seconds)}" for name, seconds in steps.seconds.items())
    Console(stderr=True).print(f"took {clock(sum(steps.seconds.values()))}: {took}", highlight=False)


def _present(data: str) -> list[str]:
    """Overrides that leave out the sources whose files are not there, and scale the others' weights to 100."""
    config = load(str(CONFIG))
    weights = {
        name: source.weight
        for name, source in config.sources.present()
        if any(store.glob(store.join(data, p)) for patterns in source.inputs.values() for p in patterns)
    }
    total = sum(weights.values())
    scaled = {name: round(weight / total * 100, 2) for name, weight in weights.items()}
    overrides = [f"{name}=null" for name, _ in config.sources.present() if name not in weights]
    if scaled:
        scaled[max(scaled, key=lambda n: scaled[n])] += 100 - sum(scaled.values())
    return overrides + [f"{name}.weight={weight}" for name, weight in scaled.items()]


def _identity(manifest: Mapping[str, Any]) -> str:
    """A name for what is trained on: other shards are learned from in another folder, from the start."""
    return sha256(canonical([[s["sha256"] for s in source["shards"]] for source in manifest["sources"].values()]))[:12]


def _call(*arguments: str) -> None:
    """Another package's command, as a user would type it."""
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=CONFIG.parent.parent, check=False)
    if done.returncode:
        raise RunError(f"`python -m {' '.join(arguments)}` failed with exit code {done.returncode}")


def _print_training(summary: Mapping[str, float], trained: str) -> None:
    table = Table(title="training", title_justify="left")
    for name in ("steps", "tokens", "loss first", "loss last", "checkpoints, metrics, summary"):
        table.add_column(name, justify="right" if name != "checkpoints, metrics, summary" else "left", overflow="fold")
    table.add_row(
        f"{summary['steps']:,}",
        f"{summary['tokens']:,}",
        f"{summary['loss_first']:.3f}",
        f"{summary['loss_last']:.3f}",
        trained,
    )
    console = Console() if Console().is_terminal else Console(width=140)
    console.print(table)
