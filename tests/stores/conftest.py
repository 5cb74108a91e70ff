"""Real stores on loopback, moto and an emulator of Google's; each also by a proxy that fails requests now and then."""

import importlib.util
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
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


@pytest.fixture(scope="session")
def stores() -> Iterator[Callable[[str], Store]]:
    """Stores by their schemes, each started once: its clients and its files stay in this process."""
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        yield cache(lambda scheme: _start(scheme, stack, patch))


@pytest.fixture(params=["s3", "gs"])
def remote(request: pytest.FixtureRequest, stores: Callable[[str], Store]) -> Store:
    """A store with a bucket."""
    missing = [m for m in NEEDED[request.param] if not _installed(m)]
    if missing:
        (pytest.fail if "CI" in os.environ else pytest.skip)(f"not installed: {', '.join(missing)}")
    return stores(request.param)


def _start(scheme: str, stack: ExitStack, patch: pytest.MonkeyPatch) -> Store:
    stop, port, variable = _s3() if scheme == "s3" else _gs()
    stack.callback(stop)
    stack.enter_context(proxy := Proxy(port, FAULTS[scheme]))
    fixed = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    fixed |= {"FSSPEC_GS_TOKEN": "anon"}
    environment = {**fixed, variable: f"http://127.0.0.1:{port}"}
    for name, value in environment.items():
        patch.setenv(name, value)
    patch.setitem(fsspec.config.conf, "gs", {"token": "anon"})  # it reads the environment once, when imported
    fsspec.filesystem(scheme).mkdir("altiplano")
    return Store(f"{scheme}://altiplano", environment, {**fixed, variable: proxy.url}, proxy)


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
    return server.stop, server.get_host_and_port()[1], "AWS_ENDPOINT_URL"


def _gs() -> tuple[Any, int, str]:
    from gcp_storage_emulator.server import create_server
    from gcsfs.core import GCSFileSystem

    fsspec.register_implementation("gs", GCSFileSystem, clobber=True)  # as that variable does, if it comes in time
    server = create_server("127.0.0.1", 0, in_memory=True)
    server.start()
    return server.stop, server._api._httpd.server_port, "STORAGE_EMULATOR_HOST"
