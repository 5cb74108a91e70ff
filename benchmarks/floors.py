"""The bare library calls that each source's cleaning rests on, and peers that do some of the same: `benchmarks.sources`
puts them beside our own rates.

A floor reads the same files and makes the calls that our code cannot do without, with nothing around them. It takes
items of work (a file, a text) and is measured in processor time of one core, over as many of them as fit in `SECONDS`.
"""

import bz2
import gzip
import hashlib
import io
import json
import re
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import kenlm
import numpy as np
import orjson
import pyarrow as pa
import sentencepiece
from datasketch import MinHash
from fastwarc.warc import ArchiveIterator, WarcRecordType
from isal import isal_zlib
from lxml import html
from py7zr import SevenZipFile
from pygments.lexers import find_lexer_class_for_filename

from filters import c4 as rules
from filters.c4 import load_language_detector
from filters.decisions import kept
from filters.language import load_language_model
from filters.lines import Removals, line_keys, remove_lines
from pipelines.documents import Batcher
from pipelines.models import EMBEDDED_LANGUAGE_IDENTIFICATION

SECONDS = 10.0  # of processor time for each rate
TEX_TOKEN = re.compile(r"\\(?:[A-Za-z]+|.)|[{}$%#]|[^\\{}$%#]+", re.DOTALL)
WARMING = 1  # items that are done before the clock starts: tables and models are loaded once a process


@dataclass(frozen=True)
class Rate:
    """MB of UTF-8 text or raw markup a second of one core."""

    name: str
    megabytes_per_second: float


def rate(name: str, call: Callable[[Any], object], items: Sequence[Any], size: Callable[[Any], int] = len) -> Rate:
    """The rate of `call` over as many items as fit in `SECONDS`, the first done once before."""
    for item in items[:WARMING]:
        call(item)
    done, started = 0, time.process_time()
    for item in items:
        call(item)
        done += size(item)
        if time.process_time() - started > SECONDS:
            break
    return Rate(name, done / 1e6 / max(time.process_time() - started, 1e-9))


def size_of(text: str) -> int:
    return len(text.encode())


# ---- what the files hold: bytes of text or markup, as the readers give it to the filters


def unpacked(path: Path) -> bytes:
    """A file without its gzip, bzip2, 7z or tar."""
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        return (
            isal_zlib.decompress(data, 31)
            if path.suffix == ".gz" and ".warc" not in path.name
            else gzip.decompress(data)
        )
    if data[:3] == b"BZh":
        return bz2.decompress(data)
    if path.suffix == ".7z":
        with tempfile.TemporaryDirectory() as scratch, SevenZipFile(path) as archive:
            archive.extract(scratch, ["Posts.xml"])
            return (Path(scratch) / "Posts.xml").read_bytes()
    return data


def pages(data: bytes) -> list[str]:
    """The texts of a WET file."""
    records = ArchiveIterator(io.BytesIO(data), record_types=WarcRecordType.conversion)
    return [record.reader.read().decode("utf-8", "replace") for record in records]


def papers(archive: Path) -> Iterator[str]:
    """The TeX files of an arXiv archive, each as it is packed."""
    with tarfile.open(archive) as outer:
        for member in outer:
            file = outer.extractfile(member) if member.name.endswith(".gz") else None
            if file is None:
                continue
            data = isal_zlib.decompress(file.read(), 31)
            if not tarfile.is_tarfile(io.BytesIO(data)):
                yield data.decode("utf-8", "replace")
                continue
            with tarfile.open(fileobj=io.BytesIO(data)) as inner:
                for part in inner:
                    if part.name.endswith((".tex", ".sty", ".cls")) and (found := inner.extractfile(part)):
                        yield found.read().decode("utf-8", "replace")


def posts(xml: bytes) -> Iterator[str]:
    for _, row in ElementTree.iterparse(io.BytesIO(xml)):
        yield row.get("Body", "")
        row.clear()


def articles(xml: bytes) -> Iterator[str]:
    for _, element in ElementTree.iterparse(io.BytesIO(xml)):
        if element.tag.endswith("}text"):
            yield element.text or ""
        elif element.tag.endswith("}page"):
            element.clear()


def bytes_in(source: str, paths: Sequence[Path]) -> int:
    """What a source's rate counts: its pages' text, TeX files, else unpacked markup, code or text."""
    if source in ("commoncrawl", "c4"):
        return sum(size_of(text) for path in paths for text in pages(path.read_bytes()))
    if source == "arxiv":
        return sum(size_of(text) for path in paths for text in papers(path))
    return sum(len(unpacked(path)) for path in paths)


# ---- floors: for each source the calls, whose times add up; with each the share of the bytes that gets there


def commoncrawl(paths: Sequence[Path], models: Path) -> Iterator[tuple[Rate, float]]:
    """Rates, each with the share of the text that gets there."""
    files = [path.read_bytes() for path in paths]
    texts = [text for data in files for text in pages(data)]
    total = sum(map(size_of, texts))
    sizes = {data: sum(map(size_of, pages(data))) for data in files}
    yield rate("FastWARC", pages, files, lambda data: sizes[data]), 1.0
    yield rate("hashlib SHA-1 a line, twice", _sha1_lines, texts, size_of), 2.0
    identify = load_language_model(EMBEDDED_LANGUAGE_IDENTIFICATION)
    lines = [text.replace("\n", " ") for text in texts]
    batches = [lines[start : start + 256] for start in range(0, len(lines), 256)]
    yield rate("fastText lid.176", identify.predict, batches, lambda batch: sum(map(size_of, batch))), 1.0
    labels = [found for batch in batches for found, *_ in identify.predict(batch)[0]]
    english = [text for text, label in zip(lines, labels, strict=True) if label == "__label__en"]
    share = sum(map(size_of, english)) / total
    [pieces] = models.glob("perplexity/en-*.sp.model")
    [model] = models.glob("perplexity/en-*.kenlm")
    processor = sentencepiece.SentencePieceProcessor(model_file=str(pieces))
    score = kenlm.Model(str(model)).score
    yield (
        rate("SentencePiece and KenLM", lambda t: score(" ".join(processor.encode(t, out_type=str))), english, size_of),
        share,
    )


def _sha1_lines(text: str) -> None:
    for line in text.split("\n"):
        hashlib.sha1(line.encode()).digest()


def c4(paths: Sequence[Path]) -> Iterator[tuple[Rate, float]]:
    files = [path.read_bytes() for path in paths]
    texts = [text for data in files for text in pages(data)]
    left = [text for batch in map(rules.clean_pages, _batches(texts)) for text in _kept_texts(batch)]
    sizes = {data: sum(map(size_of, pages(data))) for data in files}
    yield rate("FastWARC", pages, files, lambda data: sizes[data]), 1.0
    factory = load_language_detector()

    def detect(text: str) -> None:
        detector = factory.create()
        detector.append(text)
        detector.detect()

    yield rate("langdetect", detect, left, size_of), sum(map(size_of, left)) / sum(map(size_of, texts))


def _batches(texts: Sequence[str]) -> list[pa.RecordBatch]:
    batcher = Batcher("web")
    return [b for n, text in enumerate(texts) for b in batcher.add(str(n), text, {})] + list(batcher.flush())


def _kept_texts(batch: pa.RecordBatch) -> list[str]:
    return batch.filter(pa.array(kept(batch)))["text"].to_pylist()


def github(paths: Sequence[Path]) -> Iterator[tuple[Rate, float]]:
    lines = [line for path in paths for line in unpacked(path).splitlines()]
    sizes = {str(path): len(unpacked(path)) for path in paths}
    yield rate("isal gunzip", unpacked, paths, lambda path: sizes[str(path)]), 2.0  # read by two segments
    yield rate("orjson", orjson.loads, lines), 2.0
    rows = [row for line in lines if (row := orjson.loads(line))["content"]]
    named = cache(find_lexer_class_for_filename)
    yield rate("Pygments, by suffix", lambda r: named("x" + Path(r["path"]).suffix), rows, _content), 1.0
    yield rate("hashlib SHA-1, twice", lambda r: hashlib.sha1(r["content"].encode()).digest(), rows, _content), 2.0


def _content(row: dict[str, Any]) -> int:
    return size_of(row["content"])


def wikipedia(paths: Sequence[Path]) -> Iterator[tuple[Rate, float]]:
    sizes = {str(path): len(unpacked(path)) for path in paths}
    yield rate("bz2", unpacked, paths, lambda path: sizes[str(path)]), 1.0
    yield rate("ElementTree", lambda xml: list(articles(xml)), [unpacked(path) for path in paths]), 1.0


def books(paths: Sequence[Path]) -> Iterator[tuple[Rate, float]]:
    sizes = {str(path): len(unpacked(path)) for path in paths}
    yield rate("isal gunzip, twice", unpacked, paths, lambda path: sizes[str(path)]), 2.0
    texts = [unpacked(path).decode("latin-1") for path in paths]

    def sign(text: str) -> None:
        words = text.lower().split()
        shingles = {" ".join(words[i : i + 5]).encode() for i in range(len(words) - 4)}
        MinHash(num_perm=128, seed=1).update_batch(list(shingles))

    yield rate("datasketch MinHash of 5-word shingles", sign, texts, size_of), 1.0


def arxiv(paths: Sequence[Path]) -> Iterator[tuple[Rate, float]]:
    texts = {str(path): list(papers(path)) for path in paths}
    sizes = {path: sum(map(size_of, found)) for path, found in texts.items()}
    yield rate("tarfile and isal gunzip", lambda path: list(papers(path)), paths, lambda path: sizes[str(path)]), 1.0
    sources = [text for found in texts.values() for text in found]
    yield rate("one regular expression's tokens", TEX_TOKEN.findall, sources, size_of), 1.0


def stackexchange(paths: Sequence[Path]) -> Iterator[tuple[Rate, float]]:
    files = {str(path): unpacked(path) for path in paths}
    yield rate("py7zr", unpacked, paths, lambda path: len(files[str(path)])), 1.0
    yield rate("ElementTree", lambda xml: list(posts(xml)), list(files.values())), 1.0
    bodies = [body for xml in files.values() for body in posts(xml) if body.strip()]
    share = sum(map(size_of, bodies)) / sum(map(len, files.values()))
    yield rate("lxml.html", lambda body: html.fromstring(body).text_content(), bodies, size_of), share


# ---- peers


def wikitext_parsers(paths: Sequence[Path]) -> Iterator[Rate]:
    texts = [text for path in paths for text in articles(unpacked(path)) if text]
    try:
        import mwparserfromhell
    except ImportError:
        return
    yield rate("mwparserfromhell, `strip_code`", lambda t: mwparserfromhell.parse(t).strip_code(), texts, size_of)


def latex_parsers(paths: Sequence[Path]) -> Iterator[Rate]:
    try:
        from pylatexenc.latexwalker import LatexWalker
    except ImportError:
        return
    sources = [text for path in paths for text in papers(path)]
    yield rate("pylatexenc, parsing alone", _tolerant(lambda t: LatexWalker(t).get_latex_nodes()), sources, size_of)


def _tolerant(call: Callable[[str], object]) -> Callable[[str], None]:
    def tried(text: str) -> None:
        try:
            call(text)
        except Exception:  # it refuses some sources; the time it took still counts
            return

    return tried


DATATROVE = """
import json, sys, time
from datatrove.data import Document
from datatrove.pipeline.filters import C4QualityFilter
rules = C4QualityFilter(min_num_sentences=3, min_words_per_line=5)
texts = [json.loads(line) for line in sys.stdin]
rules.filter(Document(text=texts[0], id="0"))
started = time.process_time()
for number, text in enumerate(texts):
    rules.filter(Document(text=text, id=str(number)))
print(json.dumps(time.process_time() - started))
"""
DOLMA = """
import json, sys, time
from dolma.dolma import deduper_entrypoint
configuration = sys.stdin.read()
started = time.process_time()
deduper_entrypoint(configuration)
print(json.dumps(time.process_time() - started))
"""


def datatrove_c4(python: str, texts: Sequence[str]) -> Rate:
    """datatrove's C4 rules, in an environment of its own."""
    seconds = _elsewhere(python, DATATROVE, "".join(json.dumps(text) + "\n" for text in texts))
    return Rate("datatrove C4QualityFilter", sum(map(size_of, texts)) / 1e6 / seconds)


def dolma_paragraphs(python: str, texts: Sequence[str]) -> Rate:
    """dolma's removal of repeated paragraphs, in an environment of its own: gzip JSON lines in, marks out."""
    with tempfile.TemporaryDirectory() as scratch:
        documents = Path(scratch, "w", "documents")
        documents.mkdir(parents=True)
        rows = (orjson.dumps({"id": str(n), "source": "w", "text": text}) + b"\n" for n, text in enumerate(texts))
        (documents / "0.json.gz").write_bytes(gzip.compress(b"".join(rows), 6))
        bloom = {"file": f"{scratch}/bloom", "read_only": False, "size_in_bytes": 0, "estimated_doc_count": 1_000_000,
                 "desired_false_positive_rate": 1e-5}  # fmt: skip
        configuration = {
            "documents": [f"{documents}/*.gz"],
            "dedupe": {"name": "lines", "paragraphs": {"attribute_name": "repeated"}, "skip_empty": True},
            "bloom_filter": bloom,
            "processes": 1,
            "work_dir": {"input": f"{scratch}/in", "output": f"{scratch}/out"},
        }
        for folder in configuration["work_dir"].values():  # type: ignore[attr-defined]
            Path(folder).mkdir()
        seconds = _elsewhere(python, DOLMA, json.dumps(configuration))
    return Rate("dolma dedupe, paragraphs", sum(map(size_of, texts)) / 1e6 / seconds)


def _elsewhere(python: str, program: str, given: str) -> float:
    done = subprocess.run([python, "-c", program], input=given, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def ours(texts: Sequence[str]) -> Iterator[Rate]:
    """Ours for what datatrove and dolma do: C4's rules for pages; lines' keys, which of them repeat, their removal."""
    batches, total = _batches(texts), sum(map(size_of, texts))

    def repeated(found: list[pa.RecordBatch]) -> None:
        keyed = [line_keys(batch) for batch in found]
        keys, counts = np.unique(np.concatenate([keys for keys, _ in keyed]), return_counts=True)
        removals = Removals(keys, counts > 1, "none")
        for batch, (keys, offsets) in zip(found, keyed, strict=True):
            remove_lines(batch, offsets, removals(keys))

    yield rate(
        "ours, C4's rules for pages", lambda found: list(map(rules.clean_pages, found)), [batches], lambda _: total
    )
    yield rate("ours, repeated lines", repeated, [batches], lambda _: total)
