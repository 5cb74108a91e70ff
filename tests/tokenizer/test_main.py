"""The command line: what a person types, sees, and is told when it is wrong."""

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tokenizer.__main__ import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Runs `python -m tokenizer ...`: exit code, standard output and standard error."""

    def call(*arguments: object, stdin: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tokenizer", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capfdbinary.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        out, err = capfdbinary.readouterr()
        return int(stop.value.code or 0), out.decode(), err.decode()

    return call


@pytest.fixture
def text(write_text: Callable[..., Path], documents: list[str], tmp_path: Path) -> Path:
    for source, part in (("web", documents[::2]), ("books", documents[1::2])):
        languages = ["de" if n % 2 else "en" for n in range(len(part))]
        write_text(f"text/{source}/0.parquet", {f"{source}/{n}": t for n, t in enumerate(part)}, language=languages)
    return tmp_path / "text"


def test_encode_and_decode_give_the_text_back(run: Run, model: Path) -> None:
    text = "  Hello,\n\n wörld \t🙂 "
    code, ids, _ = run("encode", model, stdin=text.encode())
    assert code == 0
    assert ids.startswith("1 ")
    assert run("decode", model, stdin=ids.encode()) == (0, text, "")
    assert run("decode", model, *ids.split()) == (0, text, "")
    assert run("encode", model, "the", "--pieces") == (0, "<s> \u2581the\n", "")
    assert "1 literal U+2581" in run("encode", model, "a\u2581b")[2]


def test_train_by_configuration_and_by_options_agree(run: Run, text: Path, tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(
        "seed: 3\nsources:\n  web: {weight: 62.5, inputs: [x]}\n  books: {weight: 37.5}\n"
        "tokenizer: {pieces: 700, sample_bytes: 200000}\nlimits: {seconds: 1}\n"
    )
    one, two = tmp_path / "one.model", tmp_path / "two.model"
    code, out, _ = run("train", "--config", config, "--text", text, "--out", one)
    assert code == 0
    assert "700 pieces" in out
    options = ["--pieces", 700, "--sample-bytes", 200_000, "--seed", 3]
    assert (
        run("train", "--text", text, "--out", two, "--weights", "web=62.5", "--weights", "books=37.5", *options)[0] == 0
    )
    assert one.read_bytes() == two.read_bytes()
    assert "up to date" in run("train", "--config", config, "--text", text, "--out", one)[1]


def test_inspect_shows_the_model_and_bytes_a_token(run: Run, model: Path, text: Path, tmp_path: Path) -> None:
    (tmp_path / "page.txt").write_text("plain text")
    code, out, _ = run("inspect", model, text / "web" / "0.parquet", tmp_path / "page.txt")
    assert code == 0
    assert "1,000, of which 741 are text" in out
    assert "unk 0, bos 1, eos 2, pad none" in out
    rows = [line.split() for line in out.splitlines()]
    assert any(row[0].endswith("0.parquet") and row[1] == "de" for row in rows if len(row) == 6)
    assert any(row[0].endswith("page.txt") and row[2] == "10" for row in rows if len(row) == 5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("train --text TEXT --out OUT", "no weights to sample the sources by"),
        ("train --text TEXT --out OUT --weights news=1", "news: there is no clean text"),
        ("train --text TEXT --out OUT --weights web", "--weights web: a source and its share"),
        ("train --text TEXT --out OUT --weights web=much", "the weight of web: a number of at least 0"),
        ("train --text TEXT --out OUT --weights web=1 --pieces 99999", "ask for"),
        ("train --text TEXT --out OUT --weights web=1 --pieces -1", "tokenizer.pieces: a whole number"),
        ("train --text TEXT --out OUT --config MISSING", "missing.file: cannot be read"),
        ("train --text TEXT --out OUT --config BROKEN", "broken.file: not valid YAML"),
        ("encode MISSING text", "missing.file: cannot be read"),
        ("encode BROKEN text", "broken.file: not a SentencePiece model"),
        ("decode MODEL 1 1000", "1000 is no id of this tokenizer"),
        ("decode MODEL one", "ids are whole numbers"),
        ("inspect MODEL MISSING", "missing.file: cannot be read"),
    ],
)
def test_a_mistake_is_one_line(run: Run, model: Path, text: Path, tmp_path: Path, arguments: str, message: str) -> None:
    (tmp_path / "broken.file").write_text("a: [1")
    names = {"TEXT": text, "OUT": tmp_path / "out.model", "MODEL": model}
    names |= {"MISSING": tmp_path / "missing.file", "BROKEN": tmp_path / "broken.file"}
    code, _, err = run(*(names.get(word, word) for word in arguments.split()))
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert code == 2
    assert message in errors[0]
    assert err.endswith(errors[0] + "\n")
    assert not (tmp_path / "out.model").exists()
