"""How fast arXiv's submissions become text: reading, finding the main file, expanding; and two parsers beside it.

    python benchmarks/arxiv.py ../shared/data/arxiv/arXiv_src_2401_001.tar

pylatexenc and TexSoup are measured where they can be imported, on parsing alone: neither expands macros nor follows
inputs.
"""

import argparse
import importlib
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from filters.latex import project
from filters.latex.body import main_text
from filters.latex.expansion import expand
from filters.latex.projects import tex_files
from pipelines.documents import ReadReport
from pipelines.readers.arxiv import read_arxiv

SECONDS = 20.0  # for each parser


def timed(name: str, work: Callable[[str], object], sources: Sequence[str]) -> None:
    """Print the speed of `work` over as many sources as fit in `SECONDS`."""
    started, done, failed = time.process_time(), 0, 0
    for source in sources:
        try:
            work(source)
        except Exception:
            failed += 1
        done += len(source)
        if time.process_time() - started > SECONDS:
            break
    print(f"{name:20} {done / 1e6 / (time.process_time() - started):8.2f} MB/s, {failed} failed")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("archive", type=Path)
    archive: Path = parser.parse_args().archive
    started = time.process_time()
    submissions = []
    with archive.open("rb") as stream:
        for batch in read_arxiv(stream, collection="", report=ReadReport()):
            submissions += [{f["name"]: f["text"] for f in files} for files in batch["files"].to_pylist()]
    size = sum(len(text) for files in submissions for text in files.values()) / 1e6
    print(f"{len(submissions)} submissions, {size:.1f} MB of TeX")
    print(f"{'read':20} {size / (time.process_time() - started):8.2f} MB/s")

    started, texts = time.process_time(), 0
    for files in submissions:
        found = project(files)
        if found is not None:
            texts += len(main_text(expand(files, found.root).pieces))
    seconds = time.process_time() - started
    print(f"{'flatten':20} {size / seconds:8.2f} MB/s of TeX in, {texts / 1e6 / seconds:.2f} MB/s of text out")

    sources = [files[name] for files in submissions for name in tex_files(files)]
    for module, name in (("pylatexenc.latexwalker", "LatexWalker"), ("TexSoup", "TexSoup")):
        try:
            parser_class = getattr(importlib.import_module(module), name)
        except ImportError:
            print(f"{name:20} not installed")
            continue
        timed(name, partial(parse, parser_class), sources)


def parse(parser_class: Any, source: str) -> None:
    """All of a source, by a parser that may be lazy."""
    parsed = parser_class(source)
    if hasattr(parsed, "get_latex_nodes"):
        parsed.get_latex_nodes()


if __name__ == "__main__":
    main()
