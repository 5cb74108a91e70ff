"""One run a folder: a second one is refused."""

import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pipelines import store
from pipelines.errors import UserError
from pipelines.fingerprint import canonical
from pipelines.tasks import TASKS

LOCK = f"{TASKS}/lock.json"
HEARTBEAT_SECONDS = 10
STALE_SECONDS = 3 * HEARTBEAT_SECONDS


@contextmanager
def locked(out: str) -> Iterator[None]:
    """Hold a run's folder. Raises UserError where another run holds it, or it cannot be written."""
    with ExitStack() as held:
        try:
            held.enter_context(_file_lock(out) if store.is_local(out) else _heartbeat(out))
        except PermissionError:
            raise UserError(f"{out}: no permission to write there") from None
        except NotADirectoryError:
            raise UserError(f"{out}: not a folder") from None
        store.clear_scratch(out)
        yield


def is_locked(out: str) -> bool:
    """Whether a run holds the folder now."""
    if not store.is_local(out):
        return store.exists(store.join(out, LOCK)) and _age(_read(out)) < STALE_SECONDS
    try:
        with _path(out).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _path(out: str) -> Path:
    return Path(store.filesystem(store.join(out, LOCK))[1])


@contextmanager
def _file_lock(out: str) -> Iterator[None]:
    """Locally the kernel holds the lock, and lets go of it the moment the run dies."""
    path = _path(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise UserError(f"{out}: another run holds this folder ({file.read()}); wait for it, or stop it") from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        yield


@contextmanager
def _heartbeat(out: str) -> Iterator[None]:
    """On a store a beating file stands for the run; one that has not beaten for a while is dead."""
    path = store.join(out, LOCK)
    if store.exists(path) and (age := _age(other := _read(out))) < STALE_SECONDS:
        raise UserError(
            f"{out}: another run holds this folder (process {other['pid']} on {other['host']}, {age:.0f} s ago); "
            f"wait for it, or {STALE_SECONDS} s after it died"
        )
    stop = threading.Event()

    def beat() -> None:
        me = {"host": socket.gethostname(), "pid": os.getpid(), "beat": time.time()}
        store.write_bytes(out, LOCK, canonical(me).encode())

    def keep_beating() -> None:
        while not stop.wait(HEARTBEAT_SECONDS):
            beat()

    beat()
    thread = threading.Thread(target=keep_beating, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        store.remove(path)


def _read(out: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(store.read_bytes(store.join(out, LOCK)))
    return found


def _age(beaten: dict[str, str]) -> float:
    return time.time() - float(beaten["beat"])
