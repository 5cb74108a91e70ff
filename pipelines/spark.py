"""Spark as the engine: the job server that turns Beam jobs into Spark ones, started and stopped with the run.

With no master it is embedded: Spark runs inside the job server, and Python in this process and its pool of children. On
a cluster every executor starts one `pipelines.worker`, which keeps a pool of its own.
"""

import argparse
import atexit
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pipelines.errors import RunError, UserError
from pipelines.processes import ends_with_parent

HOME = Path(sys.prefix) / "share" / "altiplano" / "spark"  # what deploy/spark/setup.sh fills
DEPLOY = Path(__file__).parent.parent / "deploy" / "spark"
WORKER = str(DEPLOY / "worker")
START_SECONDS = 60
ELEMENTS_A_PARTITION = 8  # Spark retries whole partitions
WATCH_SECONDS = 0.5
WORKER_CACHE_MS = 3_600_000

# What Spark needs on Java 17; its own launcher gives the same list.
_OPENS = (
    "java.lang java.lang.invoke java.lang.reflect java.io java.net java.nio java.util java.util.concurrent "
    "java.util.concurrent.atomic jdk.internal.ref sun.nio.ch sun.nio.cs sun.security.action sun.util.calendar"
)
JAVA_FLAGS = tuple(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENS.split())

_STARTED = re.compile(r"JobService started on \S*:(\d+)")
_WAITING = "Initial job has not accepted any resources"
_RUNNING = "TaskSetManager: Starting task"
_GIVEN_UP = {
    "All masters are unresponsive": "the Spark master {master} does not answer",
    "Master removed our application": "the Spark master {master} gave the job up: its executors do not start",
}


@dataclass(frozen=True)
class Settings:
    """How to reach Spark. `master` is empty for Spark inside this run; `properties` are Spark's own."""

    master: str = ""
    properties: tuple[str, ...] = ()
    worker: str = WORKER
    start_seconds: int = START_SECONDS

    @classmethod
    def parse(cls, options: Sequence[str]) -> tuple["Settings", list[str]]:
        """The settings among a runner's options, and the other options. Raises UserError."""
        parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
        parser.add_argument("--master", default="")
        parser.add_argument("--conf", action="append", default=[])
        parser.add_argument("--worker-command", default=WORKER)
        parser.add_argument("--start-timeout", type=int, default=START_SECONDS)
        try:
            found, others = parser.parse_known_args(list(options))
        except argparse.ArgumentError as error:
            raise UserError(str(error)) from None
        for one in found.conf:
            if not re.fullmatch(r"spark\.[^=\s]+=.*", one):
                raise UserError(f"--conf {one}: a Spark property is given as --conf spark.executor.memory=4g")
        return cls(found.master, tuple(found.conf), found.worker_command, found.start_timeout), others

    @property
    def embedded(self) -> bool:
        return not self.master or self.master.startswith("local")


class JobServer:
    """A Java process that ends with this one. Raises RunError, in one line, where it cannot start."""

    def __init__(self, settings: Settings, workers: int, parallelism: int) -> None:
        self.settings, self.parallelism = settings, parallelism
        self.reason = ""  # why it was stopped before its time
        self._folder = Path(tempfile.mkdtemp(prefix="altiplano-spark-"))
        self._master = settings.master or f"local[{workers}]"
        self.log = self._folder / "log"
        properties = {"spark.ui.enabled": "false", "spark.default.parallelism": str(parallelism)}
        properties["log4j2.configurationFile"] = str(DEPLOY / "log4j2.properties")
        if settings.embedded:
            properties["spark.driver.bindAddress"] = properties["spark.driver.host"] = "localhost"
        else:  # an executor whose Python worker died fails at once whatever it is given: others are to take it
            properties["spark.excludeOnFailure.enabled"] = "true"
            properties["spark.scheduler.excludeOnFailure.unschedulableTaskSetTimeout"] = "15s"
        properties |= dict(p.split("=", 1) for p in settings.properties)
        memory = properties.get("spark.driver.memory", "2g")
        command = ["java", f"-Xmx{memory}", *JAVA_FLAGS, *(f"-D{name}={value}" for name, value in properties.items())]
        command += ["-cp", f"{HOME}/jars/*", "org.apache.beam.runners.spark.SparkJobServerDriver"]
        command += [f"--spark-master-url={self._master}", "--job-port=0", "--artifact-port=0", "--expansion-port=-1"]
        command += [f"--artifacts-dir={self._folder / 'artifacts'}"]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                ends_with_parent(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "SPARK_HOME": str(HOME)},
                start_new_session=True,  # ctrl-C is for the run, which stops it in order
            )
        self.endpoint = f"localhost:{self._port()}"
        threading.Thread(target=self._watch, daemon=True).start()

    def _port(self) -> str:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.alive:
            if found := _STARTED.search(self.log.read_text(errors="replace")):
                return found[1]
            time.sleep(0.1)
        self._process.kill()
        raise RunError(f"Spark's job server did not start: {self._last_line()} (log: {self.log})")

    def _watch(self) -> None:
        """Stop what would wait for ever, and say why: a job whose server is gone ends at once."""
        waiting_since: float | None = None
        with self.log.open(errors="replace") as log:
            while self.alive:
                while line := log.readline():
                    for sign, reason in _GIVEN_UP.items():
                        if sign in line:
                            self._give_up(reason.format(master=self._master))
                    if _WAITING in line:
                        waiting_since = waiting_since or time.monotonic()
                    elif _RUNNING in line:
                        waiting_since = None
                # Spark says so every 15 s, the first time after 15
                if waiting_since and time.monotonic() - waiting_since > self.settings.start_seconds - 15:
                    self._give_up(
                        f"the Spark master {self._master} has no free executors after {self.settings.start_seconds} s: "
                        "start workers, or wait longer with --start-timeout"
                    )
                time.sleep(WATCH_SECONDS)

    def _give_up(self, reason: str) -> None:
        self.reason = self.reason or reason
        self._process.kill()

    def _last_line(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        return next((line for line in lines if "Exception" in line or "rror" in line), lines[-1] if lines else "")[:300]

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def explain(self) -> str | None:
        """Why jobs fail because of the server, or None where it lives."""
        with_log = f" (log: {self.log})"
        if self.reason:
            return self.reason + with_log
        if not self.alive:
            return f"Spark's job server ended with exit code {self._process.returncode}" + with_log
        return None

    def stop(self, keep_log: bool = False) -> None:
        self._process.kill()
        self._process.wait()
        if not keep_log:
            shutil.rmtree(self._folder, ignore_errors=True)


def check(options: Sequence[str]) -> tuple[Settings, list[str]]:
    """What the options say of Spark, and those that are Beam's own.

    Raises UserError for what can be known to be wrong or missing before anything starts.
    """
    settings, others = Settings.parse(options)
    if not (HOME / "jars").is_dir():
        raise UserError("Spark is not set up: run `make spark` once")
    if not shutil.which("java"):
        raise UserError("java is not on PATH: Spark needs Java 17, which `make spark` installs")
    if not settings.embedded:
        for host, port in _masters(settings.master):
            try:
                socket.create_connection((host, port), timeout=10).close()
            except OSError as error:
                raise UserError(f"--master {settings.master}: nothing answers at {host}:{port} ({error})") from None
    return settings, others


def _masters(url: str) -> Iterator[tuple[str, int]]:
    """The addresses of a standalone cluster's masters; others are found in other ways."""
    if not re.match(r"(spark|k8s)://|yarn$|local", url):
        raise UserError(f"--master {url}: spark://HOST:PORT, yarn, k8s://URL or local[N] is expected")
    if url.startswith("spark://"):
        for address in url.removeprefix("spark://").split(","):
            parts = urlsplit(f"//{address}")
            yield parts.hostname or "", parts.port or 7077


_server: JobServer | None = None


@contextmanager
def job_server(options: Sequence[str], workers: int, elements: int) -> Iterator[list[str]]:
    """Beam options for a job of `elements` elements on this process's job server. Raises RunError, in one line, where
    the job failed because of the server.
    """
    global _server
    settings, others = check(options)
    partitions = max(2 * workers, -(-elements // ELEMENTS_A_PARTITION))
    parallelism = 1 << (partitions - 1).bit_length()  # a power of two, so that few jobs need another server
    if _server is None or not _server.alive or (_server.settings, _server.parallelism) != (settings, parallelism):
        stop()
        threading.excepthook = _quiet
        _server = JobServer(settings, workers, parallelism)
    flags = ["--runner=PortableRunner", f"--job_endpoint={_server.endpoint}", *others]
    # else every executor fetches the whole class path, which it has, for each job, and starts a worker for each step
    flags += [f"--files_to_stage={DEPLOY / 'log4j2.properties'}", f"--environment_cache_millis={WORKER_CACHE_MS}"]
    if settings.embedded:
        flags.append("--environment_type=LOOPBACK")
    elif not any(o.startswith("--environment_type") for o in others):
        flags += ["--environment_type=PROCESS", f"--environment_config={json.dumps({'command': settings.worker})}"]
    try:
        yield flags
    except Exception as error:
        time.sleep(2 * WATCH_SECONDS)  # the job may be the first to notice that its server dies
        if reason := _server.explain():
            raise RunError(reason) from error
        raise


def _quiet(arguments: threading.ExceptHookArgs) -> None:
    """Beam's threads die noisily when the job server goes, at the end of a job or of the run."""
    if "grpc" not in arguments.exc_type.__module__:
        threading.__excepthook__(arguments)


@atexit.register
def stop() -> None:
    """Stop the job server of this process; its log stays where it was given up."""
    global _server
    if _server:
        _server.stop(keep_log=_server.explain() is not None)
    _server = None
