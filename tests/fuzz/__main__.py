"""Fuzz a parser: `python -m tests.fuzz <target> --runs 200000`. Without a target, the targets are listed.

A target is a module here with `one_input(data)`, which raises for what is a bug, and `SEEDS` or `seeds()`: inputs to
start from. Atheris (extra `fuzz`) follows the coverage of our own code; without it, or with `--blind`, seeds are
mutated at random. Either way a process is ended by an input that takes too long or too much memory. What fails is
written below `--artifacts`; `--replay FILE` runs it again. `--corpus` keeps the inputs that reached new code.
"""

import argparse
import faulthandler
import importlib
import importlib.util
import random
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).parent
OURS = ["filters", "pipelines", "tokenizer"]
MAX_BYTES = 1 << 16


def targets() -> list[str]:
    """The modules here that are targets."""
    return sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith(("_", "test_")))


def load(target: str) -> ModuleType:
    return importlib.import_module(f"tests.fuzz.{target}")


def seeds(module: ModuleType) -> list[bytes]:
    """A target's seeds; an empty input if it has none."""
    found = module.seeds() if hasattr(module, "seeds") else getattr(module, "SEEDS", ())
    return [bytes(seed) for seed in found] or [b""]


def mutate(data: bytes, others: Sequence[bytes], chance: random.Random) -> bytes:
    """`data` with one to four changes: bytes flipped, cut, repeated, put in, or taken from another input."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        start = chance.randint(0, len(changed))
        end = min(len(changed), start + chance.choice((1, 1, 4, 32, 1024)))
        other = chance.choice(others)
        place = chance.randint(0, len(other))
        piece = chance.choice(
            (
                b"", chance.randbytes(max(1, end - start)), bytes(changed[start:end]) * 3, other[place : place + 64],
                bytes([chance.choice((0, 10, 13, 32, 34, 47, 60, 62, 91, 92, 93, 123, 125, 255))]),
            )
        )  # fmt: skip
        changed[start : chance.choice((start, end))] = piece
    return bytes(changed[:MAX_BYTES])


def blind(target: str, runs: int, seconds: float, seed: int, artifacts: Path, timeout: int) -> int:
    """Run mutated seeds; how many inputs were tried. The input that fails is written before its error is raised."""
    module, chance = load(target), random.Random(seed)
    start, pool = time.monotonic(), seeds(module)
    for number in range(runs):
        if seconds and time.monotonic() - start > seconds:
            return number
        data = pool[number] if number < len(pool) else mutate(chance.choice(pool), pool, chance)
        if timeout:
            faulthandler.dump_traceback_later(timeout, exit=True)
        try:
            module.one_input(data)
        except BaseException:
            (artifacts / f"{target}-crash").write_bytes(data)
            raise
        finally:
            faulthandler.cancel_dump_traceback_later()
    return runs


def guided(target: str, options: argparse.Namespace, corpus: Path) -> None:
    """Hand over to Atheris, which ends the process."""
    import atheris

    with atheris.instrument_imports(include=OURS):
        module = load(target)
    for number, seed in enumerate(seeds(module)):
        (corpus / f"seed-{number}").write_bytes(seed)
    limits = [
        f"-rss_limit_mb={options.memory_mb}", f"-timeout={options.timeout}", f"-max_len={MAX_BYTES}",
        f"-seed={options.seed}",
        f"-artifact_prefix={options.artifacts}/{target}-",
    ]  # fmt: skip
    if options.runs:
        limits.append(f"-runs={options.runs}")
    if options.seconds:
        limits.append(f"-max_total_time={options.seconds}")
    atheris.Setup([sys.argv[0], str(corpus), *limits], module.one_input)
    atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("target", nargs="?", choices=targets(), metavar="target", help=", ".join(targets()))
    parser.add_argument("--runs", type=int, default=0, help="stop after so many inputs (default: never)")
    parser.add_argument("--seconds", type=int, default=0, help="stop after so many seconds")
    parser.add_argument("--timeout", type=int, default=20, help="seconds an input may take")
    parser.add_argument("--memory-mb", type=int, default=1_500, help="resident memory an input may take")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--corpus", type=Path, help="a folder of inputs, read and added to")
    parser.add_argument("--artifacts", type=Path, default=Path(tempfile.gettempdir()), help="where failures go")
    parser.add_argument("--replay", type=Path, help="run one input and nothing else")
    parser.add_argument("--blind", action="store_true", help="do without Atheris")
    options = parser.parse_args()
    if options.target is None:
        print("\n".join(targets()))
        return
    if options.replay:
        load(options.target).one_input(options.replay.read_bytes())
        return
    if not options.blind and importlib.util.find_spec("atheris"):
        with tempfile.TemporaryDirectory() as scratch:
            corpus = options.corpus or Path(scratch)
            corpus.mkdir(parents=True, exist_ok=True)
            guided(options.target, options, corpus)
    limit = options.memory_mb << 20
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    runs = options.runs or sys.maxsize
    number = blind(options.target, runs, options.seconds, options.seed, options.artifacts, options.timeout)
    print(f"{options.target}: {number} inputs, no failure")


if __name__ == "__main__":
    main()
