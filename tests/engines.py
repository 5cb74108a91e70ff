"""The same run on four engines, on any folder that is laid out as the sample: the same bytes?

    python -m tests.engines [--data FOLDER] [--work FOLDER]

Direct with one worker and with two, Spark inside the run, and a standalone cluster of two workers on this machine, each
to a manifest and shards, with models and a tokenizer that are made first. Prints a row for each; exit code 1 if a file
of the result differs. Without FOLDER, the embedded sample is taken; `tests/test_engines.py` is that in CI, in part.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from pipelines.sample import build_sample
from tests.cluster import cluster, ready
from tests.runs import ROOT, files, pin_models, succeed

ROW = "{:<26}  {:>6}  {:>6}  {:>6}  {}"
CONFIG = "configs/demo.yaml"
TIMEOUT = 1_800  # seconds


def make_models(base: Sequence[str], out: Path) -> None:
    """Models and tokenizer as the configuration says, under `out`."""
    succeed(ROOT, "pipelines", "models", "--out", str(out), *base, timeout=TIMEOUT)
    succeed(ROOT, "pipelines", "run", "--until", "text", "--out", str(out), *base, timeout=TIMEOUT)
    tokenizer = ["--text", str(out / "text"), "--out", str(out / "models" / "tokenizer.model"), "--config", CONFIG]
    succeed(ROOT, "tokenizer", "train", *tokenizer, timeout=TIMEOUT)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--work", type=Path, default=Path("runs/engines"))
    options = parser.parse_args()
    if not ready:
        parser.error("Spark is not set up: run `make spark` once")
    work, data = options.work.resolve(), options.data and options.data.resolve()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    if not data:
        build_sample(data := work / "sample")
    base = ["--config", CONFIG, f"data={data}"]
    make_models(base, work / "made")
    with cluster(work) as started:
        engines = {
            "direct, 1 worker": ["--workers=1"],
            "direct, 2 workers": ["--workers=2"],
            "Spark embedded, 2 workers": ["--runner=spark", "--workers=2"],
            "Spark cluster, 2 nodes": ["--runner=spark", "--workers=1", f"--master={started.url}"],
        }
        print(ROW.format("engine", "wall s", "files", "MB", "bytes"), flush=True)
        reference: dict[str, bytes] = {}
        differ = False
        for number, (engine, flags) in enumerate(engines.items()):
            out, began = work / f"run{number}", time.monotonic()
            arguments = ["--out", str(out), *base, *pin_models(work / "made"), *flags]
            succeed(ROOT, "pipelines", "run", *arguments, timeout=TIMEOUT)
            seconds, made = time.monotonic() - began, files(out)
            reference = reference or made
            other = sorted(n for n in {*made, *reference} if made.get(n) != reference.get(n))
            differ |= bool(other)
            size = sum(map(len, made.values())) / 1e6
            said = f"OTHER: {', '.join(other[:5])}" if other else "same"
            print(ROW.format(engine, f"{seconds:.0f}", len(made), f"{size:.1f}", said), flush=True)
    sys.exit(differ)


if __name__ == "__main__":
    main()
