"""What goes wrong on Spark, embedded and on a standalone cluster: it is said in one line, and never a hang."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace

import psutil
import pytest
from ruamel.yaml import YAML

from pipelines import spark
from pipelines.engine import Engine, Limits
from pipelines.errors import RunError, UserError
from pipelines.pool import close_pools
from pipelines.spark import Settings
from tests.cluster import cluster as started_cluster
from tests.cluster import free_port, needs_spark
from tests.pipelines.test_run import Books
from tests.runs import command, files, succeed

pytestmark = needs_spark


def job_servers(run: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Those that a run has started; what ends while they are looked for is none."""
    with suppress(psutil.NoSuchProcess):
        children = [p.as_dict(["name", "cmdline"]) | {"process": p} for p in psutil.Process(run.pid).children(True)]
        return [c["process"] for c in children if c["name"] == "java" and "SparkJobServerDriver" in str(c["cmdline"])]
    return []


@pytest.fixture
def embedded():
    """Spark as the engine for a stage of this very process."""
    yield Engine(Limits(workers=2, memory_mb=400, seconds=15), "spark")
    spark.stop()
    close_pools()


@pytest.fixture(params=["embedded", "cluster"])
def on_spark(request, embedded):
    if request.param == "embedded":
        return embedded
    return replace(embedded, options=(f"--master={request.getfixturevalue('master')}",))


def test_poisoned_tasks_fail_alone(on_spark, tmp_path):
    books = Books(tmp_path)
    books.write(a="one", b="segfault", c="hungry", d="endless", e="two", f="mistake", g="broken")
    with pytest.raises(RunError) as stopped:
        books.run(on_spark)
    said = str(stopped.value)
    assert "5 tasks could not be done" in said
    for line in ("b: crashed: ", "c: memory: ", "d: time: ", "f: error: KeyError", "g: unreadable: "):
        assert f"books.clean {line}" in said
    books.write(b="b", c="c", d="d", f="f", g="g")
    assert books.run(on_spark).did == 5
    assert books.texts() == {"a": "ONE", "b": "B", "c": "C", "d": "D", "e": "TWO", "f": "F", "g": "G"}


def test_a_full_disk_is_said(embedded, tmp_path):
    if os.geteuid():
        pytest.skip("a small disk takes a mount, which takes root")
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", small], check=True)
    try:
        books = Books(small)
        books.write(a="a" * 60_000, b="b" * 60_000)
        with pytest.raises(RunError, match="the disk is full"):
            books.run(embedded)
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_master_that_is_not_there_is_said_at_once(tmp_path):
    books = Books(tmp_path)
    books.write(a="one")
    url = f"spark://localhost:{free_port()}"
    with pytest.raises(UserError, match=f"--master {url}: nothing answers"):
        books.run(Engine(Limits(2, 400, 8), "spark", (f"--master={url}",)))


def test_a_cluster_without_workers_is_given_up_after_the_time_that_was_set(tmp_path):
    books = Books(tmp_path)
    books.write(a="one")
    with started_cluster(tmp_path, workers=0) as cluster:
        engine = Engine(Limits(2, 400, 8), "spark", (f"--master={cluster.url}", "--start-timeout=16"))
        with pytest.raises(RunError, match="has no free executors after 16 s"):
            books.run(engine)


def test_a_worker_that_cannot_start_is_said(embedded, master, tmp_path):
    books = Books(tmp_path)
    books.write(a="one")
    broken = tmp_path / "worker"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    options = (f"--master={master}", f"--worker-command={broken}")
    with pytest.raises(RunError, match="Process died with exit code 3") as stopped:
        books.run(replace(embedded, options=options))
    assert len(str(stopped.value).splitlines()) == 1


def test_a_job_server_that_is_killed_ends_the_run_in_one_line_and_a_rerun_finishes(
    repository, run_arguments, reference, tmp_path
):
    arguments = [sys.executable, "-m", *run_arguments(tmp_path), "--runner=spark", "--workers=2"]
    process = subprocess.Popen(arguments, cwd=repository, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    while not list((tmp_path / "tasks").glob("*/*.json")):
        time.sleep(0.1)
        assert process.poll() is None
    [server] = job_servers(process)
    server.kill()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"Spark's job server ended with exit code -9" in said
    assert b"Traceback" not in said
    succeed(repository, *run_arguments(tmp_path))
    assert files(tmp_path) == files(reference)


def test_the_job_server_ends_with_a_run_that_is_killed(repository, run_arguments, tmp_path):
    arguments = [sys.executable, "-m", *run_arguments(tmp_path), "--runner=spark", "--workers=2"]
    process = subprocess.Popen(arguments, cwd=repository, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while not (servers := job_servers(process)):
        time.sleep(0.1)
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not psutil.wait_procs(servers, timeout=10)[1]


def test_options_of_spark_are_told_from_the_others():
    settings, others = Settings.parse(["--master=yarn", "--conf=spark.executor.memory=4g", "--flink_x=1"])
    assert (settings.master, settings.properties, others) == ("yarn", ("spark.executor.memory=4g",), ["--flink_x=1"])
    assert not settings.embedded
    assert Settings.parse([])[0].embedded


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--conf=executor.memory=4g"], "a Spark property is given as --conf spark"),
        (["--start-timeout=soon"], "invalid int value: 'soon'"),
        (["--master=host:7077"], "spark://HOST:PORT, yarn, k8s://URL or local"),
    ],
)
def test_a_mistake_in_an_option_is_one_line(repository, run_arguments, tmp_path, options, said):
    done = command(repository, *run_arguments(tmp_path), "--runner=spark", *options)
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1)
    assert said in done.stderr


def test_the_cluster_of_the_manifest_starts_what_is_here(repository):
    yaml = YAML(typ="safe")
    documents = list(yaml.load_all(repository / "deploy" / "spark" / "kubernetes.yaml"))
    containers = [c for d in documents if "template" in d["spec"] for c in d["spec"]["template"]["spec"]["containers"]]
    commands = {c["name"]: [*c["command"], *c.get("args", [])] for c in containers}
    assert all((repository / command[0]).exists() for command in commands.values())
    assert commands["worker"][2] == "spark://altiplano-master:7077"
    assert documents[0]["metadata"]["name"] == "altiplano-master"
    options = [option for option in commands["run"] if option.startswith(("--master=", "--conf="))]
    assert Settings.parse(options) == (
        Settings("spark://altiplano-master:7077", ("spark.executor.memory=4g",)),
        [],
    )
