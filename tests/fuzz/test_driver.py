"""A quick look at every fuzz target, without Atheris: 200 inputs each."""

import subprocess
import sys
from types import ModuleType

import pytest

from tests.fuzz.__main__ import blind, load, mutate, seeds, targets


def test_every_target_is_found_and_listed(repository):
    listed = subprocess.run(
        [sys.executable, "-m", "tests.fuzz"], cwd=repository, capture_output=True, text=True, check=True
    ).stdout.split()
    assert listed == targets()
    assert {"wet", "mediawiki", "wikitext"} <= set(listed)


@pytest.mark.parametrize("target", targets())
def test_200_inputs_raise_nothing(target, tmp_path):
    assert blind(target, runs=200, seconds=15, seed=1, artifacts=tmp_path, timeout=0) > len(seeds(load(target)))


def test_an_input_that_fails_is_written_and_its_error_raised(monkeypatch, tmp_path):
    def one_input(data: bytes) -> None:
        assert b"\0" not in data, "a zero byte"

    broken = ModuleType("broken")
    broken.one_input, broken.SEEDS = one_input, (b"a\n" * 40,)
    monkeypatch.setattr("tests.fuzz.__main__.load", lambda _: broken)
    with pytest.raises(AssertionError, match="a zero byte"):
        blind("broken", runs=100_000, seconds=0, seed=1, artifacts=tmp_path, timeout=0)
    assert b"\0" in (tmp_path / "broken-crash").read_bytes()


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
