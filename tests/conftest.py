"""What all tests share: real data where it is there, no network, the same random choices in every CI run, and one
undisturbed run to compare with.
"""

import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.cluster import Cluster, cluster
from tests.runs import ROOT, make_models, pin_models, run_with, succeed, take_part

# A slow machine is no failure, so examples have no deadline; pytest's timeout ends what hangs.
settings.register_profile("altiplano", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("altiplano")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are numbered: gzip's hold the time, and processes that share the tests must give them the same names."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder this project is in."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real files, no part of the project: `ALTIPLANO_DATA`, or `shared/data` beside the repository."""
    folder = Path(os.environ.get("ALTIPLANO_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real files at {folder}: set ALTIPLANO_DATA to their folder")
    return folder


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Any:
    """Tests reach this machine and no other."""
    connect = socket.socket.connect

    def local_only(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in {"127.0.0.1", "::1", "localhost"}:
            pytest.fail(f"a test connects to {address[0]}: tests use no network")
        connect(self, address)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", local_only)
    yield
    patch.undo()


@pytest.fixture(scope="session")
def once(tmp_path_factory) -> Callable[[str, Callable[[Path], object]], Path]:
    """A folder that is made once for all processes that share the tests."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def folder(name: str, make: Callable[[Path], object]) -> Path:
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (shared / name).exists():
                make(shared / f"{name}.part")
                (shared / f"{name}.part").rename(shared / name)
        return shared / name

    return folder


@pytest.fixture(scope="session")
def whole_sample(once) -> Path:
    """The embedded sample: all seven sources."""
    from pipelines.sample import build_sample

    return once("sample", build_sample)


@pytest.fixture(scope="session")
def sample(whole_sample, once) -> Path:
    """A part of the embedded sample that a run does in seconds."""
    return once("data", lambda part: take_part(whole_sample, part))


@pytest.fixture(scope="session")
def models(sample, once) -> list[str]:
    """Models and tokenizer made once, and the settings that pin them."""
    return pin_models(once("models", lambda folder: make_models(sample, folder)))


@pytest.fixture(scope="session")
def run_arguments(sample, models):
    """The arguments of a run on the sample with everything pinned; a test adds its own folder."""

    def arguments(out: Path, data: Path = sample, *more: str) -> list[str]:
        return run_with(models, data, out, *more)

    return arguments


@pytest.fixture(scope="session")
def reference(repository, run_arguments, once) -> Path:
    """An undisturbed run."""
    return once("reference", lambda out: succeed(repository, *run_arguments(out), "--workers", "2"))


@pytest.fixture(scope="session")
def spark_cluster(tmp_path_factory) -> Iterator[Cluster]:
    """A Spark cluster with two workers on this machine."""
    with cluster(tmp_path_factory.mktemp("cluster")) as started:
        yield started


@pytest.fixture(scope="session")
def master(spark_cluster) -> str:
    """The address of the cluster."""
    return spark_cluster.url
