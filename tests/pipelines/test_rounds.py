"""A round through Beam: bitmaps for every split, only what changed done again."""

from collections import Counter
from pathlib import Path

import pytest

from pipelines import rounds, store
from pipelines.deduplicate import read_bitmap
from pipelines.engine import Engine, Limits
from pipelines.fingerprint import canonical, code_fingerprint, sha256
from pipelines.lock import locked
from pipelines.pool import close_pools
from pipelines.progress import Monitor
from pipelines.run import run_stages
from pipelines.stages import Stage, as_input
from pipelines.tasks import Input, Task

ENGINE = Engine(limits=Limits(workers=2, memory_mb=400, seconds=60))


@pytest.fixture(scope="module", autouse=True)
def _pools():
    yield
    close_pools()


def run(folder: Path, numbers: dict[str, list[int]], groups: list[list[str]], keep: str):
    """Two stages over files of numbers: their digests, and the round that decides which numbers are repeated."""
    out = str(folder / "out")
    (folder / "raw").mkdir(exist_ok=True)
    for name, values in numbers.items():
        path = folder / "raw" / name
        text = "\n".join(map(str, values))
        if not path.exists() or path.read_text() != text:
            path.write_text(text)

    def digest_tasks(_) -> list[Task]:
        files = {f.name: Input(f.path, f.size, f.hint) for f in store.glob(str(folder / "raw" / "*"))}
        body = "tests.pipelines.bodies:digest_numbers"
        return [Task("numbers.digest", n, body, code_fingerprint(body), {"raw": files[n]}, {}, out) for n in numbers]

    def round_tasks(done) -> list[Task]:
        tasks = []
        for group in groups:
            digests = {n: done["numbers.digest"][n].output("digest") for n in group}
            settings = {"keep": keep, "group": sha256(canonical([d.sha256 for d in digests.values()]))}
            tasks += [
                Task("numbers.lines", n, "", "code", {"digest": as_input(out, d)}, settings, out)
                for n, d in digests.items()
            ]
        return tasks

    stages = [
        Stage("numbers.digest", (), ("rounds/numbers.digest",), digest_tasks, (len(numbers), 0)),
        Stage(
            "numbers.lines",
            ("numbers.digest",),
            ("rounds/numbers.lines",),
            round_tasks,
            (len(numbers), 0),
            "pipelines.rounds:chain",
            tuple(map(tuple, groups)),
        ),
    ]
    with locked(out), Monitor(out) as monitor:
        result = run_stages(stages, out, ENGINE, monitor)
    paths = {n: r.output("bitmap").path for n, r in result.records["numbers.lines"].items()}
    removed = {n: read_bitmap((folder / "out" / p).read_bytes()) for n, p in paths.items()}
    keys = {n: sorted(set(values)) for n, values in numbers.items()}
    return result, {n: {k for k, bit in zip(keys[n], removed[n], strict=True) if bit} for n in numbers}


NUMBERS = {f"split{i:02d}": [i, i, 100, 200 + i % 3, 2**63 + i, 2**64 - 1 - i // 2] for i in range(40)}


@pytest.fixture
def many_partitions(monkeypatch):
    """So few keys would fit one partition: let them be cut."""
    monkeypatch.setattr("pipelines.deduplicate.PARTITION_BYTES", 64)
    monkeypatch.setattr(rounds, "CHUNK", 7)


@pytest.mark.usefixtures("many_partitions")
def test_keep_none_removes_what_is_repeated_in_its_group_and_nothing_else(tmp_path):
    groups = [sorted(NUMBERS)[:25], sorted(NUMBERS)[25:]]
    _, removed = run(tmp_path, NUMBERS, groups, "none")
    for group in groups:
        counts = Counter(n for name in group for n in NUMBERS[name])
        for name in group:
            assert removed[name] == {n for n in NUMBERS[name] if counts[n] > 1}


@pytest.mark.usefixtures("many_partitions")
def test_keep_first_leaves_each_number_to_the_first_split_that_has_it(tmp_path):
    _, removed = run(tmp_path, NUMBERS, [sorted(NUMBERS)], "first")
    seen: set[int] = set()
    for name in sorted(NUMBERS):
        assert removed[name] == seen & set(NUMBERS[name])
        seen |= set(NUMBERS[name])


def test_a_changed_split_decides_its_own_group_again_and_no_other(tmp_path):
    groups = [["split00", "split01"], ["split02", "split03"]]
    numbers = {name: NUMBERS[name] for group in groups for name in group}
    first, _ = run(tmp_path, numbers, groups, "none")
    assert first.did == 8
    assert run(tmp_path, numbers, groups, "none")[0].did == 0
    changed, removed = run(tmp_path, {**numbers, "split03": [7, 200]}, groups, "none")
    assert changed.did == 1 + 2
    assert removed["split03"] == set()
