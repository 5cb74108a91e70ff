"""Whole runs through the commands, as a user types them."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

SETTINGS = [
    *(f"{source}=null" for source in ("c4", "github", "books", "arxiv", "stackexchange")),
    "commoncrawl.weight=93.71",
    "wikipedia.weight=6.29",
    "models.pieces=2000",
    "tokenizer.pieces=1500",
    "tokenizer.sample_bytes=1000000",
    "wikipedia.split_bytes=150000",
    "shards.tokens=200000",
]


def command(repository: Path, *arguments: str, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=repository, capture_output=True, text=True, timeout=timeout, check=False
    )


def succeed(repository: Path, *arguments: str, timeout: float = 240) -> str:
    done = command(repository, *arguments, timeout=timeout)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def take_part(sample: Path, part: Path) -> None:
    """A part of the embedded sample: a few of its WET files, the broken ones, and both dumps."""
    shutil.copytree(sample / "wikipedia", part / "wikipedia")
    (part / "web").mkdir()
    for name in ("00000", "00001", "truncated", "empty"):
        shutil.copy(sample / "web" / f"CC-MAIN-SAMPLE-{name}.warc.wet.gz", part / "web")


def make_models(data: Path, out: Path) -> None:
    """Models and tokenizer under `out`, from a part of the sample."""
    base = ["--config", "configs/demo.yaml", "--out", str(out), f"data={data}", *SETTINGS]
    succeed(ROOT, "pipelines", "models", *base)
    succeed(ROOT, "pipelines", "run", "--until", "text", *base)
    tokenizer = out / "models" / "tokenizer.model"
    weights = ["--weights=commoncrawl=93.71", "--weights=wikipedia=6.29", "--pieces=1500", "--sample-bytes=1000000"]
    succeed(ROOT, "tokenizer", "train", "--text", str(out / "text"), "--out", str(tokenizer), *weights)


def pin_models(out: Path) -> list[str]:
    """The settings of a run with the models and the tokenizer that are under `out`."""
    return [f"models.folder={out / 'models'}", f"tokenizer.path={out / 'models' / 'tokenizer.model'}"]


def run_with(models: list[str], data: Path, out: Path, *more: str) -> list[str]:
    """The arguments of a run on a part of the sample with everything pinned."""
    start = ["pipelines", "run", "--config", "configs/demo.yaml", "--out", str(out), f"data={data}"]
    return [*start, *SETTINGS, *models, *more]


def files(out: Path) -> dict[str, bytes]:
    """What a run promises the bytes of: everything but its records."""
    kept = (
        p
        for p in sorted(out.rglob("*"))
        if p.is_file() and p.relative_to(out).parts[0] not in ("tasks", "report", "models")
    )
    return {str(p.relative_to(out)): p.read_bytes() for p in kept}
