"""An archive of arXiv's, or what one member of it holds, to submissions."""

import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.documents import ReadReport, UnreadableInputError
from pipelines.readers.arxiv import read_arxiv
from pipelines.readers.tar import read_tar, tar_ranges
from tests.fuzz._inputs import mended, tar


def seeds() -> Iterator[bytes]:
    """An archive, and submissions as a tar and as one file; the last byte says which."""
    paper = b"\\documentclass{a}\\usepackage[latin2]{inputenc}\\begin{document}\xe9\\end{document}"
    inner = tar(("ms.tex", paper), ("long/" * 30 + "b.sty", b"x"), ("00README.XXX", b"ms.tex toplevelfile"))
    yield tar(
        ("2401/2401.00001.gz", gzip.compress(inner)), ("0001/math0001001.gz", gzip.compress(paper)), ("a.pdf", b"%PDF")
    )
    yield inner[:-1] + b"\1"
    yield inner[:-1] + b"\2"
    yield paper + b"\1"
    yield gzip.compress(paper) + b"\1"


def real(folder: Path) -> Iterator[bytes]:
    """Submissions of one small file."""
    for path in folder.glob("arxiv/*.tar"):
        with path.open("rb") as stream:
            papers = (member.read(member.size) for member in read_tar(stream, ReadReport()) if member.size < 12_000)
            yield from (gzip.decompress(paper)[:8_000] + b"\1" for paper, _ in zip(papers, range(8), strict=False))


def one_input(data: bytes) -> None:
    """Read or refused; ranges give what the whole gives; what is dropped has no files, and nothing else has none."""
    kind, content = data[-1:], mended(data)
    if kind == b"\1":
        content = tar(("2401/2401.00001.gz", content))
    elif kind == b"\2":
        content = tar(("2401/2401.00001.gz", gzip.compress(content, 1)))
    stream = io.BytesIO(content)
    try:
        whole = _rows(stream)
    except UnreadableInputError:
        return
    parts = [row for member_range in tar_ranges(stream, 1_024) for row in _rows(stream, member_range)]
    assert parts == whole
    assert all((row["dropped"] is None) == bool(row["files"]) for row in whole)


def _rows(stream: io.BytesIO, member_range: tuple[int, int] | None = None) -> list[dict[str, Any]]:
    batches = read_arxiv(stream, collection="", report=ReadReport(), member_range=member_range)
    return [row for batch in batches for row in batch.to_pylist()]
