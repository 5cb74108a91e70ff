"""What all tests share: real data where it is there, no network, the same random choices in every CI run, and one
undisturbed run to compare with.
"""

import os
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.cluster import cluster
from tests.runs import ROOT, make_models, run_with, succeed, take_part

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
def whole_sample(tmp_path_factory) -> Path:
    """The embedded sample: all seven sources."""
    from pipelines.sample import build_sample

    folder = tmp_path_factory.mktemp("sample") / "whole"
    build_sample(folder)
    return folder


@pytest.fixture(scope="session")
def sample(whole_sample, tmp_path_factory) -> Path:
    """A part of the embedded sample that a run does in seconds."""
    part = tmp_path_factory.mktemp("data")
    take_part(whole_sample, part)
    return part


@pytest.fixture(scope="session")
def models(sample, tmp_path_factory) -> list[str]:
    """Models and tokenizer made once, and the settings that pin them."""
    return make_models(sample, tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def run_arguments(sample, models):
    """The arguments of a run on the sample with everything pinned; a test adds its own folder."""

    def arguments(out: Path, data: Path = sample, *more: str) -> list[str]:
        return run_with(models, data, out, *more)

    return arguments


@pytest.fixture(scope="session")
def reference(repository, run_arguments, tmp_path_factory) -> Path:
    """An undisturbed run."""
    out = tmp_path_factory.mktemp("reference")
    succeed(repository, *run_arguments(out), "--workers", "2")
    return out


@pytest.fixture(scope="session")
def master(tmp_path_factory):
    """The address of a Spark cluster with two workers on this machine."""
    with cluster(tmp_path_factory.mktemp("cluster")) as started:
        yield started.url
