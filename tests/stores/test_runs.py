"""Whole runs by the commands, everything on a store that fails a request now and then: the same bytes as on a disk."""

import gzip
import json
import os
import subprocess
import sys
from itertools import cycle
from pathlib import Path

import pytest

from pipelines import store
from pipelines.manifest import verify
from pipelines.progress import watch
from pipelines.sample.dump import WikiPage, multistream
from pipelines.sample.wet import WebPage, wet_members
from tests.stores.servers import ONE_IN_TEN, FileServer
from tokenizer.train import train_tokenizer
from trainer.manifest import read_manifest
from trainer.shards import read_row_group, row_groups_of

SETTINGS = ["--workers", "1"]
CONFIG = """
sources:
  commoncrawl: {{ weight: 50, inputs: {{ dump: ["{web}"] }}, deduplicate: {{ scope: all }}, keep_buckets: [all] }}
  wikipedia: {{ weight: 50, inputs: {{ dump: ["{wikipedia}"] }}, split_bytes: 2000 }}
models: {{ perplexity_languages: [] }}
shards: {{ tokens: 20000 }}
"""
CRAWL = "crawl-data/CC-MAIN-2022-33"


def call(module: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def succeed(module: str, *arguments: str, **environment: str) -> str:
    done = call(module, *arguments, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def configured(folder: Path, web: str, wikipedia: str) -> list[str]:
    """The arguments of a run with its sources at these places."""
    path = folder / "config.yaml"
    path.write_text(CONFIG.format(web=web, wikipedia=wikipedia))
    return ["--config", str(path), *SETTINGS]


@pytest.fixture(scope="session")
def corpus(repository) -> dict[str, bytes]:
    """Our own essays as two WET files with their listing, and as a dump of two streams, by their paths."""
    essays = [p.read_text().splitlines() for p in sorted((repository / "pipelines/sample/prose/en").glob("*.txt"))]
    pages = [WebPage(f"https://example.org/{i}", "eng", lines) for i, lines in enumerate(essays)]
    files = {f"{CRAWL}/wet/{i}.warc.wet.gz": b"".join(wet_members(str(i), pages[i::2])) for i in range(2)}
    listing = gzip.compress("\n".join(files).encode(), mtime=0)
    articles = [WikiPage(f"{e[0]} {n}", "\n\n".join(e[1 + n :])) for n in range(5) for e in essays]
    return {
        **files,
        f"{CRAWL}/wet.paths.gz": listing,
        "wiki/enwiki-20220801-pages-articles.xml.bz2": multistream("en", articles),
    }


@pytest.fixture(scope="session")
def local(corpus, tmp_path_factory) -> tuple[Path, list[str]]:
    """A run on a disk, with the models and the tokenizer that the others pin."""
    folder = tmp_path_factory.mktemp("local")
    for name, data in corpus.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    arguments = configured(folder, f"{folder}/{CRAWL}/wet.paths.gz", f"{folder}/wiki/*")
    out, tokenizer = folder / "run", folder / "models" / "tokenizer.model"
    succeed("pipelines", "models", "--out", str(folder), *arguments)
    text = sorted(str(p) for p in (folder / "text" / "wikipedia").glob("*.parquet"))
    train_tokenizer({"wikipedia": text}, {"wikipedia": 1}, tokenizer, pieces=500, sample_bytes=10**6, seed=0)
    pinned = [f"models.folder={folder}/models", f"tokenizer.path={tokenizer}"]
    succeed("pipelines", "run", "--out", str(out), *arguments, *pinned)
    return out, pinned


def test_a_run_with_everything_on_a_store_gives_the_same_manifest_and_bytes(remote, corpus, local, tmp_path):
    here, out = local[0], f"{remote.bucket}/run"
    for name, data in corpus.items():
        store.write_bytes(remote.bucket, name, data)
    arguments = configured(tmp_path, f"{remote.bucket}/{CRAWL}/wet.paths.gz", f"{remote.bucket}/wiki/*")
    failed = remote.proxy.failed
    succeed("pipelines", "models", "--out", remote.bucket, *arguments, **remote.environment)
    assert store.read_bytes(f"{remote.bucket}/models/models.json") == (here.parent / "models/models.json").read_bytes()
    store.write_bytes(remote.bucket, "models/tokenizer.model", (here.parent / "models/tokenizer.model").read_bytes())
    pinned = [f"models.folder={remote.bucket}/models", f"tokenizer.path={remote.bucket}/models/tokenizer.model"]
    succeed("pipelines", "run", "--out", out, *arguments, *pinned, **remote.faulty)
    assert remote.proxy.failed > failed + (10 if remote.bucket.startswith("s3") else 1)
    mine = {n for n in store.list_files(out) if not n.startswith("tasks/")}
    assert mine == {str(p.relative_to(here)) for p in here.rglob("*") if p.is_file() and "tasks" not in p.parts}
    assert [name for name in sorted(mine) if store.read_bytes(f"{out}/{name}") != (here / name).read_bytes()] == []
    assert verify(out) == []
    assert watch(out)
    manifest = read_manifest(out)
    assert manifest.sha256 == read_manifest(str(here)).sha256
    for source in manifest.sources:
        for row_group in row_groups_of(manifest, source):
            assert len(read_row_group(manifest, row_group)) == row_group.tokens


def test_a_run_from_the_web_stops_in_one_line_goes_on_and_copies_each_file_once(corpus, local, tmp_path):
    here, pinned = local
    out, wiki = tmp_path / "run", next(name for name in corpus if name.startswith("wiki/"))
    with FileServer({f"/{name}": data for name, data in corpus.items()}) as server:
        arguments = configured(tmp_path, f"{server.url}/{CRAWL}/wet.paths.gz", f"{server.url}/{wiki}")
        server.refused = f"/{CRAWL}/wet/1.warc.wet.gz"
        done = call("pipelines", "run", "--out", str(out), *arguments, *pinned)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert f"store: {server.url}{server.refused}: the server says 507" in done.stderr
        assert "a store failed at every attempt: run the same command again" in done.stderr
        server.refused, server.faults = "", cycle(ONE_IN_TEN[5:])
        server.requests.clear()
        succeed("pipelines", "run", "--out", str(out), *arguments, *pinned)
        assert server.failed > 1
        got = [path for method, path, _ in server.requests if method == "GET" and path.endswith(".wet.gz")]
        assert set(got) == {f"/{CRAWL}/wet/1.warc.wet.gz"}  # the other one was copied by the run that stopped
    made, wanted = (json.loads((folder / "manifest.json").read_text()) for folder in (out, here))
    assert made["stages"].pop("commoncrawl.fetch")["tasks"] == 2
    assert made == wanted
    shards = [shard["path"] for source in wanted["sources"].values() for shard in source["shards"]]
    assert [shard for shard in shards if (out / shard).read_bytes() != (here / shard).read_bytes()] == []


def test_what_a_store_refuses_is_one_line(remote, tmp_path, local):
    scheme = remote.bucket.partition("://")[0]
    arguments = configured(tmp_path, f"{scheme}://nowhere/web/*", f"{scheme}://nowhere/wiki/*")
    done = call("pipelines", "run", "--out", f"{scheme}://nowhere/run", *arguments, *local[1], **remote.environment)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert f"{scheme}://nowhere/web/*" in done.stderr
