"""Real stores on loopback, moto and an emulator of Google's; each also by a proxy that fails one request in ten."""

import importlib.util
import logging
import os
import socket
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import fsspec
import pytest

from tests.stores.servers import ONE_IN_FIFTY, ONE_IN_TEN, Proxy

NEEDED = {"s3": ("s3fs", "moto.server", "flask"), "gs": ("gcsfs", "gcp_storage_emulator")}
FAULTS = {"s3": ONE_IN_TEN, "gs": ONE_IN_FIFTY}  # gcsfs waits for seconds after each


class Store(NamedTuple):
    """A bucket on a store, how to reach it, and the same by way of a proxy that fails some requests."""

    bucket: str  # as s3://bucket
    environment: dict[str, str]
    faulty: dict[str, str]
    proxy: Proxy


@pytest.fixture(scope="session", params=["s3", "gs"])
def remote(request: pytest.FixtureRequest) -> Iterator[Store]:
    """A store with an empty bucket."""
    missing = [m for m in NEEDED[request.param] if not _installed(m)]
    if missing:
        (pytest.fail if "CI" in os.environ else pytest.skip)(f"not installed: {', '.join(missing)}")
    stop, port, variable = _s3() if request.param == "s3" else _gs()
    fixed = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    fixed |= {"FSSPEC_GS_TOKEN": "anon"}
    try:
        with pytest.MonkeyPatch.context() as patch, Proxy(port, FAULTS[request.param]) as proxy:
            environment = {**fixed, variable: f"http://127.0.0.1:{port}"}
            for name, value in environment.items():
                patch.setenv(name, value)
            patch.setitem(fsspec.config.conf, "gs", {"token": "anon"})  # it reads the environment once, when imported
            fsspec.filesystem(request.param).mkdir("altiplano")
            yield Store(f"{request.param}://altiplano", environment, {**fixed, variable: proxy.url}, proxy)
    finally:
        stop()


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _s3() -> tuple[Any, int, str]:
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    port = server.get_host_and_port()[1]
    _wait_for(port)
    return server.stop, port, "AWS_ENDPOINT_URL"


def _wait_for(port: int) -> None:
    """It says that it is ready a little too early."""
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def _gs() -> tuple[Any, int, str]:
    from gcp_storage_emulator.server import create_server
    from gcsfs.core import GCSFileSystem

    fsspec.register_implementation("gs", GCSFileSystem, clobber=True)  # as that variable does, if it comes in time
    server = create_server("127.0.0.1", 0, in_memory=True)
    server.start()
    return server.stop, server._api._httpd.server_port, "STORAGE_EMULATOR_HOST"
