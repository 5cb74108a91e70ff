"""The real submissions, read once."""

from pathlib import Path

import pytest

from filters.latex import Paper, flatten
from pipelines.documents import ReadReport
from pipelines.readers.arxiv import read_arxiv

Submissions = dict[str, dict[str, str]]


@pytest.fixture(scope="package")
def submissions(shared_data: Path) -> Submissions:
    """Files of each of the real submissions, by arXiv id."""
    found: Submissions = {}
    with (shared_data / "arxiv" / "arXiv_src_2401_001.tar").open("rb") as stream:
        for batch in read_arxiv(stream, collection="test", report=ReadReport()):
            for row in batch.to_pylist():
                found[dict(row["metadata"])["arxiv_id"]] = {f["name"]: f["text"] for f in row["files"]}
    assert len(found) == 62
    return found


@pytest.fixture(scope="package")
def papers(submissions: Submissions) -> dict[str, Paper]:
    """The same, each as one text."""
    found = {name: flatten(files) for name, files in submissions.items()}
    return {name: paper for name, paper in found.items() if paper is not None}
