"""Rates come from what a run recorded, and files that are no calibration are named."""

import json

import pytest

from pipelines import store
from pipelines.calibration import Calibration, StageCost, load, measure
from pipelines.errors import UserError
from pipelines.tasks import Input, Output, Record


def record(stage: str, key: str, inputs: dict[str, Input], outputs=(), pid=1, cpu=1.0, **counts: int) -> Record:
    run = {"host": "h", "pid": pid, "cpu_seconds": cpu, "started": float(len(key)), "ended": len(key) + 1.0}
    made = tuple(Output(role, f"x/{role}", size, "0") for role, size in outputs)
    return Record(stage, key, f"f{key}", inputs, made, counts, run=run)


@pytest.fixture
def run(tmp_path):
    """A run's folder: `write` leaves records in it."""

    def write(*records: Record) -> str:
        for one in records:
            store.write_bytes(str(tmp_path), f"tasks/{one.stage}/{one.key}-{one.fingerprint}.json", one.to_json())
        return str(tmp_path)

    return write


def raw(name: str, size: int) -> dict[str, Input]:
    return {"raw": Input(f"/data/{name}", size)}


def test_a_stage_is_what_its_tasks_took_and_gave(run):
    out = run(
        record("c4.clean", "a", raw("a", 100), [("text", 40)], cpu=2.0, bytes_kept=70),
        record("c4.clean", "bb", raw("b", 300), [("text", 60)], pid=2, cpu=3.0, bytes_kept=130),
        record("c4.tokens", "0", {"text": Input(f"{'x'}", 100)}, [("shard", 90)], tokens=50),
    )
    stages = measure([out]).stages
    assert stages["c4.clean"].bytes_in == 400
    assert (stages["c4.clean"].cpu_seconds, stages["c4.clean"].start_seconds) == (5.0, 0.0)
    assert (stages["c4.clean"].bytes_out, stages["c4.clean"].text_bytes) == ({"text": 100}, 200)
    assert (stages["c4.tokens"].bytes_in, stages["c4.tokens"].tokens) == (200, 50)


def test_what_a_child_pays_once_is_told_apart(run):
    out = run(*(record("c4.clean", "x" * n, raw(f"{n}", 100), cpu=5.0 if n == 1 else 1.0) for n in range(1, 6)))
    cost = measure([out]).stages["c4.clean"]
    assert (cost.cpu_seconds, cost.start_seconds, cost.starts) == (5.0, 4.0, 1)


def test_of_a_file_that_is_cut_first_the_cut_has_its_own_bytes_and_later_stages_those_of_all(run, tmp_path):
    piece = {"raw": Input(f"{tmp_path}/rounds/piece", 999)}
    out = run(
        record("wikipedia.cut", "big", raw("big", 1000), [("piece", 999)]),
        record("wikipedia.clean", "big@0", piece),
        record("wikipedia.clean", "small", raw("small", 10)),
    )
    stages = measure([out]).stages
    assert (stages["wikipedia.cut"].bytes_in, stages["wikipedia.clean"].bytes_in) == (1000, 1010)


def test_runs_are_added_up(run, tmp_path):
    out = run(record("c4.clean", "a", raw("a", 100)))
    both = measure([out, out])
    assert both.stages["c4.clean"] == measure([out]).stages["c4.clean"] + measure([out]).stages["c4.clean"]
    assert both.stages["c4.clean"].bytes_in == 200


def test_a_folder_in_which_nothing_ran_is_a_mistake(tmp_path):
    with pytest.raises(UserError, match="holds no task records"):
        measure([str(tmp_path)])
    with pytest.raises(UserError, match="neither a calibration nor the folder of a run"):
        load(str(tmp_path / "nothing"))


def test_a_file_that_is_no_calibration_is_named_with_what_is_wrong(tmp_path):
    path = tmp_path / "calibration.json"
    values = json.loads(load().to_json())
    values["stages"]["c4.clean"]["tasks"] = 0
    path.write_text(json.dumps(values))
    with pytest.raises(UserError, match=r"calibration.json: no calibration: stages.c4.clean.tasks: .*greater than 0"):
        load(str(path))


def test_a_file_gives_back_what_was_measured_and_ours_where_it_lacks_a_stage(run, tmp_path):
    mine = measure([run(record("c4.clean", "a", raw("a", 123)))])
    store.write_bytes(str(tmp_path), "mine.json", mine.to_json())
    read = load(str(tmp_path / "mine.json"))
    assert read.stages["c4.clean"] == mine.stages["c4.clean"]
    assert read.stages["arxiv.clean"] == load().stages["arxiv.clean"]
    assert read.host == mine.host


def test_tokenising_a_source_that_was_not_measured_costs_what_the_others_do():
    cost = StageCost(tasks=1, bytes_in=10, cpu_seconds=1, start_seconds=0, starts=1, bytes_out={"shard": 5}, tokens=4)
    stages = {"c4.tokens": cost, "books.tokens": cost}
    known = Calibration(host=load().host, stages=stages, seconds_between_stages=1, round_seconds_per_gb=1)
    assert known.cost("arxiv.tokens") == cost + cost
    assert known.cost("arxiv.clean") is None
