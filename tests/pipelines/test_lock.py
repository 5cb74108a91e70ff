"""One run a folder, on a disk and on a store."""

import json

import pytest

from pipelines import store
from pipelines.errors import UserError
from pipelines.lock import LOCK, STALE_SECONDS, is_locked, locked


@pytest.mark.parametrize("kind", ["disk", "store"])
def test_a_folder_is_held_once_and_let_go_of(tmp_path, kind):
    out = str(tmp_path) if kind == "disk" else "memory://held"
    assert not is_locked(out)
    with locked(out):
        assert is_locked(out)
        with pytest.raises(UserError, match=f"{out}: another run holds this folder"), locked(out):
            pass
    assert not is_locked(out)
    with locked(out):
        pass


def test_a_run_on_a_store_that_no_longer_beats_is_dead():
    with locked("memory://dead"):
        beat = json.loads(store.read_bytes(f"memory://dead/{LOCK}"))
    store.write_bytes("memory://dead", LOCK, json.dumps({**beat, "beat": beat["beat"] - STALE_SECONDS}).encode())
    assert not is_locked("memory://dead")
    with locked("memory://dead"):
        assert is_locked("memory://dead")


def test_a_run_that_was_copied_from_a_disk_to_a_store_is_dead(tmp_path):
    with locked(str(tmp_path)):
        pass
    store.write_bytes("memory://copied", LOCK, (tmp_path / LOCK).read_bytes())
    assert not is_locked("memory://copied")
    with locked("memory://copied"):
        assert is_locked("memory://copied")
