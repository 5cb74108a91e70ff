"""Whole runs through the commands, as a user types them, on real formats: determinism, kills, bad input, mistakes."""

import bz2
import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from filters.perplexity import load_language_scorer
from tests.runs import SETTINGS, command, files, succeed


def test_a_run_keeps_and_drops_with_reasons_and_its_shards_are_as_the_manifest_says(repository, reference):
    manifest = json.loads((reference / "manifest.json").read_text())
    crawl = manifest["stages"]["commoncrawl.clean"]["counts"]
    assert crawl["read"] == crawl["kept"] + sum(n for reason, n in crawl.items() if reason.startswith("dropped: "))
    assert crawl["dropped: language"] > 10
    assert crawl["dropped: too_short"] > 0
    assert crawl["dropped: perplexity_tail"] > 10
    assert crawl["lines_removed"] > 100
    assert manifest["sources"]["wikipedia"]["documents"] > 100
    assert "sample__CC-MAIN-SAMPLE-empty.warc.wet.gz" in manifest["stages"]["commoncrawl.digest"]["left_out"]
    assert "sample__CC-MAIN-SAMPLE-truncated.warc.wet.gz" in manifest["stages"]["commoncrawl.clean"]["truncated"]
    assert "all as the manifest says" in succeed(repository, "pipelines", "verify", str(reference))


def test_a_second_run_does_nothing_again(repository, run_arguments, reference):
    before = files(reference)
    records = {p: p.read_bytes() for p in (reference / "tasks").rglob("records.jsonl")}
    succeed(repository, *run_arguments(reference))
    assert files(reference) == before
    assert {p: p.read_bytes() for p in (reference / "tasks").rglob("records.jsonl")} == records


def kill_after(repository: Path, arguments: list[str], seconds: float) -> bool:
    """Start a run in its own process group and kill the whole group after some seconds; False if it ended before."""
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=repository,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False


KILLS = int(os.environ.get("ALTIPLANO_KILLS", "3"))


@pytest.mark.parametrize("number", range(KILLS))
def test_a_kill_of_the_whole_group_at_any_time_of_a_run_changes_no_byte(
    repository, run_arguments, reference, tmp_path, number
):
    """Kills spread evenly over a run's wall time, each on a folder of its own, and a second kill in the rerun."""
    moment = reference_seconds(reference) * (number + 0.5) / KILLS
    assert kill_after(repository, run_arguments(tmp_path), moment) or number == KILLS - 1
    kill_after(repository, run_arguments(tmp_path), moment)
    succeed(repository, *run_arguments(tmp_path))
    assert files(tmp_path) == files(reference)
    assert not list((tmp_path / ".scratch").glob("*"))


def reference_seconds(reference: Path) -> float:
    """The wall time of the undisturbed run: from a little before its first task to the end of its last stage."""
    states = json.loads((reference / "tasks" / "state.json").read_text())
    return max(s["ended"] for s in states) - min(s["started"] for s in states) + 2


def test_an_edited_setting_redoes_what_uses_it_and_nothing_else(repository, run_arguments, reference, tmp_path, sample):
    out = tmp_path / "run"
    shutil.copytree(reference, out)
    before = {p.parent.name: p.read_bytes() for p in (out / "tasks").rglob("records.jsonl")}
    succeed(repository, *run_arguments(out, sample, "commoncrawl.keep_buckets=[head]"))
    after = {p.parent.name: p.read_bytes() for p in (out / "tasks").rglob("records.jsonl")}
    assert {name for name in before if before[name] != after[name]} == {"commoncrawl.clean", "commoncrawl.tokens"}


def test_what_another_configuration_left_is_removed_and_the_tokenizer_is_the_one_in_the_manifest(
    repository, run_arguments, models, reference, tmp_path
):
    out = tmp_path / "run"
    shutil.copytree(reference, out)
    (out / "tokens" / "books").mkdir()
    (out / "tokens" / "books" / "old.parquet").write_text("of a source that is gone")
    (out / "models" / "tokenizer.model").write_bytes(b"of another run")
    succeed(repository, *run_arguments(out))
    assert files(out) == files(reference)
    assert (out / "models" / "tokenizer.model").read_bytes() == Path(models[1].partition("=")[2]).read_bytes()


def test_ctrl_c_stops_at_once_and_the_same_command_goes_on(repository, run_arguments, reference, tmp_path):
    # whoever runs the tests may ignore SIGINT, which a child would take over
    arguments = ["env", "--default-signal=INT", sys.executable, "-m", *run_arguments(tmp_path)]
    process = subprocess.Popen(arguments, cwd=repository, stderr=subprocess.PIPE, start_new_session=True)
    while not list((tmp_path / "tasks").glob("*/*.json")):
        time.sleep(0.02)
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"interrupted; the same command goes on where this one stopped" in said
    assert b"Traceback" not in said
    succeed(repository, *run_arguments(tmp_path))
    assert files(tmp_path) == files(reference)


def test_verify_finds_a_damaged_shard(repository, reference, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(reference, out)
    shard = next((out / "tokens" / "wikipedia").iterdir())
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    done = command(repository, "pipelines", "verify", str(out))
    assert done.returncode == 1
    assert f"tokens/wikipedia/{shard.name}: its bytes are not those in the manifest" in done.stdout


def test_inspect_shows_what_was_dropped_and_why_and_what_is_in_a_file(repository, reference):
    said = succeed(repository, "pipelines", "inspect", str(reference), "--reason", "language", "--number", "2")
    assert said.count("'dropped': 'language'") == 2
    assert "93.71 %" in said
    text = next((reference / "text" / "wikipedia").iterdir())
    assert "wikipedia/sample/" in succeed(repository, "pipelines", "inspect", str(text))
    shard = next((reference / "tokens" / "wikipedia").iterdir())
    assert " tokens: [1, " in succeed(repository, "pipelines", "inspect", str(shard), "--number", "1")
    refused = command(repository, "pipelines", "inspect", str(text), "--reason", "language")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)


def test_plan_says_what_a_run_would_do(repository, sample, tmp_path):
    arguments = ["--config", "configs/demo.yaml", "--out", str(tmp_path / "out"), f"data={sample}", *SETTINGS]
    said = succeed(repository, "pipelines", "plan", *arguments)
    assert all(f"commoncrawl.{stage}" in said for stage in ("digest", "lines", "clean", "tokens"))
    assert "last to finish: " in said
    assert not (tmp_path / "out").exists()


MISTAKES = {
    "unknown key": (
        ["commoncrawl.languge.keep=[en]"],
        "sources.commoncrawl.languge: unknown key; did you mean language?",
    ),
    "wrong type": (["commoncrawl.min_characters=many"], "sources.commoncrawl.min_characters: "),
    "weights": (
        ["wikipedia.weight=7"],
        "the sources' weights must sum to 100, but commoncrawl 93.71 + wikipedia 7 = 100.71",
    ),
    "missing path": (["data=/nowhere"], "sources.commoncrawl.inputs.sample: no file matches /nowhere/web/*"),
    "not an override": (["seed"], "an override is written as dotted.name=value"),
    "percentiles": (["models.percentiles=[60, 30]"], "models.percentiles: two percentiles are wanted, the first below"),
    "unknown option": (["--worker=3"], "--worker=3: no option of this command"),
    "option with a space": (["--project", "p"], "--project p: not an option of this command; one for a runner is --"),
    "Spark's property with a space": (["--conf", "spark.a=b"], "one for a runner is --conf=spark.a=b"),
    "unknown runner": (["--runner=fast"], "--runner fast: direct, spark, dataflow, or a Beam runner's full name"),
    "missing models": (["models.folder=/nowhere"], "/nowhere/models.json: there are no models yet"),
    "missing tokenizer": (["tokenizer.path=/nowhere"], "/nowhere: there is no tokenizer yet"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_clear_line_and_nothing_starts(repository, run_arguments, tmp_path, sample, mistake):
    overrides, said = MISTAKES[mistake]
    done = command(repository, *run_arguments(tmp_path / "out", sample, *overrides))
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_model_that_is_none_and_one_that_was_changed_are_refused(repository, run_arguments, models, tmp_path, sample):
    folder = Path(models[0].partition("=")[2])
    shutil.copytree(folder, tmp_path / "models")
    kenlm = next((tmp_path / "models" / "perplexity").glob("*.kenlm"))
    kenlm.write_bytes(b"not a model")
    done = command(repository, *run_arguments(tmp_path / "out", sample, f"models.folder={tmp_path / 'models'}"))
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "no longer the model that was pinned" in done.stderr
    (tmp_path / "no.model").write_text("not a model")
    done = command(repository, *run_arguments(tmp_path / "out", sample, f"tokenizer.path={tmp_path / 'no.model'}"))
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "not a SentencePiece model" in done.stderr


def test_broken_files_are_named_and_the_others_are_done(repository, run_arguments, sample, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(sample, data)
    whole = (sample / "web" / "CC-MAIN-SAMPLE-00000.warc.wet.gz").read_bytes()
    (data / "web" / "cut.wet.gz").write_bytes(whole[: len(whole) // 2])
    (data / "web" / "garbage.wet.gz").write_bytes(b"no gzip, no WARC")
    (data / "web" / "empty-member.wet.gz").write_bytes(gzip.compress(b""))
    dump = (sample / "wikipedia" / "dewiki-20220801-pages-articles.xml.bz2").read_bytes()
    (data / "wikipedia" / "svwiki-20220801-pages-articles.xml.bz2").write_bytes(dump[: len(dump) // 2])
    succeed(repository, *run_arguments(tmp_path / "out", data))
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    left_out = manifest["stages"]["commoncrawl.digest"]["left_out"]
    assert {"sample__garbage.wet.gz", "sample__empty-member.wet.gz"} <= set(left_out)
    assert "sample__cut.wet.gz" in manifest["stages"]["commoncrawl.clean"]["truncated"]
    wiki = manifest["stages"]["wikipedia.clean"]
    assert "sample__svwiki-20220801-pages-articles.xml.bz2" in {**wiki.get("truncated", {}), **wiki.get("left_out", {})}
    strict = command(repository, *run_arguments(tmp_path / "strict", data, "unreadable_inputs=stop"))
    assert strict.returncode == 1
    assert "garbage.wet.gz: unreadable: " in strict.stderr
    assert "Traceback" not in strict.stderr


def test_a_second_run_on_a_folder_in_use_is_refused(repository, run_arguments, tmp_path):
    arguments = run_arguments(tmp_path)
    first = subprocess.Popen(
        [sys.executable, "-m", *arguments], cwd=repository, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    try:
        while not (tmp_path / "tasks" / "lock.json").exists():
            time.sleep(0.05)
            assert first.poll() is None
        time.sleep(0.2)
        second = command(repository, *arguments)
        assert (second.returncode, len(second.stderr.splitlines())) == (2, 1)
        assert f"another run holds this folder (process {first.pid}" in second.stderr
    finally:
        first.kill()
        first.wait()


def test_a_full_disk_stops_the_run_in_one_line_and_a_rerun_finishes_it(repository, run_arguments, reference, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    if (
        os.geteuid()
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1500k", "tmpfs", small], check=False).returncode
    ):
        pytest.skip("a small disk takes a mount, which takes root")
    try:
        done = command(repository, *run_arguments(small))
        assert done.returncode == 1
        assert "the disk is full" in done.stderr
        assert "Traceback" not in done.stderr
        subprocess.run(["mount", "-o", "remount,size=200m", small], check=True)
        succeed(repository, *run_arguments(small))
        assert files(small) == files(reference)
    finally:
        subprocess.run(["umount", small], check=True)


def test_real_pages_and_dumps_are_taken_and_what_cannot_be_taken_is_named(
    repository, run_arguments, shared_data, tmp_path
):
    # the cut-offs that documentation gives would put every real page into the tail
    overrides = ["wikipedia.split_bytes=500000", "commoncrawl.keep_buckets=[head, middle, tail]"]
    said = succeed(repository, *run_arguments(tmp_path, shared_data, *overrides))
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    crawl = manifest["stages"]["commoncrawl.clean"]
    assert crawl["counts"]["read"] == 791  # 766 real pages of WET files, and what WARC files have
    assert crawl["counts"]["dropped: language"] > 300  # German, Spanish, French...
    assert crawl["counts"]["kept"] > 50
    kept = pq.read_table(tmp_path / "text" / "commoncrawl")
    assert set(kept["language"].to_pylist()) == {"en"}
    dropped = pq.read_table(tmp_path / "dropped" / "commoncrawl")
    reasons = set(dropped["dropped"].to_pylist())
    assert {"language", "language_score", "too_short"} <= reasons
    left_out = manifest["stages"]["commoncrawl.digest"]["left_out"]
    names = ("cc_net__sample.warc.txt", "warcio__example-trunc.warc", "warcio__example-wrong-chunks.warc.gz")
    assert left_out.keys() == {f"sample__{name}" for name in names}
    assert all(name in said for name in names)
    wiki = pq.read_table(tmp_path / "text" / "wikipedia")
    languages = {dict(m)["language"] for m in wiki["metadata"].to_pylist()}
    assert {
        "bg",
        "ca",
        "cs",
        "da",
        "de",
        "en",
        "es",
        "fr",
        "hu",
        "it",
        "nl",
        "pl",
        "pt",
        "ro",
        "ru",
        "sv",
        "uk",
    } <= languages
    assert not {"ja", "zh"} & languages  # not among the paper's twenty
    assert "all as the manifest says" in succeed(repository, "pipelines", "verify", str(tmp_path))


def test_the_language_model_puts_english_below_shuffled_english_below_german(repository, models):
    folder = Path(models[0].partition("=")[2])
    names = json.loads((folder / "models.json").read_text())["files"]
    paths = [folder / names[f"model.perplexity.en.{kind}"]["path"] for kind in ("sentencepiece", "kenlm")]
    scorer = load_language_scorer(*paths)
    prose = repository / "pipelines" / "sample" / "prose"
    english, german = ([p.read_text() for p in sorted((prose / code).glob("*.txt"))] for code in ("en", "de"))
    words = [text.split() for text in english]
    for page in words:
        random.Random(0).shuffle(page)
    assert len(english) + len(german) >= 40
    medians = [float(np.median(scorer(texts))) for texts in (english, [" ".join(page) for page in words], german)]
    assert medians == sorted(medians)
    assert medians[0] * 1.5 < medians[1]


def test_monsters_are_counted_and_no_process_passes_the_memory_limit(repository, run_arguments, sample, tmp_path):
    """A line of 200 MB, a record that claims 10^18 bytes, a page of 200 MB in a dump; the good ones stay."""
    data = tmp_path / "data"
    shutil.copytree(sample, data)
    whole = (sample / "web" / "CC-MAIN-SAMPLE-00000.warc.wet.gz").read_bytes()
    (data / "web" / "line.wet.gz").write_bytes(wet_record("1", b"a" * 200_000_000) + whole)
    (data / "web" / "liar.wet.gz").write_bytes(wet_record("2", b"some text", length=10**18) + whole)
    dump = bz2.decompress((data / "wikipedia" / "dewiki-20220801-pages-articles.xml.bz2").read_bytes())
    monster = b"<page><title>M</title><ns>0</ns><id>99</id><revision><id>1</id><text>" + b"b" * 200_000_000
    head, _, tail = dump.partition(b"<page>")
    page = monster + b"</text></revision></page>"
    (data / "wikipedia" / "dewiki-20220801-pages-articles.xml.bz2").write_bytes(
        bz2.compress(head + page + b"<page>" + tail, 1)
    )
    out = tmp_path / "out"
    succeed(repository, *run_arguments(out, data))
    records = [json.loads(line) for p in (out / "tasks").rglob("records.jsonl") for line in p.read_text().splitlines()]
    assert len(records) > 10
    assert max(record["run"]["peak_mb"] for record in records) < 1500
    stages = json.loads((out / "manifest.json").read_text())["stages"]
    crawl, wiki = stages["commoncrawl.clean"]["counts"], stages["wikipedia.clean"]["counts"]
    assert crawl["dropped: too_large"] == 1
    assert any(reason.startswith("reader: warc: ") for reason in crawl)
    assert wiki["dropped: too_large"] == 1


def wet_record(name: str, body: bytes, length: int | None = None) -> bytes:
    header = (
        f"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: http://{name}.example/\r\n"
        f"WARC-Record-ID: <urn:uuid:00000000-0000-0000-0000-{int(name):012d}>\r\n"
        f"Content-Length: {len(body) if length is None else length}\r\n\r\n"
    )
    return gzip.compress(header.encode() + body + b"\r\n\r\n", 1)
