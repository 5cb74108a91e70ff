"""The language model behind perplexities, made as CCNet makes it (Wenzek et al. 2019, arXiv 1911.00359).

    documents -> normalised lines -> SentencePiece unigram -> pieces -> lmplz (Kneser-Ney 5-grams) -> build_binary

Every document is one line: CCNet scores documents as single sentences. Equal texts give equal bytes.
"""

import hashlib
import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import sentencepiece

from filters.perplexity import normalize
from pipelines.errors import RunError, UserError
from pipelines.processes import die_with_parent
from tokenizer.sample import MAX_LINE_BYTES, lines_of
from tokenizer.train import train_sentencepiece

PIECES = 65_536
ORDER = 5
SENTENCEPIECE_BYTES = 100_000_000  # of text, in the order given: training takes some 25 bytes of memory a byte
# Twice as fast as a trie (15 against 7 MB/s scored) and twice as large; it is mapped into memory, and all processes
# share the map.
STRUCTURE = "probing"
SETTINGS: dict[str, Any] = {
    "model_type": "unigram",
    "character_coverage": 0.9995,
    "max_sentence_length": MAX_LINE_BYTES,
    "normalization_rule_name": "identity",
}


@dataclass(frozen=True)
class LanguageModelInfo:
    """What a language model was made from, and the sha256 of its two files."""

    documents: int
    bytes: int
    sentencepiece_sha256: str
    kenlm_sha256: str


def train_language_model(
    texts: Iterable[str],
    sentencepiece_out: Path,
    kenlm_out: Path,
    *,
    scratch: Path,
    pieces: int = PIECES,
    order: int = ORDER,
    memory_mb: int = 4_000,
) -> LanguageModelInfo:
    """Train on `texts`, one document each, in an order that should be random (`tokenizer.sample.sample_documents`).

    `scratch` is a folder for some ten times the texts' size. `memory_mb` is what all of it may take; the result does
    not depend on it. Raises ValueError for texts that do not give `pieces` pieces, UserError where KenLM's programs are
    not installed, RunError where they fail.
    """
    lmplz, build_binary = _program("lmplz"), _program("build_binary")
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        corpus, arpa = Path(folder) / "corpus.txt", Path(folder) / "model.arpa"
        documents = 0
        with corpus.open("w", encoding="utf-8", newline="\n") as file:
            for text in texts:
                file.write(normalize(text) + "\n")
                documents += 1
        model = train_sentencepiece(_first_lines(corpus), pieces, SETTINGS)
        sentencepiece_out.write_bytes(model)
        memory = ["-S", f"{memory_mb * 2 // 3}M", "-T", folder + os.sep]
        with arpa.open("wb") as out:
            # <s>, </s> and <unk> in a text are read as spaces: lmplz takes them for its own
            command = [lmplz, "-o", str(order), "--discount_fallback", "--skip_symbols", *memory]
            _run(command, out, _pieces(corpus, model))
        _run([build_binary, *memory, STRUCTURE, str(arpa), str(kenlm_out)])
        size = corpus.stat().st_size
    with kenlm_out.open("rb") as file:
        kenlm_sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return LanguageModelInfo(documents, size, hashlib.sha256(model).hexdigest(), kenlm_sha256)


def _first_lines(corpus: Path) -> Iterator[str]:
    left = SENTENCEPIECE_BYTES
    with corpus.open(encoding="utf-8", newline="\n") as file:
        for document in file:
            left -= len(document.encode())
            yield from lines_of(document)
            if left <= 0:
                return


def _pieces(corpus: Path, model: bytes) -> Iterator[bytes]:
    """A line of pieces, separated by spaces, for each document."""
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    with corpus.open(encoding="utf-8", newline="\n") as file:
        while documents := [line.removesuffix("\n") for line in itertools.islice(file, 256)]:
            for pieces in processor.encode(documents, return_type=str, num_threads=os.cpu_count() or 1):
                yield (" ".join(pieces) + "\n").encode()


def _program(name: str) -> str:
    path = Path(sys.executable).parent / name
    if not path.is_file():
        raise UserError(f"{path} is missing, which language models are trained with: run `make setup`")
    return str(path)


def _run(command: list[str], out: BinaryIO | int = subprocess.DEVNULL, lines: Iterable[bytes] = ()) -> None:
    with tempfile.TemporaryFile() as log:
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=out, stderr=log, preexec_fn=die_with_parent
        ) as process:
            assert process.stdin
            try:
                process.stdin.writelines(lines)
                process.stdin.close()
            except BrokenPipeError:
                pass  # it has ended early: its exit status and its last words say why
        if process.returncode:
            log.seek(0)
            said = log.read().decode(errors="replace").strip().splitlines()
            raise RunError(
                f"{Path(command[0]).name} failed with status {process.returncode}: {said[-1] if said else 'no message'}"
            )
