"""A pool of child processes for tasks: a child that dies, hangs or eats memory fails one task, and nothing else.

Why not a library: loky gives up all tasks when one child dies, and pebble's children share a channel, so that it cannot
say which child runs which task (needed for a memory limit) and breaks when an idle child is killed. Here each child has
a pipe and a thread of its own, which knows what its child is doing. Children are spawned, never forked: gRPC's threads
do not survive a fork.
"""

import atexit
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import suppress
from multiprocessing.connection import Connection, wait

import psutil

from pipelines import store
from pipelines.engine import Limits
from pipelines.processes import die_with_parent
from pipelines.tasks import Failure, Task, execute, write_failure

ATTEMPTS = 3
STARTS = 20  # a child killed before it held the task says nothing about the task
START_SECONDS = 300  # for a child to start on a busy machine
BEGUN = "begun"
WATCH_SECONDS = 0.1

_context = multiprocessing.get_context("spawn")


class _ChildDied(Exception):
    """The child ended without an answer: a crash in native code, or a kill. `begun`: with the task in hand."""

    def __init__(self, exit_code: int | None, begun: bool) -> None:
        super().__init__(f"exit code {exit_code}")
        self.begun = begun


def _serve(pipe: Connection, parent: int) -> None:
    """The child: it ends with its parent, also when that is killed."""
    os.setsid()  # so that programs which a task starts can be ended with it, and ctrl-C stays with the parent
    die_with_parent()
    if os.getppid() != parent:
        return
    while True:
        try:
            task, attempt = pipe.recv()
        except EOFError:
            return
        pipe.send(BEGUN)
        pipe.send(execute(task, attempt))


class _Child:
    def __init__(self) -> None:
        self._pipe, theirs = _context.Pipe()
        self._process = _context.Process(target=_serve, args=(theirs, os.getpid()), daemon=True)
        self._process.start()
        theirs.close()
        self._usage = psutil.Process(self._process.pid)

    def run(self, task: Task, attempt: int, limits: Limits) -> Failure | None:
        """Have the child do a task. Raises _ChildDied."""
        memory_bytes = max(limits.memory_mb, task.memory_mb) << 20
        seconds = max(limits.seconds, task.seconds)
        deadline, begun = time.monotonic() + START_SECONDS + seconds, False
        try:
            self._pipe.send((task, attempt))
            while True:
                if self._pipe in wait([self._pipe, self._process.sentinel], timeout=WATCH_SECONDS):
                    answer = self._pipe.recv()
                    if answer != BEGUN:
                        assert answer is None or isinstance(answer, Failure)
                        return answer
                    begun, deadline = True, time.monotonic() + seconds
                elif not self._process.is_alive():
                    raise EOFError
                if self._memory_bytes() > memory_bytes:
                    return self._give_up(task, "memory", f"its process used more than {memory_bytes >> 20} MB")
                if time.monotonic() > deadline:
                    return self._give_up(task, "time", f"it ran for more than {seconds} s")
        except (EOFError, OSError):
            self._ended()
            raise _ChildDied(self._process.exitcode, begun) from None

    def _give_up(self, task: Task, kind: str, reason: str) -> Failure:
        self.stop()
        return Failure(task.stage, task.key, kind, reason)

    def _memory_bytes(self) -> int:
        """Resident memory of the child's own; pages of a mapped model, which the kernel can drop, do not count."""
        try:
            usage = self._usage.memory_info()
            return int(usage.rss) - int(getattr(usage, "shared", 0))
        except psutil.Error:
            return 0

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    def stop(self) -> None:
        with suppress(ProcessLookupError, PermissionError):  # it may not have its own group yet, or be gone
            os.killpg(self._process.pid or 0, signal.SIGKILL)
        self._process.kill()
        self._ended()
        self._pipe.close()

    def _ended(self) -> None:
        self._process.join()
        store.clear_scratch_of(self._process.pid or 0)


class Pool:
    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._threads = ThreadPoolExecutor(limits.workers or available_cores(), thread_name_prefix="child")
        self._own = threading.local()
        self._children: list[_Child] = []
        self._closed = False

    def schedule(self, task: Task) -> "Future[None]":
        return self._threads.submit(self._run, task)

    def _run(self, task: Task) -> None:
        """Do a task in this thread's child; give one whose child died another child, and write down what cannot be
        done.
        """
        attempt, failure = 1, None
        for _ in range(STARTS):
            if self._closed:
                return
            try:
                failure = self._child().run(task, attempt, self._limits)
                break
            except _ChildDied as died:
                failure = Failure(
                    task.stage, task.key, "crashed", f"its process died {attempt} times, the last with {died}"
                )
                attempt += died.begun
                if attempt > ATTEMPTS:
                    break
        if failure and not self._closed:
            write_failure(task, failure)

    def _child(self) -> _Child:
        child: _Child | None = getattr(self._own, "child", None)
        if child is None or not child.alive:
            child = self._own.child = _Child()
            self._children.append(child)
        return child

    def close(self) -> None:
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        for child in self._children:
            if child.alive:
                child.stop()


def available_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def collect(futures: "Iterable[Future[None]]") -> None:
    """Wait for scheduled tasks. Raises OSError where not even a failure can be written: the disk is full."""
    for future in as_completed(futures):
        future.result()


_pools: dict[Limits, Pool] = {}
_lock = threading.Lock()


def shared_pool(limits: Limits) -> Pool:
    """This process's pool, started at its first use: children and the models they have loaded serve every bundle."""
    with _lock:
        if limits not in _pools:
            _pools[limits] = Pool(limits)
        return _pools[limits]


@atexit.register
def close_pools() -> None:
    with _lock:
        while _pools:
            _pools.popitem()[1].close()
