"""Runs on Dataflow, whole, by the command a user types: Beam's own client submits to a local service and a store
emulator.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest
import typer

from pipelines import store
from pipelines.__main__ import app
from pipelines.config import load
from pipelines.engine import Engine, Limits
from pipelines.errors import RunError, UserError
from pipelines.fingerprint import OURS, code_fingerprint
from pipelines.sample.wet import WebPage, wet_members
from pipelines.tasks import Task

if "CI" not in os.environ:
    for needed in ("google.cloud.dataflow", "gcsfs", "gcp_storage_emulator"):
        if not find_spec(needed):
            pytest.skip(f"{needed} is not installed: run `make setup`", allow_module_level=True)

from google.cloud.dataflow import AutoscalingAlgorithm, JobType

from pipelines.dataflow import complete
from pipelines.runners import chain, do_job
from tests.dataflow_service import BUCKET, DataflowService, options, storage_emulator

SETTINGS = [
    *(f"{name}=null" for name in ("commoncrawl", "github", "wikipedia", "books", "arxiv", "stackexchange")),
    "c4.weight=100",
    "c4.mode=from_wet",
    "c4.inputs={sample: [web/*]}",
]
UNMEASURED = ["c4=null", "commoncrawl={weight: 100, perplexity: false, inputs: {sample: [web/*]}}"]
CLOUD = ["--runner=dataflow", "--project=my-project", "--region=europe-west4"]


def arguments(out: str, *more: str) -> list[str]:
    return ["run", "--config", "configs/demo.yaml", "--until", "text", "--out", out, *SETTINGS, *more]


def command(repository: Path, arguments: list[str], **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipelines", *arguments],
        cwd=repository,
        env={**os.environ, **more},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


@pytest.fixture(scope="module")
def pages(repository) -> dict[str, list[WebPage]]:
    """Three small WET files of our own prose; some pages and lines come twice."""
    texts = [path.read_text().splitlines() for path in sorted((repository / "pipelines/sample/prose/en").glob("*.txt"))]
    web = [WebPage(f"http://example.org/{i % 30}", "eng", lines) for i, lines in enumerate(texts + texts[:6])]
    return {f"{i}.warc.wet.gz": web[i::3] for i in range(3)}


@pytest.fixture(scope="module")
def emulator(pages, tmp_path_factory) -> Iterator[dict[str, str]]:
    with storage_emulator(tmp_path_factory.mktemp("credentials")) as environment:
        for name, web in pages.items():
            store.write_bytes(f"gs://{BUCKET}/data", f"web/{name}", b"".join(wet_members(name, web)))
        yield environment


@pytest.fixture
def service(emulator) -> Iterator[DataflowService]:
    with DataflowService().serving() as service:
        yield service


@pytest.fixture(scope="module")
def finished(repository, emulator) -> Iterator[tuple[DataflowService, str, subprocess.CompletedProcess[str]]]:
    """A run on Dataflow that went well."""
    out = f"gs://{BUCKET}/run"
    with DataflowService().serving() as service:
        done = command(repository, on(service, out, "--workers=7", "--labels=team=corpus"))
        assert done.returncode == 0, done.stderr
        yield service, out, done


def on(service: DataflowService, out: str, *more: str) -> list[str]:
    return arguments(out, f"data=gs://{BUCKET}/data", *CLOUD, f"--dataflow_endpoint={service.endpoint}", *more)


def test_a_run_on_dataflow_gives_the_bytes_of_one_on_this_machine(repository, pages, finished, tmp_path):
    (tmp_path / "data" / "web").mkdir(parents=True)
    for name, web in pages.items():
        (tmp_path / "data" / "web" / name).write_bytes(b"".join(wet_members(name, web)))
    here = command(repository, arguments(str(tmp_path / "out"), f"data={tmp_path / 'data'}"))
    assert here.returncode == 0, here.stderr
    for folder in ("text", "dropped", "rounds"):
        there = store.join(finished[1], folder)
        names = store.list_files(there)
        assert names == store.list_files(str(tmp_path / "out" / folder))
        assert names
        assert all(store.read_bytes(f"{there}/{n}") == (tmp_path / "out" / folder / n).read_bytes() for n in names)


def test_a_job_asks_for_our_machines_our_image_and_one_process_on_each(finished):
    service, out, _ = finished
    for job in service.jobs:
        (pool,) = job["environment"]["workerPools"]
        assert pool["machineType"] == "n2-standard-8"
        assert pool["diskSizeGb"] == 100
        assert pool["numThreadsPerWorker"] == 8
        assert pool["autoscalingSettings"] == {
            "algorithm": AutoscalingAlgorithm.AUTOSCALING_ALGORITHM_BASIC,
            "maxNumWorkers": 7,
        }
        images = {image["containerImage"] for image in pool["sdkHarnessContainerImages"]}
        assert images == {pool["workerHarnessContainerImage"]} == {options(job)["sdk_container_image"]}
        assert re.fullmatch(r"europe-west4-docker\.pkg\.dev/my-project/altiplano/worker:[0-9a-f]{12}", images.pop())
        assert {"no_use_multiple_sdk_containers", "use_runner_v2"} <= set(job["environment"]["experiments"])
        assert "use_multiple_sdk_containers" not in job["environment"]["experiments"]
        assert job["labels"] == {"application": "altiplano", "team": "corpus"}
        assert job["type"] == JobType.JOB_TYPE_BATCH
        assert options(job)["temp_location"].startswith(f"{out}/tasks/temp/")


def test_jobs_and_their_steps_have_names_that_people_can_read(finished):
    service = finished[0]
    names = [job["name"] for job in service.jobs]
    assert [re.sub("-[0-9a-f]{8}$", "", name) for name in names] == [
        f"altiplano-c4-{stage}" for stage in ("addresses", "urls", "pages", "lines", "clean")
    ]
    assert all(re.fullmatch("[a-z]([-a-z0-9]{0,61}[a-z0-9])?", name) for name in names)
    tasks, round_ = ["Do"], ["Pack digests", "By partition", "Decide", "By split", "Write bitmaps"]
    assert [
        {
            transforms[step].unique_name
            for root in graph.root_transform_ids
            for stage in transforms[root].subtransforms
            for step in transforms[stage].subtransforms
        }
        for graph in service.graphs
        for transforms in [graph.components.transforms]
    ] == [
        {f"{stage}/{step}" for step in ("List", "Spread", *steps)}
        for stage, steps in [
            ("tasks", tasks),
            ("c4.urls", round_),
            ("tasks", tasks),
            ("c4.lines", round_),
            ("tasks", tasks),
        ]
    ]


def test_no_document_is_in_a_graph_or_in_a_shuffle(pages, finished):
    service = finished[0]
    lines = {line for web in pages.values() for page in web for line in page.lines if len(line) > 30}
    travelled = b"".join(service.shuffled) + b"".join(graph.SerializeToString() for graph in service.graphs)
    assert len(lines) > 150
    assert b"c4.pages" in travelled  # tasks do
    assert not any(line.encode() in travelled or line[:30].encode() in travelled for line in lines)
    assert not any(page.url.encode() in travelled for web in pages.values() for page in web)


def test_nothing_is_staged_but_the_graph(finished):
    service, out, _ = finished
    staged = [name.split("/")[-1] for name in store.list_files(f"{out}/tasks/temp")]
    assert sorted(set(staged)) == ["pipeline.pb", "submission_environment_dependencies.txt"]
    assert len(staged) == 2 * len(service.jobs)


def test_every_job_is_named_with_its_page(finished):
    service, _, done = finished
    for number, job in enumerate(service.jobs, 1):
        page = f"https://console.cloud.google.com/dataflow/jobs/europe-west4/job-{number}?project=my-project"
        assert f"{job['name']}: {page}" in done.stderr


@pytest.fixture
def submit(service, repository):
    """Submits one real task by our own job, in this process."""

    def submit(out: str, *more: str) -> None:
        config = load(str(repository / "configs" / "demo.yaml"), [f"data=gs://{BUCKET}/data", *SETTINGS])
        flags = complete([*CLOUD[1:], f"--dataflow_endpoint={service.endpoint}", *more], config, out, machines=3)
        body = "tests.pipelines.bodies:upper"
        task = Task("books.clean", "a", body, code_fingerprint(body), {}, {}, out)
        limits = Limits(1, 500, 60)
        do_job("altiplano-books-clean", [chain([task], limits)], Engine(limits, "dataflow", tuple(flags)))

    return submit


def test_a_job_that_fails_is_one_line_with_its_reason(service, submit):
    service.failure = "Workflow failed.\nTraceback (most recent call last):\nOSError: no machines in this zone"
    with pytest.raises(RunError, match=r"^OSError: no machines in this zone$"):
        submit(f"gs://{BUCKET}/failing")


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        ((403, "caller lacks dataflow.jobs.create"), "caller lacks dataflow.jobs.create; the account needs the role"),
        ((429, "Quota exceeded for jobs"), "Quota exceeded for jobs; ask for a larger quota"),
        ((400, "The workflow is mistaken"), "The workflow is mistaken"),
    ],
)
def test_a_refusal_is_one_line_with_what_to_do(service, submit, refusal, said):
    service.refusal = refusal
    with pytest.raises(RunError, match=re.escape(said)) as raised:
        submit(f"gs://{BUCKET}/refused")
    assert len(str(raised.value).splitlines()) == 1


def test_a_flex_template_describes_a_job_and_ends(service, submit, monkeypatch):
    monkeypatch.setenv("ALTIPLANO_IMAGE", "registry.example/altiplano/worker:1")
    place = f"gs://{BUCKET}/launches/1/job_object"
    with pytest.raises(SystemExit) as ended:
        submit(f"gs://{BUCKET}/template", f"--template_location={place}", "--job_name=my-launch")
    assert ended.value.code == 0
    assert service.jobs == []
    job = json.loads(store.read_bytes(place))
    assert job["name"] == "my-launch"
    assert options(job)["sdk_container_image"] == "registry.example/altiplano/worker:1"


def test_ctrl_c_cancels_the_job(repository, service):
    service.running = True
    run = subprocess.Popen(
        [sys.executable, "-m", "pipelines", *on(service, f"gs://{BUCKET}/stopped")],
        cwd=repository,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # a test in the background ignores it
    )
    assert run.stderr
    try:
        while "console.cloud.google.com" not in run.stderr.readline():
            assert run.poll() is None
        run.send_signal(signal.SIGINT)
        _, rest = run.communicate(timeout=100)
    finally:
        run.kill()
    assert run.returncode == 130
    assert "Traceback" not in rest
    assert service.cancelled == ["job-1"]


def test_a_mistake_is_one_line_before_any_work(repository, service):
    done = command(repository, on(service, f"gs://{BUCKET}/mistaken", "--machine-tpye=n2-standard-4"))
    assert done.returncode == 2
    assert done.stderr == "error: --machine_tpye: no option of Beam's or Dataflow's\n"
    assert not store.list_files(f"gs://{BUCKET}/mistaken")


@pytest.mark.parametrize(
    ("given", "settings", "said"),
    [
        ("--project=", [], "--project is missing: "),
        ("--region=", [], "--region is missing: "),
        ("--project=My Project", [], "--project=My Project: "),
        ("--no-use-public-ips", ["models.folder=models"], "models.folder: models is on this machine"),
        ("--region=Europe", [], "--region=Europe: "),
        ("--machine-type=large", [], "--machine_type=large: write it as n2-standard-8"),
        ("--machine-type=n2-highcpu-16", [], "16 children of up to 1500 MB"),
        ("--machine-type=n2-custom-8-8192", [], "do not fit in its 8192 MB"),
        ("--disk-size-gb=many", [], "--disk_size_gb=many: "),
        ("--image=two words", [], "--sdk_container_image=two words: "),
        ("--temp-location=/tmp", [], "--temp_location=/tmp"),
        ("--no-use-public-ips", UNMEASURED, "models.language_identification: /"),
        ("--no-use-public-ips", ["data=some/folder"], "sources.c4.inputs: some/folder/web/* is on this machine"),
    ],
)
def test_what_is_missing_or_out_of_reach_is_named(repository, emulator, given, settings, said):
    config = load(str(repository / "configs" / "demo.yaml"), [f"data=gs://{BUCKET}/data", *SETTINGS, *settings])
    with pytest.raises(UserError, match=re.escape(said)):
        complete([*CLOUD[1:], given], config, f"gs://{BUCKET}/run", machines=None)


def test_a_run_without_credentials_says_how_to_log_in(repository, emulator, tmp_path, monkeypatch):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    config = load(str(repository / "configs" / "demo.yaml"), [f"data=gs://{BUCKET}/data", *SETTINGS])
    with pytest.raises(UserError, match="no Google credentials here: log in with"):
        complete(CLOUD[1:], config, f"gs://{BUCKET}/run", machines=None)


@pytest.mark.parametrize("machine", ["n1-standard-1", "n2-highmem-16", "c3-standard-8-lssd", "n2-custom-8-32768-ext"])
def test_machine_types_are_known_by_their_cores(repository, emulator, machine):
    config = load(str(repository / "configs" / "demo.yaml"), [f"data=gs://{BUCKET}/data", *SETTINGS])
    flags = complete([*CLOUD[1:], f"--machine-type={machine}"], config, f"gs://{BUCKET}/run", machines=None)
    cores = re.findall(r"\d+", machine.partition("-")[2])[0]
    assert f"--number_of_worker_harness_threads={cores}" in flags


def test_the_image_has_the_pinned_beam_and_all_our_code(repository):
    image = (repository / "deploy" / "dataflow" / "Dockerfile").read_text()
    pins = (repository / "constraints.txt").read_text()
    (beam,) = re.findall(r"^apache-beam==(\S+)$", pins, re.M)
    bases = re.findall(r"^FROM apache/beam_python3\.11_sdk:(\S+)", image, re.M)
    assert bases == [beam, beam]
    assert "python311-template-launcher" in image
    assert all(f"COPY {package} {package}\n" in image for package in OURS)


def test_a_template_takes_what_run_takes(repository, monkeypatch):
    template = json.loads((repository / "deploy" / "dataflow" / "metadata.json").read_text())
    parameters = {parameter["name"]: parameter for parameter in template["parameters"]}
    (run,) = (one for one in typer.main.get_command(app).commands.values() if one.name == "run")
    known = {option.removeprefix("--") for parameter in run.params for option in parameter.opts}
    assert parameters.keys() - {"settings"} <= known
    assert {name for name, one in parameters.items() if not one["isOptional"]} == {"config", "out"}
    accepted = {"config": "gs://b/llama.yaml", "out": "gs://b/run", "until": "text", "workers": "40"}
    accepted["settings"] = "seed=1 commoncrawl.deduplicate.scope=all"
    refused = {"config": "llama.yaml", "out": "runs/llama", "until": "tokens", "workers": "0", "settings": "--runner"}
    for name, parameter in parameters.items():
        (shape,) = parameter["regexes"]
        assert re.fullmatch(shape, accepted[name])
        assert not re.fullmatch(shape, refused[name])
    monkeypatch.syspath_prepend(str(repository / "deploy" / "dataflow"))
    from launch import command  # type: ignore[import-not-found]

    given = [f"--{name}={value}" for name, value in accepted.items()]
    assert command([*given, "--runner=DataflowRunner", "--template_location=gs://b/t"]) == [
        *("run", "--runner=dataflow", *given[:-1], "seed=1", "commoncrawl.deduplicate.scope=all"),
        "--template_location=gs://b/t",
    ]


def test_a_built_package_holds_every_file_of_ours(repository, tmp_path):
    copy = tmp_path / "copy"
    for folder in OURS:
        shutil.copytree(repository / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(repository / name, copy)
    build = [sys.executable, "-c", "import setuptools.build_meta as b; b.build_wheel('.')"]
    subprocess.run(build, cwd=copy, check=True, capture_output=True)
    (wheel,) = copy.glob("*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert packed == {str(p.relative_to(copy)) for folder in OURS for p in (copy / folder).rglob("*") if p.is_file()}
