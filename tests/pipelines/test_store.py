"""Files are published whole or not at all."""

import errno
import os
from pathlib import Path

import pytest

from pipelines import store
from pipelines.errors import UserError


def test_publishes_a_scratch_file_under_its_name(tmp_path):
    with store.scratch(str(tmp_path)) as folder:
        (folder / "a").write_text("whole")
        store.publish(folder / "a", str(tmp_path / "deep" / "name"))
    assert (tmp_path / "deep" / "name").read_text() == "whole"
    assert not list((tmp_path / store.SCRATCH).iterdir())


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    target = tmp_path / "name"
    store.write_bytes(str(tmp_path), "name", b"old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        store.write_bytes(str(tmp_path), "name", b"new")
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["name"]
    assert target.read_bytes() == b"old"


def test_a_changed_file_has_another_hint(tmp_path):
    path = tmp_path / "a"
    path.write_text("one")
    (before,) = store.glob(str(path))
    path.write_text("two")
    os.utime(path, ns=(1, 1))
    (after,) = store.glob(str(path))
    assert before.hint != after.hint
    assert (before.name, before.size) == ("a", 3)


def test_a_link_to_a_file_is_one_and_a_link_that_leads_nowhere_is_named(tmp_path):
    (tmp_path / "a").write_text("text")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert [f.name for f in store.glob(str(tmp_path / "*"))] == ["a", "b"]
    (tmp_path / "c").symlink_to(tmp_path / "gone")
    with pytest.raises(UserError, match="c: a link that leads nowhere"):
        store.glob(str(tmp_path / "*"))


def test_a_copy_of_a_file_that_has_changed_is_an_error(tmp_path):
    store.write_bytes("memory://changed", "a", b"12345")
    store.fetch("memory://changed/a", tmp_path / "a", hint=store.info("memory://changed/a").hint)
    assert (tmp_path / "a").read_bytes() == b"12345"
    with pytest.raises(OSError, match="changed since the run was planned"):
        store.fetch("memory://changed/a", tmp_path / "a", hint="6:")


def test_of_a_remote_file_a_range_and_the_head_lie_at_their_places(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "REQUEST_BYTES", 3)
    monkeypatch.setattr(store, "HEAD_BYTES", 1)
    store.write_bytes("memory://range", "a", b"0123456789")
    store.fetch("memory://range/a", tmp_path / "a", 2, 9)
    assert (tmp_path / "a").read_bytes() == b"0\x002345678\0"


def test_listings_are_relative_and_empty_where_there_is_no_folder(tmp_path):
    (tmp_path / "x" / "y").mkdir(parents=True)
    (tmp_path / "x" / "y" / "f").write_text("four")
    assert store.list_files(str(tmp_path / "x")) == {"y/f": 4}
    assert store.list_files(str(tmp_path / "none")) == {}


def test_the_sha256_of_a_range_is_that_of_its_bytes(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(bytes(range(256)) * 100)
    (tmp_path / "b").write_bytes(path.read_bytes()[100:20_000])
    assert store.sha256_file(path, 100, 20_000) == store.sha256_file(tmp_path / "b")
    assert store.sha256_file(path, 0, None) == store.sha256_file(path, 0, 25_600)


def test_every_store_publishes_and_lists_alike(tmp_path):
    (tmp_path / "local").write_text("text")
    store.publish(tmp_path / "local", "memory://run/a/b")
    store.write_bytes("memory://run", "a/c", b"small")
    assert store.list_files("memory://run") == {"a/b": 4, "a/c": 5}
    assert store.read_bytes("memory://run/a/b") == b"text"
    store.remove("memory://run/a/b")
    store.remove("memory://run/a/b")
    assert not store.exists("memory://run/a/b")
    assert [Path(f.path).name for f in store.glob("memory://run/a/*")] == ["c"]


def test_an_unknown_store_is_a_users_mistake():
    with pytest.raises(UserError, match="nonsense"):
        store.filesystem("nonsense://bucket/file")
