"""A run can be followed from another process."""

import threading
from collections import Counter

from pipelines import progress, store
from pipelines.errors import StoreError
from pipelines.lock import locked
from pipelines.progress import Monitor, StageState, clock, watch


def test_an_eta_is_what_the_rate_so_far_says():
    state = StageState("s", tasks=4, bytes=400, done=1, bytes_done=100, started=1_000.0)
    assert state.eta(now=1_010.0) == 30.0
    assert StageState("s", tasks=4, bytes=400).eta(now=1_010.0) is None
    assert (clock(59.6), clock(3_725)) == ("1:00", "1:02:05")


def test_watch_says_where_no_run_was_ever_started(tmp_path):
    assert not watch(str(tmp_path))


def test_watch_ends_when_the_run_does(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(progress, "POLL_SECONDS", 0.05)
    out = str(tmp_path)
    with locked(out), Monitor(out) as monitor:
        monitor.expect("books.clean", 3, 100)
        monitor.expect("books.tokens", 1, 0)
        monitor.start("books.clean", 3, 1, 0, 100)
        results: list[bool] = []
        watcher = threading.Thread(target=lambda: results.append(watch(out)))
        watcher.start()
        watcher.join(0.5)
        assert watcher.is_alive()
        monitor.end("books.clean", 3, 0, Counter(read=5, kept=4))
    watcher.join(10)  # books.tokens never ran: the run stopped, and nobody holds the folder
    assert results == [True]
    assert "books.clean            3/3 tasks kept 4 dropped 1, 1 done before done" in capsys.readouterr().err


def test_a_store_that_fails_at_the_last_look_fails_no_run(tmp_path, monkeypatch):
    def fail(_: str) -> dict[str, int]:
        raise StoreError("no answer")

    with Monitor(str(tmp_path)) as monitor:
        monitor.start("books.clean", 1, 0, 0, 100)
        monkeypatch.setattr(store, "list_files", fail)


def test_a_stage_ends_while_its_records_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "POLL_SECONDS", 0.01)
    looked, ended = threading.Event(), threading.Event()

    def slow(_: str) -> dict[str, int]:
        looked.set()
        assert ended.wait(20)
        return {}

    with Monitor(str(tmp_path)) as monitor:
        monitor.start("books.clean", 1, 0, 0, 100)
        monkeypatch.setattr(store, "list_files", slow)
        assert looked.wait(20)
        monitor.end("books.clean", 1, 0, Counter())
        ended.set()
