"""arXiv's bulk source archives: `YYMM/<id>.gz` in a tar, of submissions that we wrote.

A folder of `papers` is a submission in many files, a file one in a single file. Their ids are of a month that no year
has, so that they are nobody's.
"""

from pathlib import Path

from pipelines.sample.archives import gzipped, tar

MONTH = "2200"
_PAPERS = Path(__file__).parent / "papers"
_PDF = b"%PDF-1.5\n% A paper whose source its authors kept.\n%%EOF\n"
_POSTSCRIPT = b"%!PS-Adobe-2.0\n%%Title: a paper of the old days\nshowpage\n%%EOF\n"
_WITHDRAWN = b"%auto-ignore\n% This paper has been withdrawn by its authors: the constant in Lemma 2 is wrong.\n"


def archive() -> dict[str, bytes]:
    """One archive by name. Besides papers it holds what is none: a PDF, PostScript, a withdrawn paper, and one that is
    cut short.
    """
    members: dict[str, bytes] = {}
    for number, paper in enumerate(sorted(_PAPERS.iterdir()), 1):
        members[f"{MONTH}/{MONTH}.{number:05}.gz"] = gzipped(_source(paper))
    whole = next(iter(members.values()))
    members |= {
        f"{MONTH}/{MONTH}.00090.pdf": _PDF,
        f"{MONTH}/{MONTH}.00091.gz": gzipped(_POSTSCRIPT),
        f"{MONTH}/{MONTH}.00092.gz": gzipped(_WITHDRAWN),
        f"{MONTH}/{MONTH}.00093.gz": whole[: len(whole) // 2],
    }
    return {f"arXiv_src_{MONTH}_001.tar": tar(members)}


def _source(paper: Path) -> bytes:
    if paper.is_file():
        return paper.read_bytes()
    files = sorted(path for path in paper.rglob("*") if path.is_file())
    return tar({path.relative_to(paper).as_posix(): path.read_bytes() for path in files})
