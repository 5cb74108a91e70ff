"""The repeatable task: one split in, one set of files out, and a record.

A task's fingerprint covers its inputs' content, the settings it uses, the code behind it and the packages that code
imports. An attempt writes to scratch and publishes each file by one atomic step under a name that holds the
fingerprint; the record goes last. Two attempts, whoever started them, can therefore only ever write the same bytes to
the same names, and a rerun skips a task whose record still matches.
"""

import importlib
import os
import socket
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import TypeAdapter

from pipelines import store
from pipelines.documents import UnreadableInputError
from pipelines.errors import StoreError
from pipelines.fingerprint import canonical, code_fingerprint, sha256

TASKS = "tasks"
FAILED = ".failed.json"
FINGERPRINT_CHARACTERS = 16
MODEL = "model."  # what the roles of models start with


@dataclass(frozen=True)
class Input:
    """One file, or a range of one, that a task reads. `sha256` is empty until somebody has read the content."""

    path: str
    size: int
    hint: str = ""
    sha256: str = ""
    start: int = 0
    end: int | None = None

    @property
    def memo_key(self) -> str:
        return f"{self.path}|{self.start}|{self.end}|{self.hint}"


@dataclass(frozen=True)
class Task:
    """What a worker needs to know to do one task: tiny, and the same on every runner."""

    stage: str
    key: str  # unique in its stage; names no machine
    body: str  # "module:function", which takes a `Work`
    code: str  # `fingerprint.code_fingerprint` of the body, taken once by whoever planned the task
    inputs: Mapping[str, Input]
    settings: Mapping[str, Any]
    out: str
    memory_mb: int = 0  # where a task is known to need more than the run's limits give
    seconds: int = 0
    previous: "Record | None" = None  # what the last run left for this key, outputs and all

    @property
    def size(self) -> int:
        return sum(i.size for role, i in self.inputs.items() if not role.startswith(MODEL))

    def fingerprint(self) -> str | None:
        """None while the content of an input is unknown."""
        if not all(i.sha256 for i in self.inputs.values()):
            return None
        contents = {role: i.sha256 for role, i in self.inputs.items()}
        text = canonical([self.stage, self.key, self.code, contents, dict(self.settings)])
        return sha256(text)[:FINGERPRINT_CHARACTERS]


@dataclass(frozen=True)
class Output:
    """A file that a task made; `path` is relative to the run's folder."""

    role: str
    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Record:
    """A finished task. `run` (seconds, host, ...) is for people: it is never compared."""

    stage: str
    key: str
    fingerprint: str
    inputs: Mapping[str, Input]
    outputs: tuple[Output, ...]
    counts: Mapping[str, int]
    facts: Mapping[str, Any] = field(default_factory=dict)
    truncated: str | None = None
    run: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ended(self) -> float:
        """When, in seconds since 1970; 0 if the record does not say."""
        ended = self.run.get("ended")
        return ended if isinstance(ended, float) else 0.0

    def output(self, role: str) -> Output:
        return next(o for o in self.outputs if o.role == role)

    def to_json(self) -> bytes:
        return (canonical(asdict(self)) + "\n").encode()

    @classmethod
    def from_json(cls, data: bytes | str) -> "Record":
        """Raises ValueError for what is no record."""
        return _RECORD.validate_json(data)


def total_counts(records: Iterable[Record]) -> Counter[str]:
    """The counts of all records, zeros included (adding Counters leaves them out)."""
    total: Counter[str] = Counter()
    for record in records:
        total.update(record.counts)
    return total


@dataclass(frozen=True)
class Failure:
    """A task that could not be done. Kinds: unreadable (the input), crashed, memory, time, error (ours), space (the
    disk), store (one that cannot be reached).
    """

    stage: str
    key: str
    kind: str
    reason: str
    detail: str = ""
    fingerprint: str | None = None  # of an unreadable input: the same content under the same code would fail again
    inputs: Mapping[str, Input] = field(default_factory=dict)

    def to_json(self) -> bytes:
        return (canonical(asdict(self)) + "\n").encode()

    @classmethod
    def from_json(cls, data: bytes) -> "Failure":
        """Raises ValueError for what is no failure."""
        return _FAILURE.validate_json(data)


_RECORD, _FAILURE = TypeAdapter(Record), TypeAdapter(Failure)


class Work:
    """What a task's body is handed: its inputs as local files, its settings, and places to put what it makes."""

    def __init__(self, task: Task, scratch: Path) -> None:
        self.task = task
        self.settings = task.settings
        self.counts: Counter[str] = Counter()
        self.facts: dict[str, Any] = {}
        self.truncated: str | None = None
        self._scratch = scratch
        self._local: dict[str, Path] = {}
        self._outputs: list[tuple[str, str, str, Path]] = []

    @property
    def scratch(self) -> Path:
        """A local folder that goes when the attempt ends."""
        return self._scratch

    def path(self, role: str) -> Path:
        """The input as a local file. One on a remote store is fetched, only the range that is wanted of it: a model
        once a machine, others once an attempt.
        """
        if role not in self._local:
            source = self.task.inputs[role]
            if store.is_local(source.path):
                self._local[role] = Path(store.filesystem(source.path)[1])
            elif role.startswith(MODEL):
                self._local[role] = _cached_model(source)
            else:
                self._local[role] = self._scratch / f"input-{len(self._local)}-{os.path.basename(source.path)}"
                store.fetch(source.path, self._local[role], source.start, source.end, source.hint)
        return self._local[role]

    @contextmanager
    def open(self, role: str) -> Iterator[BinaryIO]:
        with self.path(role).open("rb") as stream:
            yield stream

    def output(self, role: str, folder: str, extension: str, number: int | None = None) -> Path:
        """A scratch path to write; it is published as `<folder>/<key>[-number]-<fingerprint><extension>`."""
        part = "" if number is None else f"-{number:03d}"
        path = self._scratch / f"{role}{part}{extension}"
        self._outputs.append((role, f"{folder}/{self.task.key}{part}", extension, path))
        return path

    def publish(self, fingerprint: str) -> tuple[Output, ...]:
        published = []
        for role, start, extension, path in self._outputs:
            name = f"{start}-{fingerprint}{extension}"
            output = Output(role, name, path.stat().st_size, store.sha256_file(path))
            store.publish(path, store.join(self.task.out, name))
            published.append(output)
        return tuple(published)


def _cached_model(source: Input) -> Path:
    folder = Path(tempfile.gettempdir()) / f"altiplano-models-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.lstat().st_uid != os.getuid():  # models that someone else put there could run in this process
        raise StoreError(f"{folder}: it belongs to another user; remove it, or set TMPDIR to another folder")
    target = folder / source.sha256
    if not target.exists():
        partial = target.with_suffix(f".{os.getpid()}")
        store.fetch(source.path, partial)
        if store.sha256_file(partial) != source.sha256:
            partial.unlink()
            raise StoreError(f"{source.path}: it has changed since the run was planned; run the same command again")
        os.replace(partial, target)
    return target


def write_failure(task: Task, failure: Failure) -> None:
    """Leave word of a task that could not be done, where the run and its progress will find it."""
    store.write_bytes(task.out, f"{TASKS}/{task.stage}/{task.key}{FAILED}", failure.to_json())


def _with_contents(task: Task, work: Work) -> Task:
    """The task with the sha256 of every input, taken from the bytes that are about to be read."""
    inputs = {}
    for role, source in task.inputs.items():
        if not source.sha256:
            try:
                content = store.sha256_file(work.path(role), source.start, source.end)
            except FileNotFoundError:
                raise UnreadableInputError("the file is gone since the run was planned") from None
            except OSError as error:
                if not store.is_local(source.path):  # a store that fails, or the disk of a copy: no fault of the file
                    raise
                raise UnreadableInputError(f"it cannot be read: {error.strerror or error}") from None
            source = replace(source, sha256=content)
        inputs[role] = source
    return replace(task, inputs=inputs)


def load(name: str) -> Callable[..., Any]:
    """The function that "module:function" names."""
    module, _, function = name.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found


def perform(task: Task, body: Callable[[Work], None], attempt: int = 1) -> Failure | None:
    """Run `body` for a task, publish what it made, and leave the record; or say that its input cannot be read."""
    started, cpu = time.time(), time.process_time()
    with store.scratch(task.out) as scratch:
        work = Work(task, scratch)
        task = work.task = _with_contents(task, work)
        fingerprint = task.fingerprint()
        assert fingerprint is not None
        if task.previous and task.previous.fingerprint == fingerprint:  # the same content under a new time stamp
            record = replace(task.previous, inputs=task.inputs)
        else:
            try:
                body(work)
            except UnreadableInputError as error:
                return Failure(
                    task.stage, task.key, "unreadable", str(error), fingerprint=fingerprint, inputs=task.inputs
                )
            record = Record(
                stage=task.stage,
                key=task.key,
                fingerprint=fingerprint,
                inputs=task.inputs,
                outputs=work.publish(fingerprint),
                counts=dict(sorted(work.counts.items())),
                facts=work.facts,
                truncated=work.truncated,
            )
        run = {
            "started": started,
            "ended": time.time(),
            "cpu_seconds": time.process_time() - cpu,
            "attempt": attempt,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "peak_mb": _peak_mb(),
        }
        name = f"{TASKS}/{task.stage}/{task.key}-{fingerprint}.json"
        store.write_bytes(task.out, name, replace(record, run=run).to_json())
    return None


def _peak_mb() -> int | None:
    """The most memory that this process ever held; its own, where `getrusage` starts from its parent's."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    return int(status.partition("VmHWM:")[2].split()[0]) >> 10


def execute(task: Task, attempt: int = 1) -> Failure | None:
    """Do one task and leave its record, or say why it cannot be done. Never raises for a task's own troubles."""
    try:
        body = load(task.body)
        if code_fingerprint(task.body) != task.code:
            return Failure(task.stage, task.key, "error", "the code was changed while the run went on: run it again")
        return perform(task, body, attempt)
    except UnreadableInputError as error:
        return Failure(task.stage, task.key, "unreadable", str(error))
    except StoreError as error:
        return Failure(task.stage, task.key, "store", str(error))
    except MemoryError:
        return Failure(task.stage, task.key, "memory", "it ran out of memory")
    except Exception as error:
        full = isinstance(error, OSError) and error.errno in store.DISK_FULL
        kind = "space" if full else "error"
        return Failure(task.stage, task.key, kind, _one_line(error), traceback.format_exc())


def _one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:300]
