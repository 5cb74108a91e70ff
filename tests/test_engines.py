"""The same run on every engine: the same bytes."""

import json
import re
from pathlib import Path

import pytest

from tests.cluster import needs_spark
from tests.runs import files, succeed


@pytest.fixture(scope="module")
def seven(whole_sample, models):
    """The arguments of a run over a part of each of the seven sources."""

    def arguments(out: Path, *more: str) -> list[str]:
        start = ["pipelines", "run", "--config", "configs/demo.yaml", "--out", str(out), f"data={whole_sample}"]
        part = [
            "commoncrawl.inputs.sample=[web/*-00000.*, web/*-truncated.*]",
            "wikipedia.inputs.sample=[wikipedia/dewiki-*]",
            "github.inputs.sample=[github/checkouts.tar, github/*.parquet]",
        ]
        return [*start, *part, *models, *more]

    return arguments


@pytest.fixture(scope="module")
def direct(repository, seven, tmp_path_factory) -> Path:
    """An undisturbed run in process, with two workers."""
    out = tmp_path_factory.mktemp("direct")
    succeed(repository, *seven(out, "--workers=2"))
    return out


def test_the_run_has_all_seven_sources_by_the_papers_weights(direct):
    sources = json.loads((direct / "manifest.json").read_text())["sources"]
    assert {name: source["weight"] for name, source in sources.items()} == {
        "commoncrawl": 67, "c4": 15, "github": 4.5, "wikipedia": 4.5, "books": 4.5, "arxiv": 2.5, "stackexchange": 2,
    }  # fmt: skip
    assert all(source["documents"] >= 3 and source["tokens"] > 2_000 for source in sources.values())


def test_one_worker_in_process_gives_the_same_bytes(repository, seven, direct, tmp_path):
    succeed(repository, *seven(tmp_path, "--workers=1"))
    assert files(tmp_path) == files(direct)


@needs_spark
def test_embedded_spark_gives_the_same_bytes(repository, seven, direct, tmp_path):
    succeed(repository, *seven(tmp_path, "--runner=spark", "--workers=2"))
    assert files(tmp_path) == files(direct)


@needs_spark
@pytest.mark.timeout(900)
def test_a_cluster_gives_the_same_bytes(repository, seven, direct, spark_cluster, tmp_path):
    on_cluster = ["--runner=spark", "--workers=1", f"--master={spark_cluster.url}"]
    succeed(repository, *seven(tmp_path, *on_cluster), timeout=800)
    assert files(tmp_path) == files(direct)
    logs = spark_cluster.executor_logs()
    assert len(logs) >= 10
    assert not any(re.search(r"Fetching \S+\.jar", log) for log in logs)  # executors have the class path
