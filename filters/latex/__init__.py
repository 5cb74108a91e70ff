"""LaTeX submissions to one text each, as Lewkowycz et al. 2022 (Minerva, arXiv 2206.14858) prepare arXiv.

`projects` finds the main file, `expansion` reads from there with inputs in place and macros expanded, `body` keeps what
follows the first section, without the bibliography. `docs/arxiv.md` says what is expanded and what is left.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from filters.decisions import kept, set_column
from filters.latex.body import main_text
from filters.latex.expansion import expand
from filters.latex.projects import project, tex_files

__all__ = ["MEASURED", "NOTHING_LEFT", "NO_TEX", "TOO_SHORT", "Paper", "clean", "flatten", "project"]

NO_TEX = "no_tex"
NOTHING_LEFT = "no_text_left"
TOO_SHORT = "too_short"

MEASURED = tuple(
    pa.field(name, pa.int32())
    for name in ("files_reached", "files_unreached", "inputs_missing", "macros_expanded", "macros_refused")
)


@dataclass(frozen=True)
class Paper:
    """A submission as one text. `refused` counts uses of macros that would not end, and a spent budget as one more."""

    text: str
    main: str
    reached: int
    unreached: int
    missing: int
    expanded: int
    refused: int


def clean(batch: pa.RecordBatch, *, min_characters: int = 1) -> pa.RecordBatch:
    """Writes `text` from the column `files`, which goes: a list of {name, text} for each submission.

    Adds the main file's name to the metadata and the columns `MEASURED`. Dropped: submissions without a TeX file
    (`no_tex`), with no text left (`no_text_left`), or with fewer than `min_characters` of it (`too_short`).
    """
    texts: list[str] = []
    dropped: list[str | None] = batch["dropped"].to_pylist()
    metadata: list[list[tuple[str, str]]] = batch["metadata"].to_pylist()
    measured: list[list[int | None]] = [[] for _ in MEASURED]
    for row, is_kept in enumerate(kept(batch)):
        files = {f["name"]: f["text"] for f in batch["files"][row].as_py() or ()} if is_kept else {}
        paper = flatten(files)
        texts.append(paper.text if paper is not None else "")
        if is_kept and paper is None:
            dropped[row] = NO_TEX
        elif paper is not None:
            metadata[row] = sorted([*metadata[row], ("main_file", paper.main)])
            if len(paper.text) < min_characters:
                dropped[row] = TOO_SHORT if paper.text else NOTHING_LEFT
        values = (
            (paper.reached, paper.unreached, paper.missing, paper.expanded, paper.refused) if paper else (None,) * 5
        )
        for column, value in zip(measured, values, strict=True):
            column.append(value)
    batch = batch.drop_columns(["files"])
    batch = set_column(batch, "text", pa.array(texts, pa.string()))
    batch = set_column(batch, "metadata", pa.array(metadata, batch.schema.field("metadata").type))
    batch = set_column(batch, "dropped", pa.array(dropped, pa.string()))
    for field, column in zip(MEASURED, measured, strict=True):
        batch = set_column(batch, field.name, pa.array(column, field.type))
    return batch


def flatten(files: Mapping[str, str]) -> Paper | None:
    """A submission's text files (name to text) as one text; None if none of them is TeX. Never raises."""
    found = project(files)
    if found is None:
        return None
    result = expand(files, found.root)
    names = set(tex_files(files))
    reached = len(result.reached & names)
    refused = result.refused + result.spent
    return Paper(
        main_text(result.pieces), found.main, reached, len(names) - reached, result.missing, result.expanded, refused
    )
