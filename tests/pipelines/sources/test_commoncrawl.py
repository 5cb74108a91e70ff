"""Common Crawl's chain with each of its steps on and off, on real pages."""

import shutil
import subprocess
import sys
from pathlib import Path
from pydoc_data.topics import topics

import pyarrow.parquet as pq
import pytest

from pipelines.config import load
from pipelines.errors import UserError
from pipelines.languagemodel import train_language_model
from pipelines.models import Models, language_identification, pinned
from tests.pipelines.sources.chains import NO_MODELS, counts, run_chain, texts

OFF = {"deduplicate": False, "language": False, "perplexity": False}
READ = ["id", "source", "text", "metadata"]
WET = "web/derived-realpages-00000.warc.wet.gz"
STEPS = ("deduplicate", "language", "perplexity")


def run(shared_data: Path, out: Path, inputs: str = WET, models: Models = NO_MODELS, **settings: object):
    """The clean documents and the counts of a chain in which only these steps are done."""
    done = run_chain("commoncrawl", {"inputs": {"dump": [inputs]}, **OFF, **settings}, shared_data, out, models)
    return list(done), texts(done, "commoncrawl.clean", out), counts(done, "commoncrawl.clean")


def test_with_every_step_off_pages_are_what_the_reader_gives(shared_data, tmp_path):
    stages, found, total = run(shared_data, tmp_path)
    assert stages == ["commoncrawl.clean"]
    assert found.column_names == READ
    assert (total["read"], total["kept"], total.get("dropped: too_short", 0)) == (192, 192, 0)


def test_deduplication_alone_removes_lines_and_needs_no_model(shared_data, tmp_path):
    stages, found, total = run(shared_data, tmp_path, deduplicate=True)
    assert stages == ["commoncrawl.digest", "commoncrawl.lines", "commoncrawl.clean"]
    assert found.column_names == [*READ, "lines_kept", "lines_removed"]
    lines = [line.strip().lower() for text in found["text"].to_pylist() for line in text.split("\n")]
    assert len(lines) == len(set(lines)) == total["lines_kept"]
    assert total["lines_removed"] > 5_000


def test_scope_and_what_is_kept_are_settings(shared_data, tmp_path):
    _, none, _ = run(shared_data, tmp_path / "none", deduplicate={"scope": "all"})
    _, first, _ = run(shared_data, tmp_path / "first", deduplicate={"scope": "all", "keep": "first"})
    assert 0 < sum(none["lines_kept"].to_pylist()) < sum(first["lines_kept"].to_pylist())


def test_language_alone_asks_for_no_language_model(shared_data, tmp_path):
    stages, found, total = run(
        shared_data, tmp_path, models=language_identification(None), language={"keep": ["es"], "min_score": 0.7}
    )
    assert stages == ["commoncrawl.clean"]
    assert found.column_names == [*READ, "language", "language_score"]
    assert set(found["language"].to_pylist()) == {"es"}
    assert min(found["language_score"].to_pylist()) >= 0.7
    assert total["dropped: language"] > 100


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Models:
    """A language model of English, and cut-offs."""
    folder = tmp_path_factory.mktemp("models")
    sentencepiece, kenlm = folder / "sp.model", folder / "lm.bin"
    train_language_model(iter(topics.values()), sentencepiece, kenlm, scratch=folder, pieces=1_000, memory_mb=200)
    files = {
        **language_identification(None).files,
        "model.perplexity.en.sentencepiece": pinned(str(sentencepiece)),
        "model.perplexity.en.kenlm": pinned(str(kenlm)),
    }
    return Models(files, {"en": (90.0, 100.0)})


def test_perplexity_alone_keeps_every_language_and_puts_english_into_buckets(shared_data, tmp_path, models):
    stages, found, total = run(
        shared_data, tmp_path, models=models, perplexity=True, keep_buckets=["head", "middle", "all"]
    )
    assert stages == ["commoncrawl.clean"]
    assert found.column_names == [*READ, "language", "language_score", "perplexity", "bucket"]
    rows = found.select(["language", "perplexity", "bucket"]).to_pylist()
    assert {(row["language"] == "en", row["bucket"]) for row in rows} >= {(True, "middle"), (False, "all")}
    assert all((row["bucket"] == "all") == (row["perplexity"] is None) == (row["language"] != "en") for row in rows)
    assert total["dropped: perplexity_tail"] > 0


def test_a_minimum_of_characters_is_a_setting(shared_data, tmp_path):
    _, found, total = run(shared_data, tmp_path, min_characters=5_000)
    assert min(map(len, found["text"].to_pylist())) >= 5_000
    assert total["dropped: too_short"] == 192 - found.num_rows == 48


def test_an_input_may_hold_wet_and_warc_files(shared_data, tmp_path):
    _, found, total = run(shared_data, tmp_path, "web/[dw]*0*.gz", deduplicate=True)
    hosts = {dict(row)["url"].split("/")[2] for row in found["metadata"].to_pylist()}
    assert total["read"] == 766 + 22
    assert {"www.finanztip.de", "www.cs.washington.edu"} <= hosts


@pytest.fixture
def config(tmp_path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text('sources: {commoncrawl: {weight: 100, inputs: {dump: ["*.gz"]}}}')
    return path


@pytest.mark.parametrize("off", ["false", "null"])
def test_false_and_null_are_off_and_true_is_on(config, off):
    crawl = load(str(config), [f"commoncrawl.{step}={off}" for step in STEPS]).sources.commoncrawl
    assert crawl is not None
    assert [link.name for link in crawl.chain()] == ["clean"]
    assert load(str(config), [f"commoncrawl.{step}=true" for step in STEPS]) == load(str(config))


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("deduplicate=yes please", "a section of settings is wanted, or false to leave this step out (given: 'yes pl"),
        ("language=[en]", "a section of settings is wanted, or false to leave this step out (given: ['en'])"),
        ("perplexity=[head]", "true is wanted, or false to leave this step out (buckets are `keep_buckets`) (given: ["),
        ("deduplicate.scope=shard", "input should be 'group', 'dump' or 'all' (given: 'shard')"),
        ("deduplicate.scopes=all", "unknown key; did you mean scope?"),
    ],
)
def test_a_mistake_names_key_value_and_what_is_accepted(config, override, said):
    with pytest.raises(UserError) as error:
        load(str(config), [f"commoncrawl.{override}"])
    assert str(error.value).startswith(f"{config}: sources.commoncrawl.{override.partition('=')[0]}: {said}")


def command(repository: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=repository, capture_output=True, text=True, timeout=200, check=False
    )


def test_a_run_without_perplexity_and_deduplication_needs_no_models(repository, shared_data, config, tmp_path):
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    for name in ("whirlwind-python__whirlwind.warc.gz", "dolma__sample-0000.warc.gz"):
        shutil.copy(shared_data / "web" / name, data)
    settings = [f"data={data}", "commoncrawl.perplexity=false", "commoncrawl.deduplicate=false"]
    base = ["pipelines", "run", "--until", "text", "--config", str(config), "--out", str(out), *settings]
    done = command(repository, *base)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in out.iterdir() if path.is_dir()} - {".scratch"} == {"dropped", "tasks", "text"}
    clean = pq.read_table(out / "text")
    assert (clean.num_rows, set(clean["language"].to_pylist())) == (22, {"en"})
    assert pq.read_table(out / "dropped")["dropped"].to_pylist() == ["language"]  # a page in Aragonese
    asked = command(repository, *base, "commoncrawl.perplexity=true")
    assert (asked.returncode, len(asked.stderr.splitlines())) == (2, 1)
    assert "there are no models yet; make them with `make models`, once" in asked.stderr
    made = command(repository, "pipelines", "models", *base[4:])
    assert made.returncode == 0, made.stderr
    asked = command(repository, *base, "commoncrawl.perplexity=true")
    assert (asked.returncode, len(asked.stderr.splitlines())) == (2, 1)
    assert "models.json: made with commoncrawl.perplexity=false; make it again" in asked.stderr
