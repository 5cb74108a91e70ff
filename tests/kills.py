"""Kills at random moments: whatever dies, a run ends by itself, and doing it again gives the same bytes.

    python -m tests.kills [--kills 20] [--seed 0] [--engines direct,embedded,cluster] [--data FOLDER] [--work FOLDER]

An undisturbed run on each engine comes first. Then the engines take turns, and each kind of process that one has: one
such process, drawn at random, gets a `kill -9` at a random moment of the run, or as soon as there is one. The run must
end, with all its processes, within an undisturbed run's time and three minutes, and where it fails, with one line that
says why; a rerun must finish it. Prints a row for each kill; exit code 1 if anything hangs, is left behind, says more,
or differs. FOLDER holds WET files in web/ and dumps in wikipedia/; without it, a part of the embedded sample is taken.
"""

import argparse
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from pipelines.sample import build_sample
from tests.cluster import Cluster, cluster, ready
from tests.runs import ROOT, files, make_models, pin_models, run_with, take_part

VICTIMS = {
    "direct": ("driver", "child"),
    "embedded": ("driver", "child", "job server"),
    "cluster": ("driver", "child", "job server", "executor", "python worker", "node"),
}
SIGNS = {  # of a kind of process, in its command line
    "child": "--multiprocessing-fork",
    "job server": "SparkJobServerDriver",
    "executor": "CoarseGrainedExecutorBackend",
    "python worker": "pipelines.worker",
    "node": "org.apache.spark.deploy.worker.Worker",
}
HANG_SECONDS = 180
UNDISTURBED_SECONDS = 600
GONE_SECONDS = 30  # for the processes of a run that ended to end, too
RERUNS = 3
PROGRESS = re.compile(r"\S+ +\d+/\d+ tasks")
ROW = "{:>2}  {:<8}  {:<13}  {:>6}  {:>5}  {:>4}  {:<5}  {}"


class Run:
    """A run that goes on, as a user starts it."""

    def __init__(self, arguments: Sequence[str], nodes: Sequence[int]) -> None:
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._nodes = nodes
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=self._said
        )

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def processes(self, *kinds: str) -> list[psutil.Process]:
        """The run's processes of these kinds, a cluster's among them."""
        found = []
        for pid in (self.process.pid, *self._nodes):
            with suppress(psutil.NoSuchProcess):
                root = psutil.Process(pid)
                found += [root, *root.children(recursive=True)]
        return [p for p in found if self._kind(p) in kinds]

    def _kind(self, process: psutil.Process) -> str:
        if process.pid == self.process.pid:
            return "driver"
        with suppress(psutil.NoSuchProcess):
            command = " ".join(process.cmdline())
            return next((kind for kind, sign in SIGNS.items() if sign in command), "")
        return ""

    def wait_for(self, kind: str, moment: float) -> list[psutil.Process]:
        """The processes of a kind `moment` seconds after the start, or later; none if the run ended before."""
        while self.process.poll() is None:
            if self.seconds >= moment and (found := self.processes(kind)):
                return found
            time.sleep(0.1)
        return []

    def end(self, length: float) -> bool:
        """Wait for the run's end; False, and it is ended, if it hangs. `length`: of an undisturbed run, in seconds."""
        try:
            self.process.wait(length + HANG_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return False
        return True

    def said(self) -> list[str]:
        """What the run said, apart from its progress."""
        self._said.seek(0)
        return [line for line in self._said.read().splitlines() if line.strip() and not PROGRESS.match(line)]


@dataclass
class Kill:
    """What became of a run one of whose processes was killed."""

    engine: str
    victim: str
    moment: float
    ended: str = ""
    seconds: float = 0.0
    reruns: int = 0
    same: bool = False
    problems: list[str] = field(default_factory=list)


@dataclass
class Bench:
    """What all kills share."""

    data: Path
    work: Path
    models: list[str]
    cluster: Cluster | None
    chance: random.Random
    reference: dict[str, bytes] = field(default_factory=dict)
    lengths: dict[str, float] = field(default_factory=dict)

    def start(self, engine: str, out: Path) -> Run:
        options = {
            "direct": ("--workers=2",),
            "embedded": ("--workers=2", "--runner=spark"),
            "cluster": ("--workers=1", "--runner=spark", f"--master={self.cluster.url if self.cluster else ''}"),
        }[engine]
        nodes = [node.pid for node in self.cluster.nodes[1:]] if self.cluster and engine == "cluster" else []
        return Run(run_with(self.models, self.data, out, *options), nodes)

    def undisturbed(self, engine: str) -> None:
        run = self.start(engine, out := self.work / f"undisturbed-{engine}")
        ended = run.end(UNDISTURBED_SECONDS)
        self.lengths[engine] = run.seconds
        if not ended or run.process.returncode or run.said():
            sys.exit(f"{engine}: an undisturbed run ended with {run.process.returncode}: {run.said()}")
        self.reference = self.reference or files(out)
        if files(out) != self.reference:
            sys.exit(f"{engine}: an undisturbed run gave other bytes")

    def kill(self, engine: str, victim: str) -> Kill:
        out, moment = self.work / "killed", self.chance.uniform(0.05, 0.95) * self.lengths[engine]
        while True:
            shutil.rmtree(out, ignore_errors=True)
            run = self.start(engine, out)
            if found := run.wait_for(victim, moment):
                kill, family = Kill(engine, victim, run.seconds), run.processes("driver", *SIGNS.keys() - {"node"})
                with suppress(psutil.NoSuchProcess):  # it may have ended just now
                    self.chance.choice(found).kill()
                    break
            run.end(self.lengths[engine])
            moment /= 2  # the run was faster than the undisturbed one
        if not run.end(self.lengths[engine]):
            kill.problems.append("hung")
        code, said = run.process.returncode, run.said()
        kill.ended, kill.seconds = " | ".join([f"exit {code}", *said]), run.seconds
        if code not in ((-9,) if victim == "driver" else (0, 1)) or len(said) != (code == 1):
            kill.problems.append("its end is not clear")
        if victim == "node" and self.cluster:
            self.cluster.start_worker()
        while code and kill.reruns < RERUNS:
            rerun = self.start(engine, out)
            if not rerun.end(self.lengths[engine]):
                kill.problems.append("its rerun hung")
            kill.reruns, code = kill.reruns + 1, rerun.process.returncode
        kill.same = files(out) == self.reference
        if not kill.same or list((out / ".scratch").glob("*")):
            kill.problems.append("other bytes")
        left = psutil.wait_procs(family, timeout=GONE_SECONDS)[1]
        kill.problems += [f"left behind: {p.name()} {p.pid}" for p in left]
        return kill


def turns(kinds: Sequence[str], chance: random.Random) -> Iterator[str]:
    """Each of `kinds` once in random order, again and again."""
    while True:
        yield from chance.sample(kinds, len(kinds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--engines", default=",".join(VICTIMS))
    parser.add_argument("--data", type=Path)
    parser.add_argument("--work", type=Path, default=Path("runs/kills"))
    options = parser.parse_args()
    engines, chance = options.engines.split(","), random.Random(options.seed)
    if unknown := set(engines) - VICTIMS.keys():
        parser.error(f"--engines {','.join(sorted(unknown))}: {', '.join(VICTIMS)} are known")
    if engines != ["direct"] and not ready:
        parser.error("Spark is not set up: run `make spark` once, or give --engines direct")
    work = options.work.resolve()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    data = options.data and options.data.resolve()
    if not data:
        build_sample(work / "sample")
        take_part(work / "sample", data := work / "part")
    make_models(data, work / "models")
    models = pin_models(work / "models")
    with ExitStack() as stack:
        started = stack.enter_context(cluster(work)) if "cluster" in engines else None
        bench = Bench(data, work, models, started, chance)
        for engine in engines:
            bench.undisturbed(engine)
        print(", ".join(f"{engine}: {seconds:.0f} s undisturbed" for engine, seconds in bench.lengths.items()))
        print(ROW.format("", "engine", "victim", "killed", "ended", "runs", "bytes", "how the run ended"), flush=True)
        victims = {engine: turns(VICTIMS[engine], chance) for engine in engines}
        failed = 0
        for number in range(options.kills):
            engine = engines[number % len(engines)]
            kill = bench.kill(engine, next(victims[engine]))
            failed += bool(kill.problems)
            said = "; ".join([*kill.problems, kill.ended])
            same, moments = "same" if kill.same else "OTHER", (f"{kill.moment:.1f} s", f"{kill.seconds:.0f} s")
            print(ROW.format(number + 1, engine, kill.victim, *moments, 1 + kill.reruns, same, said), flush=True)
    print(f"{options.kills} kills, {failed} with problems")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
