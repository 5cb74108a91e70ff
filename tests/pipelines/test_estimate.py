"""What a plan says is what a run does, and grows with what goes in."""

import json
import shutil
from pathlib import Path

import pytest

from pipelines import assumptions, calibration
from pipelines.config import load
from pipelines.errors import UserError
from pipelines.estimate import estimate
from pipelines.planned import print_plan
from pipelines.store import FileInfo
from tests.runs import SETTINGS, succeed

OTHERS = ("c4", "github", "wikipedia", "books", "arxiv", "stackexchange")


def plan(repository: Path, *overrides: str, config: str = "llama", **options):
    read = load(str(repository / "configs" / f"{config}.yaml"), overrides)
    return estimate(read, assumptions.load(), calibration.load(), **options)


def records(run: Path) -> dict[str, list[dict]]:
    found = {}
    for path in (run / "tasks").glob("*/records.jsonl"):
        found[path.parent.name] = [json.loads(line) for line in path.read_text().splitlines()]
    return found


@pytest.fixture(scope="module")
def full(repository):
    """The paper's inputs, on more machines than there are; C4 made from WET files, which nobody measured."""
    return plan(repository, "c4.mode=from_wet", full=True, machines=10**6)


def test_a_plan_has_the_tasks_and_shards_of_the_run_and_its_cpu_time_within_a_factor_of_two(
    repository, sample, reference, run_arguments, tmp_path
):
    """Rates are those of another run, on one file more."""
    data, out = shutil.copytree(sample, tmp_path / "data"), tmp_path / "out"
    (data / "web" / "CC-MAIN-SAMPLE-empty.warc.wet.gz").unlink()
    config = load(str(repository / "configs" / "demo.yaml"), [f"data={data}", *SETTINGS])
    planned = estimate(config, assumptions.load(), calibration.load(str(reference)))
    succeed(repository, *run_arguments(out, data))
    done = records(out)
    assert {stage.stage: stage.tasks for stage in planned.stages} == {name: len(some) for name, some in done.items()}
    manifest = json.loads((out / "manifest.json").read_text())
    assert planned.shards == sum(len(source["shards"]) for source in manifest["sources"].values())
    took = sum(record["run"]["cpu_seconds"] for some in done.values() for record in some)
    assert took / 2 < planned.cpu_seconds < took * 2


def test_a_plan_names_the_longest_task_and_a_run_is_never_shorter_however_many_machines(full):
    assert (full.last.stage, full.last.longest) == ("stackexchange.cut", "2022__0000000")
    assert full.seconds(full.cores, "spark") > full.last.longest_seconds > 60


def test_more_machines_take_less_time_and_about_the_same_work(repository):
    few, many = (plan(repository, full=True, share=0.01, machines=number) for number in (1, 10))
    assert many.seconds(many.cores, "spark") < few.seconds(few.cores, "spark")
    assert many.cpu_seconds == pytest.approx(few.cpu_seconds, rel=0.05)


def test_cost_grows_as_what_goes_in_does(repository):
    small, large = (plan(repository, full=True, share=share) for share in (0.001, 0.1))
    for what in ("cpu_seconds", "shuffle_bytes", "disk_bytes"):
        assert getattr(large, what) / getattr(small, what) == pytest.approx(100, rel=0.1), what
    assert sum(large.dataflow_dollars().values()) / sum(small.dataflow_dollars().values()) == pytest.approx(
        100, rel=0.1
    )


def test_without_deduplication_next_to_nothing_is_shuffled(repository):
    assert plan(repository, full=True, share=0.001).shuffle_bytes > 10**9
    without = plan(repository, "commoncrawl.deduplicate=false", full=True, share=0.001)
    assert without.shuffle_bytes < 10**8


def test_sources_that_cannot_be_listed_are_assumed_and_it_is_said_why(repository, sample):
    planned = plan(repository, f"data={sample}", *SETTINGS, "wikipedia.inputs.sample=[none/*]", config="demo")
    assert planned.sources["commoncrawl"].assumed is None
    assert "no file matches" in (planned.sources["wikipedia"].assumed or "")
    assert planned.sources["wikipedia"].tokens == 25_700_000_000


def test_a_source_that_is_neither_listed_nor_assumed_is_a_mistake(repository):
    known = assumptions.load().model_copy(update={"sources": {}})
    with pytest.raises(UserError, match="nor do the assumptions say how large commoncrawl is"):
        estimate(load(str(repository / "configs" / "llama.yaml")), known, calibration.load(), full=True)


def test_what_was_never_measured_what_memory_cannot_hold_and_what_the_disk_cannot_is_said(repository, full, tmp_path):
    said = "\n".join(full.warnings(f"file://{tmp_path}/out"))
    assert "c4.pages was never measured" in said
    assert "commoncrawl.lines shuffles" in said
    assert "use --runner spark" in said
    assert "will need" in said
    assert plan(repository, full=True, share=1e-6).warnings(str(tmp_path)) == []


def test_json_is_the_same_each_time_and_holds_every_stage(repository, sample):
    settings = [f"data={sample}", *SETTINGS]
    said = json.loads(succeed(repository, "pipelines", "plan", "--config", "configs/demo.yaml", "--json", *settings))
    assert said == json.loads(json.dumps(plan(repository, *settings, config="demo", machines=100).to_json()))
    assert set(said) == {"sources", "stages", "total", "machines", "wall_seconds", "dollars"}
    assert said["stages"][0]["stage"] == "commoncrawl.digest"
    assert said["total"]["tasks"] == sum(stage["tasks"] for stage in said["stages"])


@pytest.mark.parametrize(
    ("share", "machines", "rates", "said"),
    [
        (2, 1, None, "--share must lie above 0 and not above 1, not 2"),
        (1, 0, None, "--workers must be at least 1, not 0"),
        (1, 1, "nowhere", "neither a calibration nor the folder of a run"),
    ],
)
def test_mistakes_on_the_command_line_are_named(repository, share, machines, rates, said):
    config = str(repository / "configs" / "llama.yaml")
    with pytest.raises(UserError, match=said):
        print_plan(config, [], None, True, share, machines, rates, None, False)


def test_copies_of_files_on_the_web_take_room(repository, monkeypatch):
    def one_page_file(config, name, source):
        return source.splits("dump", FileInfo("https://example.org/a.warc.wet.gz", 10**12, ""))

    monkeypatch.setattr("pipelines.estimate.source_splits", one_page_file)
    planned = plan(repository, *(f"{name}=null" for name in OTHERS), "commoncrawl.weight=100")
    (fetch,) = (stage for stage in planned.stages if stage.stage == "commoncrawl.fetch")
    assert fetch.disk_bytes == 10**12
