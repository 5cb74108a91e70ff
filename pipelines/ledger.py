"""What has been done: the records of a stage, found by one fresh listing and compacted into one file when the stage
ends.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

from pipelines import store
from pipelines.errors import RunError
from pipelines.tasks import FAILED, TASKS, Failure, Input, Record, Task

COMPACTED = "records.jsonl"
READERS = 32

Known = TypeVar("Known", Record, Failure)


class Ledger:
    """The records of one stage under a run's folder, as they stood when it was opened."""

    def __init__(self, out: str, stage: str) -> None:
        self._out, self._stage = out, stage
        self._folder = store.join(out, TASKS, stage)
        names = store.list_files(self._folder)
        self._single = [n for n in names if n.endswith(".json") and not n.endswith(FAILED)]
        failed = [name for name in sorted(names) if name.endswith(FAILED)]
        with ThreadPoolExecutor(READERS) as readers:
            complaints = readers.map(lambda name: self._parsed(name, Failure.from_json), failed)
            found = readers.map(self._records_in, [*({COMPACTED} & names.keys()), *self._single])
        self._failed = {name: failure for name, some in zip(failed, complaints, strict=True) for failure in some}
        self._records = {(r.key, r.fingerprint): r for records in found for r in records}
        known: list[Record | Failure] = [*self._records.values(), *self._failed.values()]
        self._contents = {i.memo_key: i.sha256 for entry in known for i in entry.inputs.values()}
        self._latest = {r.key: r for r in sorted(self._records.values(), key=lambda r: r.ended)}

    def _records_in(self, name: str) -> list[Record]:
        return self._parsed(name, Record.from_json)

    def _parsed(self, name: str, parse: Callable[[bytes], Known]) -> list[Known]:
        """What a file holds, one a line. Raises RunError for one that was damaged since it was written."""
        path = store.join(self._folder, name)
        try:
            return [parse(line) for line in store.read_bytes(path).splitlines()]
        except ValueError:
            raise RunError(f"{path}: a damaged record; remove the file, and its tasks are done again") from None

    def remember(self, task: Task) -> Task:
        """The task with the content hashes of inputs that have not changed since they were last read."""
        inputs = {role: self._remember(i) for role, i in task.inputs.items()}
        return replace(task, inputs=inputs)

    def _remember(self, source: Input) -> Input:
        return source if source.sha256 else replace(source, sha256=self._contents.get(source.memo_key, ""))

    def done(self, task: Task, files: "Files") -> Record | None:
        """The record that still matches the task, if its outputs are all there."""
        fingerprint = task.fingerprint()
        record = self._records.get((task.key, fingerprint)) if fingerprint else None
        return record if record and files.hold(record) else None

    def previous(self, task: Task, files: "Files") -> Record | None:
        record = self._latest.get(task.key)
        return record if record and files.hold(record) else None

    def latest(self) -> list[Record]:
        """The record of each task that was ever done, the last one made."""
        return list(self._latest.values())

    def unreadable(self, task: Task) -> bool:
        """Whether this very content was found unreadable by this very code."""
        fingerprint = task.fingerprint()
        return fingerprint is not None and any(f.fingerprint == fingerprint for f in self._failed.values())

    def failures(self) -> list[Failure]:
        return list(self._failed.values())

    def forget_failures(self, keys: Collection[str]) -> None:
        """What these tasks left the last time no longer holds: they are done, or tried again."""
        for name, failure in self._failed.items():
            if failure.key in keys:
                store.remove(store.join(self._folder, name))

    def current(self, tasks: Iterable[Task]) -> dict[str, Record]:
        """The record of each task that has one, by key. A task's inputs may have been read for the first time by its
        child.
        """
        records = {}
        for task in tasks:
            fingerprint = self.remember(task).fingerprint()
            if fingerprint and (record := self._records.get((task.key, fingerprint))):
                records[task.key] = record
        return records

    def compact(self, records: Iterable[Record]) -> None:
        """Keep these records in one file, and no others."""
        text = b"".join(record.to_json() for record in sorted(records, key=lambda r: r.key))
        store.write_bytes(self._out, f"{TASKS}/{self._stage}/{COMPACTED}", text)
        with ThreadPoolExecutor(READERS) as removers:  # as many as there are tasks
            list(removers.map(store.remove, [store.join(self._folder, name) for name in self._single]))


class Files:
    """The files below some folders of a run, from one fresh listing each."""

    def __init__(self, out: str, folders: Sequence[str]) -> None:
        self._out = out
        self._sizes = {
            f"{folder}/{name}": size
            for folder in folders
            for name, size in store.list_files(store.join(out, folder)).items()
        }

    def hold(self, record: Record) -> bool:
        return all(self._sizes.get(output.path) == output.bytes for output in record.outputs)

    def remove_all_but(self, records: Iterable[Record]) -> None:
        named = {output.path for record in records for output in record.outputs}
        for path in sorted(self._sizes.keys() - named):
            store.remove(store.join(self._out, path))
