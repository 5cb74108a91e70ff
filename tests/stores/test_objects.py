"""Object stores: files are published, listed, read, locked and refused as on a disk."""

import tempfile
import threading

import pytest

from pipelines import lock, store
from pipelines.errors import RunError, UserError
from pipelines.lock import LOCK, is_locked, locked
from pipelines.pool import close_pools
from tests.pipelines.test_run import Books


def test_files_are_published_listed_and_read(remote, tmp_path):
    out = f"{remote.bucket}/files"
    (tmp_path / "a").write_bytes(b"0123456789" * 1000)
    store.publish(tmp_path / "a", f"{out}/deep/a")
    store.write_bytes(out, "b", b"small")
    assert store.list_files(out) == {"deep/a": 10_000, "b": 5}
    assert [f.path for f in store.glob(f"{out}/*/*")] == [f"{out}/deep/a"]
    before = store.info(f"{out}/deep/a")
    store.fetch(f"{out}/deep/a", tmp_path / "copy", 15, 25, before.hint)
    assert (tmp_path / "copy").read_bytes()[15:25] == b"5678901234"
    with store.open_read(f"{out}/deep/a") as stream:
        stream.seek(9_995)
        assert stream.read() == b"56789"
    store.write_bytes(out, "deep/a", b"1" * 10_000)
    assert store.info(f"{out}/deep/a").hint != before.hint
    store.remove(f"{out}/b")
    store.remove(f"{out}/b")
    assert not store.exists(f"{out}/b")
    assert store.list_files(f"{remote.bucket}/none") == {}


def test_a_child_that_dies_leaves_nothing_on_this_machine(remote, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "here"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    books = Books(tmp_path)
    books.out = f"{remote.bucket}/books"
    books.write(a="segfault", b="hungry")
    try:
        with pytest.raises(RunError, match="2 tasks could not be done"):
            books.run()
    finally:
        close_pools()
    assert not list((tmp_path / "here").glob("altiplano-*"))


def test_a_folder_is_held_once(remote):
    out = f"{remote.bucket}/held"
    with locked(out):
        assert is_locked(out)
        with pytest.raises(UserError, match="another run holds this folder"), locked(out):
            pass
    assert not is_locked(out)


def test_of_many_that_come_at_once_one_holds_the_folder(remote):
    if remote.bucket.startswith("gs"):
        pytest.skip("this emulator does not know ifGenerationMatch")
    out, holds, go, done = f"{remote.bucket}/race", [], threading.Barrier(4), threading.Barrier(4)

    def hold() -> None:
        go.wait()
        try:
            with locked(out):
                holds.append(True)
                done.wait()
        except UserError:
            done.wait()

    threads = [threading.Thread(target=hold) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert holds == [True]


def test_a_run_that_died_is_taken_over_by_one(remote, monkeypatch):
    monkeypatch.setattr(lock, "SETTLE_SECONDS", 0.2)
    out = f"{remote.bucket}/dead"
    store.write_bytes(out, LOCK, b'{"run": "x", "host": "h", "pid": 1, "beat": 0}')
    assert not is_locked(out)
    with locked(out):
        assert is_locked(out)


def test_a_bucket_that_is_not_there_is_one_line(remote):
    scheme = remote.bucket.partition("://")[0]
    with (
        pytest.raises(UserError, match=f"{scheme}://nowhere/run: there is no such bucket"),
        locked(f"{scheme}://nowhere/run"),
    ):
        pass
