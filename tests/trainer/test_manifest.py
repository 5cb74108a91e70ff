from pathlib import Path

import fsspec
import pytest

from tests.trainer.conftest import write_run
from trainer.errors import ConfigError
from trainer.manifest import read_manifest, units_of


def test_a_manifest_is_read_by_its_path_or_its_folder(small_run):
    manifest = read_manifest(small_run)
    assert manifest == read_manifest(str(Path(small_run).parent))
    assert manifest.location == f"file://{small_run}"
    assert manifest.sources["wikipedia"].shards[0].row_groups == (100, 60)
    assert manifest.tokenizer.pieces == 60_000


def test_its_sha256_is_that_of_the_data_and_of_nothing_else(small_run, edit_manifest):
    before = read_manifest(small_run).sha256
    edit_manifest(small_run, lambda m: m.update(versions={"source": "another"}, stages={}))
    assert read_manifest(small_run).sha256 == before
    edit_manifest(small_run, lambda m: m["sources"]["wikipedia"]["shards"][0].update(sha256="0" * 64))
    assert read_manifest(small_run).sha256 != before


def test_a_manifest_is_read_from_a_store(tmp_path):
    location = write_run(tmp_path, {"books": (100.0, [[[300]]])})
    store = fsspec.filesystem("memory")
    store.put(str(tmp_path), "/bucket/run", recursive=True)
    manifest = read_manifest("memory://bucket/run/manifest.json")
    assert manifest.sha256 == read_manifest(location).sha256
    assert manifest.filesystem.exists(f"{manifest.folder}/tokens/books/00000.parquet")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(format="another/manifest"), "format"),
        (lambda m: m.update(version=2), "version"),
        (lambda m: m.pop("tokenizer"), "tokenizer"),
        (lambda m: m["sources"]["wikipedia"].update(weight=24.0), "weights sum to 99, not 100"),
        (lambda m: m["sources"]["wikipedia"].update(weight=25.001), "at most two decimals"),
        (lambda m: m["sources"]["wikipedia"].update(weight="much"), "sources.wikipedia.weight"),
        (lambda m: m["sources"]["wikipedia"].update(tokens=5), "shards hold 160 tokens, `tokens` says 5"),
        (lambda m: m["sources"]["wikipedia"]["shards"][0].update(row_groups=[1]), "row groups hold 1 tokens"),
        (
            lambda m: m["sources"]["wikipedia"]["shards"][0].update(path="../other.parquet"),
            "leaves the manifest's folder",
        ),
        (lambda m: m["sources"]["wikipedia"]["shards"][0].update(path="/etc/passwd"), "leaves the manifest's folder"),
        (lambda m: m["tokenizer"].update(path="../../x.model"), "leaves the manifest's folder"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_refused_in_one_line(small_run, edit_manifest, change, message):
    edit_manifest(small_run, change)
    with pytest.raises(ConfigError) as error:
        read_manifest(small_run)
    assert message in str(error.value)
    assert small_run in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe"])
def test_what_is_not_json_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(ConfigError, match=r"^[^\n]*not a manifest that can be used[^\n]*$"):
        read_manifest(str(tmp_path))


@pytest.mark.parametrize("location", ["nowhere/manifest.json", "nowhere", "memory://nowhere/manifest.json"])
def test_a_missing_manifest_is_named(location):
    with pytest.raises(ConfigError, match=f"{location}: no manifest here"):
        read_manifest(location)


def test_an_unknown_store_is_one_line():
    with pytest.raises(ConfigError, match="cannot be read"):
        read_manifest("nosuchstore://bucket/manifest.json")


def test_weights_are_exact_in_ten_thousandths():
    assert units_of({"a": 93.71, "b": 6.29}) == {"a": 9371, "b": 629}
    with pytest.raises(ValueError, match="not 100"):
        units_of({"a": 50.0})
    with pytest.raises(ValueError, match="decimals"):
        units_of({"a": 150.0, "b": -50.0})
