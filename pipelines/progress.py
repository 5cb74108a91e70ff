"""A live view of a run, read from the records as they appear: the same on every runner, and from any other terminal
(`watch`).
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from pipelines import store
from pipelines.fingerprint import canonical
from pipelines.lock import is_locked
from pipelines.tasks import FAILED, MODEL, TASKS, Record

STATE = "state.json"
POLL_SECONDS = 0.5
READERS = 32
PLAIN_SECONDS = 5.0


@dataclass
class StageState:
    """How far a stage is. `bytes` are raw bytes in; `skipped` tasks were done by an earlier run."""

    name: str
    tasks: int
    bytes: int
    done: int = 0
    skipped: int = 0
    failed: int = 0
    bytes_done: int = 0
    started: float = 0.0
    ended: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def finished(self) -> bool:
        return self.ended > 0

    def add(self, record: Record) -> None:
        if record.ended < self.started:  # left by an earlier run that was killed
            return
        self.done += 1
        self.bytes_done += sum(i.size for role, i in record.inputs.items() if not role.startswith(MODEL))
        self.counts.update(
            {k: n for k, n in record.counts.items() if k in ("kept", "read", "tokens", "documents", "keys", "removed")}
        )

    def eta(self, now: float) -> float | None:
        """Seconds left, from the rate of this run's own tasks; None while nothing is known."""
        left = self.tasks - self.done - self.skipped - self.failed
        if not self.started or not self.done or left <= 0:
            return None
        share = self.bytes_done / self.bytes if self.bytes else self.done / self.tasks
        return (now - self.started) * (1 - share) / share if 0 < share < 1 else None

    def describe(self) -> str:
        c = self.counts
        parts = []
        if c["read"]:
            parts.append(f"kept {c['kept']:,} dropped {c['read'] - c['kept']:,}")
        if c["tokens"]:
            parts.append(f"{c['tokens']:,} tokens")
        if c["keys"]:
            parts.append(f"{c['removed']:,} of {c['keys']:,} keys repeated")
        if self.skipped:
            parts.append(f"{self.skipped} done before")
        if self.failed:
            parts.append(f"{self.failed} failed")
        return ", ".join(parts)


def clock(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


class View:
    """Draws stage states: bars on a terminal, a plain line a stage every few seconds elsewhere."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._bars: Progress | None = None
        self._ids: dict[str, TaskID] = {}
        self._last: dict[str, tuple[float, str]] = {}
        if self._console.is_terminal:
            self._bars = Progress(
                TextColumn("{task.description:<22}"),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.fields[eta]:>12}"),
                TextColumn("{task.fields[said]}"),
                console=self._console,
                refresh_per_second=4,
            )
            self._bars.start()

    def draw(self, states: Iterable[StageState]) -> None:
        for state in states:
            eta = state.eta(time.time())
            left = f"ETA {clock(eta)}" if eta is not None else ""
            if self._bars:
                self._draw_bar(self._bars, state, left)
            elif state.started:
                self._draw_line(state, left)

    def _draw_bar(self, bars: Progress, state: StageState, left: str) -> None:
        if state.name not in self._ids:
            self._ids[state.name] = bars.add_task(state.name, start=False, total=state.tasks, eta="", said="")
        bar = self._ids[state.name]
        if state.started:
            bars.start_task(bar)
        bars.update(bar, total=state.tasks, completed=state.done + state.skipped, eta=left, said=state.describe())
        if state.finished:
            bars.stop_task(bar)

    def _draw_line(self, state: StageState, left: str) -> None:
        text = f"{state.name:<22} {state.done + state.skipped}/{state.tasks} tasks"
        text = " ".join(part for part in (text, state.describe(), "done" if state.finished else left) if part)
        when, before = self._last.get(state.name, (0.0, ""))
        if text != before and (state.finished or time.time() - when >= PLAIN_SECONDS):
            self._last[state.name] = time.time(), text
            self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def close(self) -> None:
        if self._bars:
            self._bars.stop()


class Monitor:
    """Follows the stages that run under `out`, reading each record once as it appears, and leaves their state for
    `watch`.
    """

    def __init__(self, out: str) -> None:
        self._out = out
        self.states: dict[str, StageState] = {}
        self._seen: dict[str, set[str]] = {}
        self._watched: list[str] = []
        self._view = View()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="progress", daemon=True)

    def __enter__(self) -> "Monitor":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        try:
            with suppress(OSError):  # nothing is lost: the records are there
                self.update()
        finally:
            self.close()

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._view.close()

    def expect(self, name: str, tasks: int, size: int) -> None:
        with self._lock:
            self.states[name] = StageState(name, tasks, size)

    def start(self, name: str, tasks: int, done: int, failed: int, size: int) -> None:
        """The stage begins: tasks in all, done before, known to be impossible; and the bytes still to be done."""
        with self._lock:
            self.states[name] = StageState(name, tasks, size, skipped=done, failed=failed, started=time.time())
            self._seen[name] = set(store.list_files(store.join(self._out, TASKS, name)))
            self._watched.append(name)
            self._save()

    def adopt(self, state: StageState) -> None:
        """Follow a stage that another process runs, from what that process last said of it."""
        running = state.started and not state.finished
        if running and state.name in self._watched:
            return
        self.states[state.name] = state
        if running:
            self._seen[state.name] = set()
            self._watched.append(state.name)
        elif state.name in self._watched:
            self._watched.remove(state.name)

    def end(self, name: str, records: int, failed: int, counts: Counter[str]) -> None:
        """The stage is over with so many tasks done; its final counts include what earlier runs did."""
        with self._lock:
            self._watched.remove(name)
            state = self.states[name]
            state.done, state.failed, state.ended, state.counts = records - state.skipped, failed, time.time(), counts
            self._save()
        self._view.draw([state])

    def update(self) -> None:
        """Read what has been recorded since the last look, and draw. A stage can end meanwhile: it does not wait."""
        for name in list(self._watched):
            folder = store.join(self._out, TASKS, name)
            files = sorted(set(store.list_files(folder)) - self._seen[name])
            with ThreadPoolExecutor(READERS) as readers:
                records = readers.map(_read_record, [store.join(folder, file) for file in files])
                for file, record in zip(files, records, strict=True):
                    with self._lock:
                        if name not in self._watched:
                            break
                        self.states[name].failed += file.endswith(FAILED)
                        if record:
                            self.states[name].add(record)
                        self._seen[name].add(file)
        with self._lock:
            states = list(self.states.values())
        self._view.draw(states)

    def _save(self) -> None:
        states = [{**vars(state), "counts": dict(state.counts)} for state in self.states.values()]
        store.write_bytes(self._out, f"{TASKS}/{STATE}", canonical(states).encode())

    def _follow(self) -> None:
        pause = POLL_SECONDS
        while not self._stop.wait(pause):
            before = time.monotonic()
            with suppress(OSError):  # of a store, for a moment: what it did not show now it shows at the next look
                self.update()
            pause = _pause(before)


def _pause(before: float) -> float:
    """Seconds until the next look, after one that began at `before`: a slow store is not listed all the time."""
    return max(POLL_SECONDS, 5 * (time.monotonic() - before))


def _read_record(path: str) -> Record | None:
    if path.endswith(FAILED) or not path.endswith(".json"):
        return None
    with suppress(FileNotFoundError, ValueError):  # compacted since it was listed, or damaged
        return Record.from_json(store.read_bytes(path))
    return None


def watch(out: str) -> bool:
    """Follow a run that another process does, until it ends. False where no run was ever started there."""
    path = store.join(out, TASKS, STATE)
    if not store.exists(path):
        return False
    monitor = Monitor(out)
    try:
        running = True
        while running:
            before, running = time.monotonic(), is_locked(out)
            for fields in json.loads(store.read_bytes(path)):
                monitor.adopt(StageState(**{**fields, "counts": Counter(fields["counts"])}))
            monitor.update()
            if running:
                time.sleep(_pause(before))
    finally:
        monitor.close()
    return True
