"""One run a folder: a second one is refused.

The lock spares two runs each other's work. It is not what keeps results right: whoever publishes a file under a task's
fingerprint publishes the same bytes.
"""

import fcntl
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from pipelines import store
from pipelines.errors import StoreError, UserError
from pipelines.fingerprint import canonical
from pipelines.tasks import TASKS

LOCK = f"{TASKS}/lock.json"
HEARTBEAT_SECONDS = 10
STALE_SECONDS = 6 * HEARTBEAT_SECONDS  # a store may take some tries for a beat
SETTLE_SECONDS = 2  # longer than it takes to write one small file


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
        except FileNotFoundError:
            raise UserError(f"{out}: there is no such bucket; make it first") from None
        except StoreError as error:
            raise UserError(str(error)) from None
        store.clear_scratch(out)
        yield


def is_locked(out: str) -> bool:
    """Whether a run holds the folder now."""
    if not store.is_local(out):
        other = _read(out)
        return other is not None and _age(other) < STALE_SECONDS
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
    me, stop = {"run": uuid.uuid4().hex, "host": socket.gethostname(), "pid": os.getpid()}, threading.Event()

    def beat() -> bytes:
        return canonical({**me, "beat": time.time()}).encode()

    def keep_beating() -> None:
        while not stop.wait(HEARTBEAT_SECONDS):
            with suppress(OSError):  # the next one may be heard
                store.write_bytes(out, LOCK, beat())

    if other := _read(out):
        _refuse_unless_dead(out, other)
        store.write_bytes(out, LOCK, beat())
        time.sleep(SETTLE_SECONDS)  # of several that found it dead the last to write holds it
    else:
        store.create_bytes(out, LOCK, beat())
    if (other := _read(out)) and other["run"] != me["run"]:
        _refuse_unless_dead(out, other)
    thread = threading.Thread(target=keep_beating, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        with suppress(OSError):  # it is dead soon
            store.remove(store.join(out, LOCK))


def _refuse_unless_dead(out: str, other: dict[str, Any]) -> None:
    if (age := _age(other)) < STALE_SECONDS:
        raise UserError(
            f"{out}: another run holds this folder (process {other['pid']} on {other['host']}, {age:.0f} s ago); "
            f"wait for it, or {STALE_SECONDS} s after it died"
        )


def _read(out: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(store.read_bytes(store.join(out, LOCK)))
    except FileNotFoundError:
        return None
    except ValueError:  # a disk's, copied with its run
        return {"run": "", "host": "", "pid": 0, "beat": 0.0}
    return found


def _age(beaten: dict[str, Any]) -> float:
    return time.time() - float(beaten["beat"])
