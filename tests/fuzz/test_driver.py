"""Every parser survives what hypothesis makes of its seeds; and the command that fuzzes them for longer."""

import subprocess
import sys
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.__main__ import blind, load, mutate, seeds, targets


def test_every_target_is_found_and_listed(repository):
    listed = subprocess.run(
        [sys.executable, "-m", "tests.fuzz"], cwd=repository, capture_output=True, text=True, check=True
    ).stdout.split()
    assert listed == targets()
    assert {"wet", "mediawiki", "wikitext"} <= set(listed)


@pytest.mark.parametrize("target", targets())
def test_every_parser_survives(target):
    module = load(target)
    pool, words = seeds(module), getattr(module, "WORDS", [b""])
    piece = st.one_of(st.binary(max_size=8), st.sampled_from(words))
    changes = st.lists(st.tuples(st.floats(0, 1), piece, st.sampled_from([0, 1, 8, 512])), max_size=5)
    damaged = st.builds(_damaged, st.sampled_from(pool), changes)

    @given(st.one_of(damaged, st.binary(max_size=64)))
    @settings(max_examples=50)
    def survives(data):
        module.one_input(data)

    for seed in pool:
        module.one_input(seed)
    survives()


def _damaged(data: bytes, changes: list[tuple[float, bytes, int]]) -> bytes:
    """`data` with pieces put in at some place each, over so many bytes."""
    for share, piece, over in changes:
        place = int(share * len(data))
        data = data[:place] + piece + data[place + over :]
    return data


def test_seeds_and_mutations_of_them_are_run_without_atheris(tmp_path):
    assert blind("jsonlines", runs=200, seconds=60, seed=1, artifacts=tmp_path, timeout=0) == 200


def test_an_input_that_fails_is_written_and_its_error_raised(monkeypatch, tmp_path):
    def one_input(data: bytes) -> None:
        assert b"\0" not in data, "a zero byte"

    broken = ModuleType("broken")
    broken.one_input, broken.SEEDS = one_input, (b"a\n" * 40,)
    monkeypatch.setattr("tests.fuzz.__main__.load", lambda _: broken)
    with pytest.raises(AssertionError, match="a zero byte"):
        blind("broken", runs=100_000, seconds=0, seed=1, artifacts=tmp_path, timeout=0)
    assert b"\0" in (tmp_path / "broken-input").read_bytes()


def test_a_run_ends_with_a_line_of_a_table_and_its_log(repository, tmp_path):
    command = [sys.executable, "-m", "tests.fuzz", "jsonlines", "--blind", "--runs", "50", "--artifacts", str(tmp_path)]
    ran = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1].split()[:2] == ["jsonlines", "50"]
    assert ran.stdout.rstrip().endswith("nothing found")
    assert "Done 50 runs" in (tmp_path / "jsonlines.log").read_text()


def test_an_input_that_takes_too_long_ends_the_process(repository, tmp_path):
    code = (
        "import time, types, pathlib, tests.fuzz.__main__ as fuzz\n"
        "slow = types.ModuleType('slow'); slow.one_input = lambda data: time.sleep(60)\n"
        "fuzz.load = lambda target: slow\n"
        f"fuzz.blind('slow', 1, 0, 1, pathlib.Path({str(tmp_path)!r}), 1)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, timeout=50)
    assert ended.returncode != 0
    assert "Timeout" in ended.stderr


def test_mutations_differ_and_stay_small():
    import random

    chance, data = random.Random(0), b"<page>text</page>" * 10
    changed = {mutate(data, [data, b""], chance) for _ in range(500)}
    assert len(changed) > 400
    assert max(map(len, changed)) <= 1 << 16
