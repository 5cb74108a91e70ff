"""LLaMA's tokenizer: SentencePiece BPE with byte fallback, trained so that the same sample gives the same bytes.

SentencePiece writes the path of its input and its number of threads into the model, and samples lines with a generator
that is not seeded: so lines come from an iterator, threads are fixed, and the sample is drawn before
(`tokenizer.sample`).
"""

import hashlib
import io
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from os import PathLike
from pathlib import Path
from typing import Any

import sentencepiece

from tokenizer.model import Model
from tokenizer.sample import MAX_LINE_BYTES, Sample
from tokenizer.texts import open_file

THREADS = 8  # whatever the machine has: the number is part of the model's bytes
SETTINGS: dict[str, Any] = {
    "model_type": "bpe",
    "character_coverage": 0.99995,
    "byte_fallback": True,
    "split_digits": True,
    "split_by_unicode_script": True,
    "split_by_whitespace": True,
    "split_by_number": True,
    "allow_whitespace_only_pieces": True,
    "max_sentencepiece_length": 16,
    "max_sentence_length": MAX_LINE_BYTES,
    "shuffle_input_sentence": True,
    "normalization_rule_name": "identity",
    "add_dummy_prefix": True,
    "remove_extra_whitespaces": False,
    "unk_id": 0,
    "bos_id": 1,
    "eos_id": 2,
    "pad_id": -1,
}


class TooFewTextsError(ValueError):
    """The lines to train on do not give the pieces that were asked for: one sentence says what would."""


def train_sentencepiece(lines: Iterable[str], pieces: int, settings: Mapping[str, Any]) -> bytes:
    """A SentencePiece model of exactly `pieces` pieces, as the bytes of its file; equal lines give equal bytes.

    Raises TooFewTextsError where the lines give fewer, or hold more distinct characters than fit.
    """
    failure: list[BaseException] = []

    def watched() -> Iterator[str]:
        try:
            yield from lines
        except BaseException as error:  # SentencePiece would turn it into a message
            failure.append(error)
            raise

    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=watched(),
            model_writer=model,
            vocab_size=pieces,
            num_threads=THREADS,
            hard_vocab_limit=True,
            minloglevel=2,
            **settings,
        )
    except RuntimeError as error:
        if failure:
            raise failure[0] from None
        raise _explained(pieces, str(error)) from None
    return model.getvalue()


def _explained(pieces: int, message: str) -> Exception:
    if found := re.search(r"set it to a value <= (\d+)", message):
        most = f"{int(found[1]):,}"
        return TooFewTextsError(
            f"the sample gives {most} pieces, not {pieces:,}: ask for {most} at most, or train on more text"
        )
    if found := re.search(r"smaller than required_chars\. \d+ vs (\d+)", message):
        least = f"{int(found[1]):,}"
        return TooFewTextsError(
            f"{pieces:,} pieces are too few: the sample's characters alone take {least}; ask for more"
        )
    if "sentences_.empty()" in message:
        return TooFewTextsError("the sample holds no line of text to train on")
    return RuntimeError(f"SentencePiece could not train: {message}")


def train_tokenizer(
    sources: Mapping[str, Sequence[str | PathLike[str]]],
    weights: Mapping[str, Fraction | int],
    out: Path,
    *,
    pieces: int = 32_000,
    sample_bytes: int = 10_000_000_000,
    seed: int = 0,
    force: bool = False,
) -> dict[str, Any]:
    """Train on clean text (Parquet files by source), write the model and its record, and return the record.

    The record, `<out>.json`, holds what the model was made from (`made_from`: settings, weights and every file's
    sha256), what of it (`sample`) and what came out (`sha256`, `pieces`). Where it is there and still true nothing is
    done, unless `force`. Raises ValueError, in one sentence, for text that cannot be read or is too little.
    """
    made_from = {
        "settings": {**SETTINGS, "pieces": pieces, "threads": THREADS},
        "sentencepiece": sentencepiece.__version__,
        "seed": seed,
        "sample_bytes": sample_bytes,
        "weights": {name: str(weight) for name, weight in sorted(weights.items())},
        "inputs": {name: sorted(map(_sha256, files)) for name, files in sorted(sources.items())},
    }
    record_path = out.with_name(out.name + ".json")
    if not force and (record := _read_record(record_path)).get("made_from") == made_from and _is(out, record["sha256"]):
        return {**record, "trained": False}
    out.parent.mkdir(parents=True, exist_ok=True)
    sample = Sample(sources, weights, sample_bytes, seed, out.parent)
    model = train_sentencepiece(sample.lines(), pieces, SETTINGS)
    record = {
        "sha256": hashlib.sha256(model).hexdigest(),
        "pieces": pieces,
        "sample": {name: vars(picked) for name, picked in sample.picked.items()},
        "made_from": made_from,
    }
    write_atomically(out, model)
    write_atomically(record_path, json.dumps(record, indent=2, sort_keys=True).encode() + b"\n")
    Model.load(out)
    return {**record, "trained": True}


def _sha256(file: str | PathLike[str]) -> str:
    digest = hashlib.sha256()
    with open_file(file) as stream:
        while block := stream.read(4 << 20):
            digest.update(block)
    return digest.hexdigest()


def _is(path: Path, sha256: str) -> bool:
    return path.is_file() and _sha256(path) == sha256


def _read_record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) and isinstance(record.get("sha256"), str) else {}


def write_atomically(path: Path, data: bytes) -> None:
    """The file is there whole or not at all, whatever happens meanwhile."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            os.chmod(file.name, 0o644)
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise
