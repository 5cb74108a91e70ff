"""A standalone Spark cluster on this machine: a master and two workers of one core each, as a user starts them."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipelines import spark
from pipelines.processes import ends_with_parent

NODE = Path(__file__).parent.parent / "deploy" / "spark" / "node"
START_SECONDS = 120
os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")  # Javas that live for seconds

ready = (spark.HOME / "jars").is_dir() and shutil.which("java")
needs_spark = pytest.mark.skipif(
    not ready and "CI" not in os.environ, reason="Spark is not set up: `make spark` does it"
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port: int = probe.getsockname()[1]
        return port


class Cluster:
    """Its nodes are child processes; logs and scratch are under `folder`."""

    def __init__(self, folder: Path) -> None:
        self.url = f"spark://localhost:{free_port()}"
        self.nodes: list[subprocess.Popen[bytes]] = []
        self._folder = folder
        self._environment = {
            **os.environ,
            "SPARK_MASTER_HOST": "localhost",
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_WORKER_CORES": "1",
            "SPARK_WORKER_MEMORY": "2g",
            "SPARK_LOCAL_DIRS": str(folder / "local"),
            "SPARK_WORKER_DIR": str(folder / "work"),
        }

    def start_master(self) -> None:
        self._start("I have been elected leader", "master", self.url.rpartition(":")[2])

    def start_worker(self) -> None:
        self._start("Successfully registered with master", "worker", self.url)

    def _start(self, sign: str, *arguments: str) -> None:
        log = self._folder / f"node-{len(self.nodes)}.log"
        with log.open("wb") as stream:
            command = ends_with_parent([str(NODE), *arguments])
            self.nodes.append(subprocess.Popen(command, env=self._environment, stdout=stream, stderr=stream))
        deadline = time.monotonic() + START_SECONDS
        while sign not in log.read_text(errors="replace"):
            assert time.monotonic() < deadline, log.read_text(errors="replace")[-2000:]
            time.sleep(0.2)

    def executor_logs(self) -> list[str]:
        return [path.read_text(errors="replace") for path in (self._folder / "work").glob("*/*/stderr")]

    def stop(self) -> None:
        for node in self.nodes:
            node.kill()
            node.wait()


@contextmanager
def cluster(folder: Path, workers: int = 2) -> Iterator[Cluster]:
    """A cluster while the block runs."""
    started = Cluster(folder)
    try:
        started.start_master()
        for _ in range(workers):
            started.start_worker()
        yield started
    finally:
        started.stop()
