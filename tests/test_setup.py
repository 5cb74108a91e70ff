"""The front door: what `make` offers, how it refuses, and what `make setup` put into `.venv`."""

import hashlib
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

TARGETS = {
    "help",
    "setup",
    "spark",
    "image",
    "demo",
    "plan",
    "models",
    "shards",
    "verify",
    "train",
    "bench",
    "test",
    "lint",
    "fuzz",
}


def make(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # An empty environment: this may itself run under `make test OUT=...`, which hands its variables down.
    environment = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
    return subprocess.run(
        ["make", *arguments], cwd=repository, env=environment, capture_output=True, text=True, check=False
    )


def test_make_alone_lists_every_target_with_a_line(repository):
    listing = make(repository)
    assert listing.returncode == 0
    assert {line.split()[1] for line in listing.stdout.splitlines()} == TARGETS
    assert all(len(line.split()) > 3 for line in listing.stdout.splitlines())


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        (["models", "OUT=some"], "CONFIG="),
        (["models", "CONFIG=some.yaml"], "OUT="),
        (["shards", "OUT=some"], "CONFIG="),
        (["shards", "CONFIG=some.yaml"], "OUT="),
        (["verify"], "OUT="),
        (["train", "MODEL=demo"], "MANIFEST="),
        (["train", "MANIFEST=some.json"], "MODEL="),
    ],
)
def test_a_missing_variable_is_one_line_with_an_example(repository, arguments, missing):
    refusal = make(repository, *arguments)
    assert refusal.returncode == 2
    assert len(refusal.stderr.splitlines()) == 1
    assert f"{missing} is missing: make {arguments[0]} " in refusal.stderr
    assert refusal.stdout == ""


def test_names_with_spaces_and_quotes_reach_the_command_whole(repository):
    dry = make(repository, "--dry-run", "shards", "CONFIG=it's mine.yaml", "OUT=two words", "WORKERS=2", "RUNNER=spark")
    assert r"run --config 'it'\''s mine.yaml' --out 'two words'" in dry.stdout
    assert "--runner 'spark'" in dry.stdout
    assert "--workers '2'" in dry.stdout


def test_options_that_were_not_given_are_not_passed(repository):
    dry = make(repository, "--dry-run", "demo", "OUT=", "DATA=", "WORKERS=", "RUNNER=")
    assert "--out 'runs/demo'" in dry.stdout
    assert not {"--data", "--workers", "--runner"} & set(dry.stdout.split())


def test_setup_again_does_nothing(repository):
    again = make(repository, "setup")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


def test_the_environment_runs_the_pinned_versions(repository):
    pins = dict(
        line.split(";")[0].strip().split("==") for line in (repository / "constraints.txt").read_text().splitlines()
    )
    names = ("apache-beam", "torch", "pyarrow", "numpy", "fasttext", "kenlm", "sentencepiece", "ruff", "mypy", "pytest")
    assert {name: version(name) for name in names} == {name: pins[name] for name in names}


def test_fasttext_from_source_labels_lists_of_texts_with_the_embedded_model():
    import fasttext

    model_file = Path(sys.prefix) / "share" / "altiplano" / "lid.176.ftz"
    assert hashlib.sha256(model_file.read_bytes()).hexdigest().startswith("8f3472cfe8738a7b")
    labels, scores = fasttext.load_model(str(model_file)).predict(["Das ist ein altes Haus.", "This is an old house."])
    assert labels == [["__label__de"], ["__label__en"]]
    assert all(score.dtype == np.float32 and score[0] > 0.9 for score in scores)


def test_kenlm_programs_make_a_model_that_its_module_reads(tmp_path):
    import kenlm

    programs = Path(sys.prefix) / "bin"
    text = "the house is old\nthe house is new\nthe tree is old\n" * 20
    arpa, binary = tmp_path / "model.arpa", tmp_path / "model.bin"
    arpa.write_bytes(
        subprocess.run(
            [programs / "lmplz", "-o", "3", "-S", "50M", "-T", tmp_path, "--discount_fallback"],
            input=text.encode(),
            capture_output=True,
            check=True,
        ).stdout
    )
    subprocess.run([programs / "build_binary", "trie", arpa, binary], capture_output=True, check=True)
    model = kenlm.Model(str(binary))
    assert model.score("the tree is new") > model.score("new is tree the")
