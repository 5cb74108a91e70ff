"""A code fingerprint changes with the code that a function runs, and with no other."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipelines import fingerprint as fingerprint_module

SHARED = '''
LIMIT = 3


def used(x):
    """Doc."""
    return x + LIMIT  # why


def unused(x):
    return x
'''
TOP = """
import json
from filters.shared import used
from filters import other


def body(x):
    return used(json.loads(x))


def neighbour(x):
    return other.thing(x)
"""
OTHER = """
def thing(x):
    return x * 2
"""
PACKAGE = {"filters/__init__.py": "", "filters/shared.py": SHARED, "filters/top.py": TOP, "filters/other.py": OTHER}
PROGRAM = "import sys; from pipelines.fingerprint import code_fingerprint; print(code_fingerprint('filters.top:body'))"


def fingerprint(folder: Path, edits: dict[str, tuple[str, str]]) -> str:
    """The fingerprint of filters.top:body in a tree of its own, after edits {file: (old, new)}."""
    for name, text in PACKAGE.items():
        old, new = edits.get(name, ("", ""))
        assert old in text
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace(old, new) if old else text)
    (folder / "pipelines").symlink_to(Path(fingerprint_module.__file__).parent)
    return subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=folder, check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return fingerprint(tmp_path_factory.mktemp("original"), {})


@pytest.mark.parametrize(
    "edits",
    [
        {"filters/top.py": ("used(json.loads(x))", "used(json.loads(x)) + 1")},
        {"filters/shared.py": ("x + LIMIT", "x - LIMIT")},
        {"filters/shared.py": ("LIMIT = 3", "LIMIT = 4")},
    ],
)
def test_changes_with_the_code_it_runs_in_any_module(tmp_path, original, edits):
    assert fingerprint(tmp_path, edits) != original


@pytest.mark.parametrize(
    "edits",
    [
        {"filters/shared.py": ("# why", "# because")},
        {"filters/shared.py": ("Doc.", "Documentation.")},
        {"filters/shared.py": ("return x\n", "return -x\n")},
        {"filters/other.py": ("x * 2", "x * 3")},
        {"filters/top.py": ("other.thing(x)", "other.thing(-x)")},
    ],
)
def test_ignores_comments_docstrings_and_code_it_does_not_run(tmp_path, original, edits):
    assert fingerprint(tmp_path, edits) == original
