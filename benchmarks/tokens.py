"""How fast text becomes tokens, against SentencePiece alone and Hugging Face tokenizers, and what a stored token takes.

    taskset -c 1 .venv/bin/python -m benchmarks.tokens [DATA]

DATA is the folder of real files (by default ALTIPLANO_DATA, or shared/data beside the repository). A tokenizer of
32,000 pieces is trained on half of its real pages, and all of them are encoded, on one core: `cold` starts with an
empty cache, `warm` has met all of the text before; long runs lie between the two. The peer runs where `tokenizers`
can be imported (it is no dependency: `uv pip install --target FOLDER tokenizers`, then PYTHONPATH=FOLDER); it gets
the same merges, one thread, and the pre-tokenizer that makes it fastest, so that its ids may differ. Every figure is
the best of three, in megabytes of UTF-8 text a second of processor time.
"""

import io
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ |= {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}

import pyarrow as pa
import pyarrow.parquet as pq
import sentencepiece
from fastwarc.warc import ArchiveIterator, WarcRecordType

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipelines.shards import PARQUET
from tokenizer.encode import Encoder
from tokenizer.sample import lines_of
from tokenizer.train import SETTINGS, train_sentencepiece

REPETITIONS = 3
TOKENS = "tokens.list.element"
ENCODINGS: dict[str, dict[str, Any]] = {
    f"{encoding.lower().replace('_', ' ')}, zstd-{level}, {page}": {
        "use_dictionary": encoding == "DICTIONARY",
        "column_encoding": None if encoding == "DICTIONARY" else {TOKENS: encoding},
        "compression": "zstd",
        "compression_level": level,
        "data_page_size": 64 << 20 if page == "one page" else 1 << 20,
    }
    for encoding, level, page in [
        ("DICTIONARY", 3, "1 MB pages"),
        ("DELTA_BINARY_PACKED", 3, "1 MB pages"),
        ("BYTE_STREAM_SPLIT", 3, "1 MB pages"),
        ("BYTE_STREAM_SPLIT", 9, "one page"),
        ("PLAIN", 3, "1 MB pages"),
        ("PLAIN", 3, "one page"),
        ("PLAIN", 7, "one page"),
        ("PLAIN", 9, "one page"),
        ("PLAIN", 19, "one page"),
    ]
}


def real_pages(data: Path) -> Iterator[str]:
    for path in sorted((data / "web").glob("derived-realpages-*.warc.wet.gz")):
        with path.open("rb") as file:
            for record in ArchiveIterator(file, record_types=WarcRecordType.conversion):
                yield record.reader.read().decode("utf-8", "replace")


def best_seconds(function: Callable[[], Any]) -> float:
    seconds = []
    for _ in range(REPETITIONS):
        started = time.process_time()
        function()
        seconds.append(time.process_time() - started)
    return min(seconds)


def show_rates(model: Path, texts: list[str]) -> None:
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    array = pa.array(texts)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(model))
    warm = Encoder(model)
    same = warm.encode_batch(array).to_pylist() == processor.encode(texts, add_bos=True, num_threads=1)
    loading = best_seconds(lambda: Encoder(model))
    rates = {
        "SentencePiece, list of texts, one thread": best_seconds(lambda: processor.encode(texts, num_threads=1)),
        "ours, cold": best_seconds(lambda: Encoder(model).encode_batch(array)) - loading,
        "ours, warm": best_seconds(lambda: warm.encode_batch(array)),
        **peer_rates(processor, texts),
    }
    print(f"{len(texts)} pages, {megabytes:.1f} MB; ids equal SentencePiece's: {same}; loading {loading:.2f} s")
    for name, seconds in rates.items():
        print(f"{name:<52}{megabytes / seconds:>7.1f} MB/s")


def peer_rates(processor: Any, texts: list[str]) -> dict[str, float]:
    """Hugging Face tokenizers, same vocabulary: a merge wherever two pieces make a third, by its score."""
    try:
        from tokenizers import Tokenizer, models, pre_tokenizers
    except ImportError:
        return {}
    pieces = {processor.IdToPiece(id_): id_ for id_ in range(len(processor))}
    merges = []
    for piece, id_ in pieces.items():
        if not (processor.IsByte(id_) or processor.IsControl(id_) or processor.IsUnknown(id_)):
            splits = [
                (piece[:k], piece[k:]) for k in range(1, len(piece)) if piece[:k] in pieces and piece[k:] in pieces
            ]
            merges += [(-processor.GetScore(id_), pieces[a], pieces[b], a, b) for a, b in splits]
    tokenizer = Tokenizer(
        models.BPE(
            pieces, [(a, b) for *_, a, b in sorted(merges)], unk_token="<unk>", fuse_unk=True, byte_fallback=True
        )
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)

    def encode() -> int:
        batches = (texts[i : i + 64] for i in range(0, len(texts), 64))
        return sum(
            len(e.ids) for batch in batches for e in tokenizer.encode_batch_fast(batch, add_special_tokens=False)
        )

    return {"Hugging Face tokenizers, batches of 64, one thread": best_seconds(encode)}


def show_encodings(tokens: pa.ListArray) -> None:
    table, number = pa.table({"tokens": tokens}), len(tokens.values)
    print(f"\n{number:,} tokens as list<uint16>; in use: plain, zstd-{PARQUET['compression_level']}, one page")
    for name, options in ENCODINGS.items():
        out = io.BytesIO()

        def write(out: io.BytesIO = out, options: dict[str, Any] = options) -> None:
            out.seek(0)
            out.truncate()
            pq.write_table(table, out, write_statistics=False, row_group_size=len(table), **options)

        writing = best_seconds(write)
        reading = best_seconds(lambda out=out: pq.read_table(out, use_threads=False))
        speed = f"write {number / writing / 1e6:>5.1f}, read {number / reading / 1e6:>5.0f} million tokens/s"
        print(f"{name:<40}{out.getbuffer().nbytes / number:>7.3f} bytes/token   {speed}")


def main() -> None:
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    data = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("ALTIPLANO_DATA") or beside)
    texts = list(real_pages(data))
    if not texts:
        sys.exit(f"{data}: no real pages there (web/derived-realpages-*.warc.wet.gz)")
    pa.set_cpu_count(1)
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "tokenizer.model"
        lines = [line for text in texts[::2] for line in lines_of(text)]
        model.write_bytes(train_sentencepiece(lines, 32_000, SETTINGS))
        show_rates(model, texts)
        show_encodings(Encoder(model).encode_batch(texts))


if __name__ == "__main__":
    main()
