"""Source code as BigQuery's `github_repos` exports it, made of installed packages, and a tar of checkouts of ours.

A package stands for a repository, under the licence that its metadata declare. What a crawl of repositories is full of
is there too: binary files, files too long for the export, code that others wrote or tools did, forks.
"""

import hashlib
import importlib.metadata
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from identify.vendor.licenses import LICENSES

from pipelines.sample.archives import gzipped, tar
from pipelines.sample.packages import installed_files

REPOSITORIES = (
    "certifi", "click", "fasteners", "httplib2", "jinja2", "jsonpickle", "markdown-it-py", "packaging", "pathspec",
    "pluggy", "protobuf", "requests", "six", "sortedcontainers", "tqdm", "typing-extensions",
)  # fmt: skip
_EXPORT_BYTES = 1 << 20  # BigQuery has no content of longer files
_SNIFFED_BYTES = 8_000
_KEYS = (  # of GitHub's licences, by what metadata say; the first that is found
    ("mozilla|mpl", "mpl-2.0"), ("python software foundation|psf", "psf-2.0"), ("apache", "apache-2.0"),
    ("bsd.2", "bsd-2-clause"), ("bsd", "bsd-3-clause"), ("mit", "mit"),
)  # fmt: skip
_HERE = Path(__file__).parent
_OWN = _HERE / "checkouts"
_HOLDER = "Copyright (c) 2022 the Altiplano project"


def export() -> dict[str, bytes]:
    """Two export files by name, JSON lines and Parquet: packages by their names, the fork at the end."""
    repositories = [list(_rows(package)) for package in REPOSITORIES]
    half = len(repositories) // 2
    lines = [json.dumps(row, ensure_ascii=False) for rows in repositories[:half] for row in rows]
    fork = [{**row, "repo_name": "forks/six", "ref": "refs/heads/main"} for row in _rows("six")]
    fork.append({**fork[-1], "path": "tables.py", "size": "4000000", "content": None})
    rest = [row for rows in [*repositories[half:], fork] for row in rows]
    parquet = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rest), parquet, compression="snappy", row_group_size=500)
    return {
        "contents-000000000000.json.gz": gzipped("".join(f"{line}\n" for line in lines).encode()),
        "contents-000000000001.parquet": parquet.getvalue(),
    }


def _rows(package: str) -> Iterator[dict[str, Any]]:
    """A package's files as rows of contents joined with files and licenses."""
    key, version = _license(package), importlib.metadata.version(package)
    for path, file in installed_files(package):
        data = file.read_bytes()
        binary = b"\0" in data[:_SNIFFED_BYTES]
        yield {
            "id": hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest(),
            "size": str(len(data)),
            "content": None if binary or len(data) > _EXPORT_BYTES else data.decode(errors="replace"),
            "binary": binary,
            "copies": "1",
            "repo_name": f"packages/{package}",
            "ref": f"refs/tags/{version}",
            "path": path.as_posix(),
            "mode": "33188",
            "license": key,
        }


def _license(package: str) -> str | None:
    """GitHub's key for the licence that a package declares."""
    said = importlib.metadata.metadata(package).json
    classifiers = [name for name in said.get("classifier", ()) if name.startswith("License")]
    declared = " ".join(map(str, [said.get("license_expression") or said.get("license"), *classifiers]))
    return next((key for pattern, key in _KEYS if re.search(pattern, declared, re.IGNORECASE)), None)


def checkouts() -> dict[str, bytes]:
    """A tar of repositories that we wrote: under MIT one with all that the rules are for, and its fork, in which only
    headers differ; one under the GPL, one without a licence; under Apache's licence the code that builds this sample.
    """
    paths = sorted(path for path in _OWN.rglob("*") if path.is_file())
    tides = {path.relative_to(_OWN).as_posix(): path.read_bytes() for path in paths}
    builder = {f"sample/{path.name}": path.read_bytes() for path in sorted(_HERE.glob("*.py"))}
    repositories: Mapping[str, Mapping[str, bytes]] = {
        "altiplano/sample": {"LICENSE": _text_of("Apache-2.0"), **builder},
        "highlands/copyleft": {"COPYING": _text_of("GPL-3.0"), "tides.c": tides["tides.c"]},
        "highlands/nobody": {"tides.c": tides["tides.c"]},
        "highlands/tides": {"LICENSE": _text_of("MIT"), **tides, **_odd_files()},
        "highlands/tides-fork": {"LICENSE": _text_of("MIT"), **{name: _forked(data) for name, data in tides.items()}},
    }
    members = {f"{repo}/{name}": data for repo, files in repositories.items() for name, data in files.items()}
    return {"checkouts.tar": tar(members)}


def _text_of(license_: str) -> bytes:
    text = dict(LICENSES)[license_]
    return text.replace("Copyright (c) [year] [fullname]", _HOLDER).encode()


def _forked(data: bytes) -> bytes:
    return data.replace(b"Copyright (c) 2022", b"Copyright (c) 2021-2023")


def _odd_files() -> dict[str, bytes]:
    """What nobody wrote, or not as code to be read: each is there for one of the rules."""
    numbers = [int(hashlib.sha256(str(number).encode()).hexdigest()[:4], 16) for number in range(2_000)]
    heights = "\n".join(", ".join(map(str, numbers[row : row + 12])) + "," for row in range(0, len(numbers), 12))
    return {
        "assets/gauge.png.c": b"\x89PNG\0 is what it begins with",
        "assets/tides.min.js": b"function h(a){return a*a}" * 20,
        "build/tides.lua": b"-- Code generated by tidegen. DO NOT EDIT.\n" + b"return { high = 4.1, low = 0.6 }\n" * 9,
        "data/heights.h": b"static const int heights[] = {\n" + heights.encode() + b"\n};\n",
        "data/one-line.js": b"var heights = [" + ",".join(map(str, numbers)).encode() + b"];\n",
        "data/harbours.dat": b"harbour;height\n",
        "docs/rule.pl": b"#" * 60 + b"\n" + b"# +----+----+----+ #\n" * 20,
        "src/empty.c": f"/* {_HOLDER}. All rights reserved. */\n".encode(),
        "src/latin.c": "/* Höhe über Null */\nint hoehe;\n".encode("latin-1"),
        "vendor/queue.c": b"int queue_length(void) { return 0; }\n",
    }
