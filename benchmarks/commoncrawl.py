"""How fast Common Crawl's pages are read and filtered, each step beside the bare library call that it rests on.

    taskset -c 1 .venv/bin/python -m benchmarks.commoncrawl [DATA]

DATA is the folder of real files (by default ALTIPLANO_DATA, or shared/data beside the repository): its real pages, as
published (a gzip member a record), compressed whole, and plain. The language model is trained here on half of the
English pages, so that it is far smaller than one of Wikipedia's and fits the processor's cache better. Every figure is
the best of three, in megabytes of UTF-8 text a second of processor time on one core.
"""

import gzip
import hashlib
import io
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import kenlm
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sentencepiece
from fastwarc.warc import ArchiveIterator, WarcRecordType

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from filters.language import keep_languages, label, load_language_model
from filters.lines import Removals, line_keys, remove_lines
from filters.perplexity import load_language_scorer, measure, normalize
from pipelines.documents import ReadReport
from pipelines.languagemodel import train_language_model
from pipelines.models import EMBEDDED_LANGUAGE_IDENTIFICATION
from pipelines.readers.wet import read_wet

REPETITIONS = 3
PIECES = 8_000


def show(name: str, megabytes: float, function: Callable[[], Any]) -> Any:
    seconds = []
    for _ in range(REPETITIONS):
        started = time.process_time()
        result = function()
        seconds.append(time.process_time() - started)
    print(f"{name:<60}{megabytes / min(seconds):>8.1f} MB/s", flush=True)
    return result


def size(texts: Iterable[str]) -> float:
    return sum(len(text.encode()) for text in texts) / 1e6


def texts_of(batches: Iterable[pa.RecordBatch]) -> list[str]:
    return [text for batch in batches for text in batch["text"].to_pylist()]


def show_reading(data: bytes) -> list[pa.RecordBatch]:
    plain = gzip.decompress(data)
    megabytes = len(plain) / 1e6

    def read(content: bytes) -> list[pa.RecordBatch]:
        return list(read_wet(io.BytesIO(content), collection="benchmark", report=ReadReport()))

    def parse(content: bytes, *, decode: bool) -> int:
        records = ArchiveIterator(io.BytesIO(content), record_types=WarcRecordType.conversion)
        bodies = (record.reader.read() for record in records)
        return len(pa.array([body.decode() for body in bodies])) if decode else sum(map(len, bodies))

    show("gunzip: Python's gzip", megabytes, partial(gzip.decompress, data))
    show("read: FastWARC, bytes", megabytes, partial(parse, data, decode=False))
    show("read: FastWARC, decoded, to an Arrow column", megabytes, partial(parse, data, decode=True))
    batches = show("read: ours, to document batches", megabytes, partial(read, data))
    show("read: ours, one member", megabytes, partial(read, gzip.compress(plain)))
    show("read: ours, plain", megabytes, partial(read, plain))
    return batches


def show_lines(batches: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
    texts = texts_of(batches)
    megabytes = size(texts)

    def sha1() -> None:
        for text in texts:
            for line in text.split("\n"):
                hashlib.sha1(line.encode()).digest()

    show("lines: SHA-1 of each, as it stands", megabytes, sha1)
    keyed = show("lines: ours, keys", megabytes, lambda: [line_keys(batch) for batch in batches])
    unique, counts = np.unique(np.concatenate([keys for keys, _ in keyed]), return_counts=True)

    def remove() -> list[pa.RecordBatch]:
        removals = Removals(unique, counts > 1, "none")
        each = zip(batches, keyed, strict=True)
        return [remove_lines(batch, offsets, removals(keys)) for batch, (keys, offsets) in each]

    return show("lines: ours, removal", megabytes, remove)


def show_language(batches: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
    model = load_language_model(EMBEDDED_LANGUAGE_IDENTIFICATION)
    texts = [text.replace("\n", " ") for text in texts_of(batches)]
    megabytes = size(texts)
    show("language: fastText", megabytes, lambda: model.predict(texts))
    labelled = show("language: ours", megabytes, lambda: [label(batch, model=model) for batch in batches])
    english = [keep_languages(batch, languages=["en"]) for batch in labelled]
    return [batch.filter(pc.is_null(batch["dropped"])) for batch in english]


def show_perplexity(english: list[pa.RecordBatch], folder: Path) -> None:
    texts = texts_of(english)
    megabytes = size(texts)
    paths = folder / "en.sp.model", folder / "en.bin"
    train_language_model(texts[::2], *paths, scratch=folder, pieces=PIECES, memory_mb=500)
    scorer = load_language_scorer(*paths)
    processor, model = sentencepiece.SentencePieceProcessor(model_file=str(paths[0])), kenlm.Model(str(paths[1]))
    normal = show("perplexity: ours, normal form", megabytes, lambda: [normalize(text) for text in texts])
    encode = partial(processor.encode, normal, out_type=str, num_threads=1)
    sentences = [" ".join(pieces) for pieces in show("perplexity: SentencePiece", megabytes, encode)]
    show("perplexity: KenLM", megabytes, lambda: [model.score(sentence) for sentence in sentences])
    show("perplexity: ours, all of it", megabytes, lambda: [measure(b, scorers={"en": scorer}) for b in english])


def main() -> None:
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("ALTIPLANO_DATA") or beside)
    data = b"".join(path.read_bytes() for path in sorted((folder / "web").glob("derived-realpages-*.warc.wet.gz")))
    if not data:
        sys.exit(f"{folder}: no real pages there (web/derived-realpages-*.warc.wet.gz)")
    pa.set_cpu_count(1)
    batches = show_reading(data)
    line_keys(batches[0])  # tables of characters are made once a process
    normalize("")
    english = show_language(show_lines(batches))
    with tempfile.TemporaryDirectory() as scratch:
        show_perplexity(english, Path(scratch))


if __name__ == "__main__":
    main()
