"""Fuzz a parser: `python -m tests.fuzz <target> --runs 200000`, or every one: `python -m tests.fuzz all --runs 200000`.

A target is a module here with `one_input(data)`, which raises for what is a bug, and `SEEDS` or `seeds()`: inputs to
start from. It may name `WORDS` that mutations put in, `MAX_BYTES` of an input where the default makes it slow, and
`real(folder)`: pieces of real files to start from as well, which lie in `--data`.

Atheris (extra `fuzz`) follows the coverage of our own code; without it, or with `--blind`, seeds are mutated at random.
Either way a target runs in a process of its own, which an input that takes too long or too much memory ends. What fails
is written below `--artifacts`, beside the log; `--replay FILE` runs it again. `--corpus` keeps the inputs that reached
new code, so that the next run starts there. Without a target, the targets are listed.
"""

import argparse
import faulthandler
import importlib
import importlib.util
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).parent
DATA = Path(os.environ.get("ALTIPLANO_DATA") or FOLDER.parents[2] / "shared" / "data")
OURS = ["filters", "pipelines", "tokenizer", "trainer"]
MAX_BYTES = 1 << 14
ROW = "{:<14} {:>9} {:>8} {:>7} {:>9} {:>9}  {}"


def targets() -> list[str]:
    """The modules here that are targets."""
    return sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith(("_", "test_")))


def load(target: str) -> ModuleType:
    return importlib.import_module(f"tests.fuzz.{target}")


def seeds(module: ModuleType, data: Path | None = None) -> list[bytes]:
    """A target's seeds, pieces of the real files in `data` among them; an empty input if it has none."""
    found = [*module.seeds()] if hasattr(module, "seeds") else [*getattr(module, "SEEDS", ())]
    if data is not None and data.is_dir() and hasattr(module, "real"):
        found += module.real(data)
    return [bytes(seed) for seed in found] or [b""]


def mutate(
    data: bytes, others: Sequence[bytes], chance: random.Random, words: Sequence[bytes] = (), most: int = MAX_BYTES
) -> bytes:
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
                *([chance.choice(words)] if words else []),
            )
        )  # fmt: skip
        changed[start : chance.choice((start, end))] = piece
    return bytes(changed[:most])


def blind(
    target: str, runs: int, seconds: float, seed: int, artifacts: Path, timeout: int, data: Path | None = None
) -> int:
    """Run mutated seeds; how many inputs were tried. Each is written to a file first, where one that fails is left."""
    module, chance = load(target), random.Random(seed)
    words, most = getattr(module, "WORDS", ()), getattr(module, "MAX_BYTES", MAX_BYTES)
    start, pool, last = time.monotonic(), seeds(module, data), artifacts / f"{target}-input"
    print(f"Each test unit written to {last}", file=sys.stderr)
    for number in range(runs):
        if seconds and time.monotonic() - start > seconds:
            return number
        tried = pool[number] if number < len(pool) else mutate(chance.choice(pool), pool, chance, words, most)
        last.write_bytes(tried)
        if timeout:
            faulthandler.dump_traceback_later(timeout, exit=True)
        try:
            module.one_input(tried)
        finally:
            faulthandler.cancel_dump_traceback_later()
    return runs


def guided(target: str, options: argparse.Namespace, corpus: Path, scratch: Path) -> None:
    """Hand over to Atheris, which ends the process."""
    import atheris

    with atheris.instrument_imports(include=OURS):
        module = load(target)
    for number, seed in enumerate(seeds(module, options.data)):
        (corpus / f"seed-{number}").write_bytes(seed)
    limits = [
        f"-rss_limit_mb={options.memory_mb}", f"-timeout={options.timeout}", f"-seed={options.seed}",
        f"-max_len={getattr(module, 'MAX_BYTES', MAX_BYTES)}", "-print_final_stats=1",
        f"-artifact_prefix={options.artifacts}/{target}-", f"-runs={options.runs or -1}",
        f"-max_total_time={options.seconds}",
    ]  # fmt: skip
    if words := getattr(module, "WORDS", ()):
        (scratch / "words").write_text("".join(f'"{_escaped(word)}"\n' for word in words))
        limits.append(f"-dict={scratch / 'words'}")
    atheris.Setup([sys.argv[0], str(corpus), *limits], module.one_input)
    atheris.Fuzz()


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def work(target: str, options: argparse.Namespace) -> None:
    """Fuzz in this process, which then ends."""
    limit = options.memory_mb << 20
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    if options.blind or not importlib.util.find_spec("atheris"):
        start, runs = time.monotonic(), options.runs or sys.maxsize
        number = blind(
            target, runs, options.seconds, options.seed, options.artifacts, options.timeout, data=options.data
        )
        print(f"Done {number} runs in {time.monotonic() - start:.0f} second(s)", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as scratch:
        corpus = options.corpus / target if options.corpus else Path(scratch) / "corpus"
        corpus.mkdir(parents=True, exist_ok=True)
        guided(target, options, corpus, Path(scratch))


def watch(target: str, arguments: Sequence[str], artifacts: Path, *, tell: bool) -> bool:
    """Fuzz in a process of its own and print a line of the table; whether nothing failed. `tell`: its log as well."""
    log = artifacts / f"{target}.log"
    command = [sys.executable, "-m", "tests.fuzz", target, *arguments, "--here"]
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    # Atheris ends a process without cleaning up: what it leaves goes with this folder.
    with log.open("wb") as file, tempfile.TemporaryDirectory(prefix="fuzz-", dir=memory) as scratch:
        process = subprocess.Popen(
            command, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, cwd=FOLDER.parents[1],
            env={**os.environ, "TMPDIR": scratch},
        )  # fmt: skip
        assert process.stdout
        for line in process.stdout:
            file.write(line)
            file.flush()
            if tell:
                sys.stderr.buffer.write(line)
                sys.stderr.flush()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    said = log.read_text(errors="replace")
    result = "nothing found"
    if process.returncode:
        unit = _last(said, r"[Tt]est unit written to (.+)$")
        result = f"python -m tests.fuzz {target} --replay {unit}" if unit else f"status {process.returncode}: {log}"
    runs = (
        _last(said, r"^Done (\d+) runs") or _last(said, r"number_of_executed_units: (\d+)") or _last(said, r"^#(\d+)")
    )
    seconds = _last(said, r"^Done \d+ runs in (\d+)")
    speed = str(int(runs) // max(1, int(seconds))) if runs and seconds else ""
    print(
        ROW.format(
            target, runs, speed, _last(said, r"cov: (\d+)"), _last(said, r"ft: (\d+)"),
            f"{usage.ru_maxrss >> 10} MB", result,
        ),
        flush=True,
    )  # fmt: skip
    return process.returncode == 0


def _last(text: str, pattern: str) -> str:
    return (re.findall(pattern, text, re.MULTILINE) or [""])[-1]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("target", nargs="?", choices=[*targets(), "all"], metavar="target", help=", ".join(targets()))
    parser.add_argument("--runs", type=int, default=0, help="stop after so many inputs (default: never)")
    parser.add_argument("--seconds", type=int, default=0, help="stop after so many seconds")
    parser.add_argument("--timeout", type=int, default=20, help="seconds an input may take")
    parser.add_argument("--memory-mb", type=int, default=1_500, help="memory that the process may take")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, default=DATA, help="real files to start from, where they are there")
    parser.add_argument("--corpus", type=Path, help="a folder of inputs, read and added to")
    parser.add_argument("--artifacts", type=Path, help="where logs and failures go (default: a new folder)")
    parser.add_argument("--replay", type=Path, help="run one input and nothing else")
    parser.add_argument("--blind", action="store_true", help="do without Atheris")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)  # in this process
    options = parser.parse_args()
    if options.target is None:
        print("\n".join(targets()))
        return 0
    if options.replay:
        load(options.target).one_input(options.replay.read_bytes())
        return 0
    if options.here:
        work(options.target, options)
        return 0
    if options.target == "all" and not (options.runs or options.seconds):
        parser.error("all targets without end: give --runs or --seconds")
    artifacts = options.artifacts or Path(tempfile.mkdtemp(prefix="fuzz-"))
    artifacts.mkdir(parents=True, exist_ok=True)
    chosen = targets() if options.target == "all" else [options.target]
    print(ROW.format("target", "inputs", "a second", "edges", "features", "memory", "result"), flush=True)
    arguments = [*_passed_on(options), "--artifacts", str(artifacts.resolve())]
    sound = [watch(target, arguments, artifacts, tell=len(chosen) == 1) for target in chosen]
    return 0 if all(sound) else 1


def _passed_on(options: argparse.Namespace) -> Iterator[str]:
    for name in ("runs", "seconds", "timeout", "memory_mb", "seed", "data", "corpus"):
        value = getattr(options, name)
        if value is not None:
            yield from (f"--{name.replace('_', '-')}", str(value.resolve() if isinstance(value, Path) else value))
    if options.blind:
        yield "--blind"


if __name__ == "__main__":
    sys.exit(main())
