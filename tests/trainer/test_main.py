import hashlib
import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import sentencepiece
from typer.testing import CliRunner

from tests.trainer.conftest import write_run
from trainer.__main__ import app

TINY = ["data.context=8", "data.batch=4", "model.dim=16", "model.layers=1", "model.multiple_of=8", "train.steps=6"]
REPOSITORY = Path(__file__).parents[2]


def invoke(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="session")
def vocabulary() -> bytes:
    """A small SentencePiece model, made of this file."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(Path(__file__).read_text().splitlines()),
        model_writer=model,
        model_type="bpe",
        vocab_size=400,
        byte_fallback=True,
        minloglevel=2,
    )
    return model.getvalue()


@pytest.fixture
def location(tmp_path: Path, vocabulary: bytes) -> str:
    folder = tmp_path / "data"
    sources = {"commoncrawl": (80.0, [[[150, 150], [290]]]), "wikipedia": (20.0, [[[300]]])}
    location = write_run(folder, sources, pieces=400, tokenizer=hashlib.sha256(vocabulary).hexdigest())
    (folder / "models").mkdir()
    (folder / "models" / "tokenizer.model").write_bytes(vocabulary)
    return location


def test_train_then_generate(location, tmp_path):
    out = tmp_path / "run"
    result = invoke("train", "--manifest", location, "--model", "tiny", "--out", out, *TINY)
    assert result.exit_code == 0, result.output
    assert "complete: 6 steps, 192 tokens" in result.stdout
    assert json.loads((out / "summary.json").read_text())["steps"] == 6
    texts = [invoke("generate", "--run", out, "--prompt", "def test", "--tokens", 20).stdout for _ in range(2)]
    assert texts[0] == texts[1]
    assert texts[0].startswith("def test")
    greedy = invoke("generate", "--run", out, "--prompt", "def test", "--tokens", 20, "--temperature", 0)
    assert greedy.exit_code == 0
    assert greedy.stdout.startswith("def test")


def test_steps_is_short_for_train_steps(location, tmp_path):
    result = invoke("train", "--manifest", location, "--model", "tiny", "--out", tmp_path / "run", "--steps", 3, *TINY)
    assert "complete: 3 steps" in result.stdout


def test_data_says_what_a_run_would_read(location):
    result = invoke("data", "--manifest", Path(location).parent, "--model", "tiny", *TINY)
    assert result.exit_code == 0
    assert "6 steps of 4 samples: 192 tokens" in result.stdout
    assert re.search(r"commoncrawl +80.00 % +590 +73 +20 +0.274 +1.10", result.stdout)
    assert re.search(r"wikipedia +20.00 % +300 +37 +4 +0.108 +2.45", result.stdout)


def test_data_shows_a_sample(location, vocabulary):
    result = invoke("data", "--manifest", location, "--model", "tiny", "--sample", 2, *TINY)
    assert result.exit_code == 0, result.output
    where, text = result.stdout.split("\n", 1)
    source, shard, token = re.fullmatch(
        r"sample 2: (\w+), epoch 0, tokens/(\w+)/00000.parquet row group 0(?: to .* row group 1)?, token (\d+)", where
    ).groups()
    assert source == shard
    decoder = sentencepiece.SentencePieceProcessor(model_proto=vocabulary)
    assert text.rstrip("\n") == decoder.decode([(int(token) + i) % 400 for i in range(9)]).rstrip("\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["optimizer.lr=1"], "optimizer.lr: no such setting"),
        (["optimizer.peak_lr=fast"], "optimizer.peak_lr: 'fast'"),
        (["--steps", "0"], "train.steps: 0: input should be greater than or equal to 1"),
        (["--manifest", "nowhere.json"], "nowhere.json: no manifest here"),
        (["--model", "8b"], "no model is called '8b'"),
        (["data.context=1000"], "less than one window"),
    ],
)
def test_a_mistake_is_one_line_and_exit_status_2(location, tmp_path, arguments, message):
    result = invoke("train", "--manifest", location, "--model", "tiny", "--out", tmp_path / "run", *TINY, *arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_a_damaged_shard_is_one_line_and_exit_status_1(location, tmp_path):
    (tmp_path / "data" / "tokens" / "commoncrawl" / "00000.parquet").unlink()
    result = invoke("train", "--manifest", location, "--model", "tiny", "--out", tmp_path / "run", *TINY)
    assert result.exit_code == 1
    assert result.stderr == (
        "error: tokens/commoncrawl/00000.parquet: the manifest names this shard, but it is not there\n"
    )


def test_generate_names_what_is_missing(location, tmp_path):
    assert "no checkpoint here" in invoke("generate", "--run", tmp_path).stderr
    out = tmp_path / "run"
    invoke("train", "--manifest", location, "--model", "tiny", "--out", out, *TINY)
    (tmp_path / "data" / "models" / "tokenizer.model").write_bytes(b"other")
    assert "not the tokenizer that the manifest names" in invoke("generate", "--run", out).stderr
    (tmp_path / "data" / "models" / "tokenizer.model").unlink()
    assert "cannot be read" in invoke("generate", "--run", out).stderr
    Path(location).unlink()
    assert "no manifest here" in invoke("generate", "--run", out).stderr


def test_sigterm_to_the_command_saves_and_the_same_command_goes_on(location, tmp_path):
    out = tmp_path / "run"
    command = [sys.executable, "-m", "trainer", "train", "--manifest", location, "--model", "tiny", "--out", str(out)]
    command += [*TINY, "train.steps=100000", "train.log_every=1"]
    process = subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, env=os.environ | {"TERM": "dumb"}
    )
    for line in process.stdout:
        if line.startswith("step 3/"):
            break
    process.send_signal(signal.SIGTERM)
    rest = process.stdout.read()
    assert process.wait(timeout=60) == 143
    step = int(re.search(r"stopped by SIGTERM and saved at step (\d+); the same command goes on from there", rest)[1])
    result = invoke(*command[3:-1], f"train.steps={step + 2}")
    assert f"resuming at step {step:,} of {step + 2:,}" in result.stdout
    assert f"complete: {step + 2:,} steps" in result.stdout


def test_help_teaches():
    top = invoke("--help").stdout
    for verb in ("train", "data", "generate"):
        assert verb in top
        assert invoke(verb, "--help").exit_code == 0
    assert "optimizer.peak_lr=1e-3" in invoke("train", "--help").stdout
