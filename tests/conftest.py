"""What all tests share: real data where it is there, no network, and the same random choices in every CI run."""

import os
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]

# A slow machine is no failure, so examples have no deadline; pytest's timeout ends what hangs.
settings.register_profile("altiplano", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("altiplano")


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
