"""Stages done for real on Beam's in-process runner: skipping, redoing, failing alone, and surviving kills."""

import os
import signal
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from pipelines import store
from pipelines.engine import Engine, Limits
from pipelines.errors import RunError, UserError
from pipelines.fingerprint import code_fingerprint
from pipelines.lock import locked
from pipelines.pool import close_pools
from pipelines.progress import Monitor
from pipelines.run import run_stages
from pipelines.stages import Stage
from pipelines.tasks import Input, Task

ENGINE = Engine(limits=Limits(workers=2, memory_mb=400, seconds=8))


@pytest.fixture(scope="module", autouse=True)
def _pools():
    yield
    close_pools()


class Books:
    """A folder of raw files, and a stage that puts them in upper case."""

    def __init__(self, folder: Path) -> None:
        self.raw, self.out = folder / "raw", str(folder / "out")
        self.raw.mkdir()

    def write(self, **texts: str) -> None:
        for name, text in texts.items():
            (self.raw / name).write_text(text)

    def stage(self, **settings) -> Stage:
        files = store.glob(str(self.raw / "*"))

        def tasks(_) -> list[Task]:
            body = "tests.pipelines.bodies:upper"
            inputs = {f.name: Input(f.path, f.size, f.hint) for f in files}
            return [
                Task("books.clean", name, body, code_fingerprint(body), {"raw": i}, settings, self.out)
                for name, i in inputs.items()
            ]

        return Stage("books.clean", (), ("text/books",), tasks, (len(files), 0))

    def run(self, engine: Engine = ENGINE, **settings):
        with locked(self.out), Monitor(self.out) as monitor:
            return run_stages([self.stage(**settings)], self.out, engine, monitor)

    def texts(self) -> dict[str, str]:
        folder = Path(self.out) / "text" / "books"
        return {path.name.rpartition("-")[0]: path.read_text() for path in folder.iterdir()}


@pytest.fixture
def books(tmp_path) -> Books:
    return Books(tmp_path)


def test_does_every_task_once_and_skips_them_all_the_next_time(books):
    books.write(a="one", b="two", c="three")
    assert books.run().did == 3
    assert books.texts() == {"a": "ONE", "b": "TWO", "c": "THREE"}
    again = books.run()
    assert again.did == 0
    assert set(again.records["books.clean"]) == {"a", "b", "c"}


def test_a_changed_file_redoes_its_own_task_and_removes_the_old_output(books):
    books.write(a="one", b="two")
    books.run()
    books.write(b="zwei")
    assert books.run().did == 1
    assert books.texts() == {"a": "ONE", "b": "ZWEI"}
    assert len(list((Path(books.out) / "text/books").iterdir())) == 2


def test_a_touched_file_is_read_again_but_not_done_again(books):
    books.write(a="one")
    before = books.run().records["books.clean"]["a"]
    os.utime(books.raw / "a", ns=(0, 0))
    after = books.run().records["books.clean"]["a"]
    assert after.outputs == before.outputs
    assert after.inputs["raw"].hint != before.inputs["raw"].hint
    assert books.run().did == 0


def test_a_changed_setting_redoes_every_task(books):
    books.write(a="one", b="two")
    books.run()
    assert books.run(suffix="!").did == 2
    assert books.texts() == {"a": "ONE!", "b": "TWO!"}


def test_a_lost_output_is_made_again(books):
    books.write(a="one", b="two")
    books.run()
    next((Path(books.out) / "text/books").glob("a-*")).unlink()
    assert books.run().did == 1
    assert books.texts() == {"a": "ONE", "b": "TWO"}


def test_an_unreadable_file_stops_the_run_after_the_others_are_done(books):
    books.write(a="one", b="broken", c="three")
    with pytest.raises(RunError, match=r"books.clean b: unreadable: it says that it is broken"):
        books.run()
    assert books.texts() == {"a": "ONE", "c": "THREE"}
    books.write(b="mended")
    assert books.run().did == 1
    assert books.texts()["b"] == "MENDED"


def test_an_unreadable_file_can_be_left_out_and_is_named_again_without_being_read_again(books):
    books.write(a="one", b="broken")
    tolerant = replace(ENGINE, leave_out_unreadable=True)
    for did in (2, 0):
        result = books.run(tolerant)
        assert result.did == did
        assert [(f.key, f.reason) for f in result.left_out["books.clean"]] == [("b", "it says that it is broken")]


@pytest.mark.parametrize(
    ("poison", "said"),
    [
        ("segfault", "crashed: its process died 3 times, the last with exit code -11"),
        ("hungry", "memory: its process used more than 400 MB"),
        ("endless", "time: it ran for more than 8 s"),
        ("mistake", "error: KeyError: 'a mistake of ours'"),
    ],
)
def test_a_poisonous_task_fails_alone(books, poison, said):
    books.write(a="one", b=poison, c="three", d="four")
    with pytest.raises(RunError, match=f"books.clean b: {said}"):
        books.run(replace(ENGINE, leave_out_unreadable=True))
    assert books.texts() == {"a": "ONE", "c": "THREE", "d": "FOUR"}


def test_a_failure_is_forgotten_when_what_it_complained_of_is_taken_back(books):
    books.write(a="one", b="two")
    books.run()
    books.write(b="mistake")
    with pytest.raises(RunError, match="KeyError"):
        books.run()
    books.write(b="two")
    assert books.run().records["books.clean"].keys() == {"a", "b"}
    assert books.texts() == {"a": "ONE", "b": "TWO"}


def test_killed_children_lose_and_double_nothing(books):
    books.write(**{f"book{i:02d}": f"text {i}" for i in range(40)})
    kills, stop = [], threading.Event()

    def kill_children() -> None:
        while not stop.wait(0.5):
            for child in psutil.Process().children():
                with suppress(psutil.NoSuchProcess):
                    if "spawn_main" in " ".join(child.cmdline()) and len(kills) < 6:
                        child.send_signal(signal.SIGKILL)
                        kills.append(child.pid)
                        break

    thread = threading.Thread(target=kill_children)
    thread.start()
    try:
        result = books.run(sleep=0.15)
    finally:
        stop.set()
        thread.join()
    assert len(kills) >= 2
    assert len(result.records["books.clean"]) == 40
    assert books.texts() == {f"book{i:02d}": f"TEXT {i}" for i in range(40)}


def test_a_second_run_on_the_same_folder_is_refused(books):
    with (
        locked(books.out),
        pytest.raises(UserError, match=f"another run holds this folder .process {os.getpid()}"),
        locked(books.out),
    ):
        pass


def test_a_folder_without_write_permission_is_refused_in_one_line(tmp_path, monkeypatch):
    if os.geteuid() == 0:  # root may write anywhere: a file where the folder should be is refused to all
        (tmp_path / "out").write_text("")
    else:
        (tmp_path / "out").mkdir(mode=0o500)
    with pytest.raises(UserError, match=r"no permission to write there|not a folder"), locked(str(tmp_path / "out")):
        pass


def test_progress_moves_within_two_seconds_of_a_finished_task(books):
    books.write(a="one", b="two", c="three", d="four")
    seen: list[tuple[float, int]] = []
    with locked(books.out), Monitor(books.out) as monitor:
        stop = threading.Event()

        def look() -> None:
            while not stop.wait(0.1):
                if state := monitor.states.get("books.clean"):
                    seen.append((time.time(), state.done))

        thread = threading.Thread(target=look)
        thread.start()
        result = run_stages([books.stage(sleep=2.5)], books.out, replace(ENGINE, limits=Limits(1, 400, 60)), monitor)
        stop.set()
        thread.join()
    for number, ended in enumerate(sorted(r.run["ended"] for r in result.records["books.clean"].values())[:-1], 1):
        assert max(done for when, done in seen if when <= ended + 2) >= number
