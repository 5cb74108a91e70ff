"""A manifest is read, or refused in one line."""

import json

import pytest

from pipelines.errors import UserError
from pipelines.manifest import FORMAT, VERSION, read_manifest, verify

SHARD = {"path": "a.parquet", "rows": 1, "tokens": 2, "bytes": 3, "sha256": "0", "row_groups": [2]}
MANIFEST = {
    "format": FORMAT,
    "version": VERSION,
    "sources": {"c4": {"weight": 100.0, "documents": 1, "tokens": 2, "shards": [SHARD]}},
    "tokenizer": {"path": "t.model", "sha256": "0", "pieces": 9},
    "configuration": {},
    "stages": {},
}


def test_a_manifest_comes_whole_with_its_folder(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps(MANIFEST))
    assert read_manifest(str(tmp_path)) == (MANIFEST, str(tmp_path))
    assert verify(str(tmp_path)) == [
        "t.model: cannot be read: No such file or directory",
        "a.parquet: cannot be read: No such file or directory",
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "not JSON, so not a manifest"),
        ("[" * 100_000, "not JSON, so not a manifest"),
        ("[]", "not a manifest of format altiplano/manifest, version 1"),
        (json.dumps(MANIFEST | {"version": 2}), r"not a manifest of format .* \(version\)"),
        (json.dumps(MANIFEST | {"sources": []}), r"not a manifest .* \(sources\)"),
        (json.dumps(MANIFEST).replace('"rows"', '"lines"'), r"not a manifest .* \(sources.c4.shards.0.rows\)"),
    ],
)
def test_what_is_no_manifest_is_refused_in_one_line(tmp_path, content, said):
    path = tmp_path / "manifest.json"
    path.write_text(content)
    with pytest.raises(UserError, match=rf"^{path}: {said}[^\n]*$"):
        verify(str(path))
