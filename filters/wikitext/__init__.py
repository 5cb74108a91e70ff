"""Wikitext to plain text, for articles of any language's Wikipedia.

`expansion` resolves what nests (templates, links, comments, tags), `templates` and `rules` say what a template leaves,
`layout` turns lines into text. `docs/wikitext.md` says what is kept, and why no existing parser is used.
"""

import datetime
import re

import pyarrow as pa

from filters.decisions import kept, set_column
from filters.wikitext.expansion import Stash, TooComplexError, expand
from filters.wikitext.layout import lay_out
from filters.wikitext.rules import Page

__all__ = ["NOTHING_LEFT", "TOO_COMPLEX", "TOO_SHORT", "Page", "TooComplexError", "clean", "plain_text"]

TOO_COMPLEX = "wikitext_too_complex"
NOTHING_LEFT = "no_text_left"
TOO_SHORT = "too_short"

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def clean(batch: pa.RecordBatch, *, date: datetime.date | None = None, min_characters: int = 0) -> pa.RecordBatch:
    """Rewrites `text` from wikitext to plain text; reads `language`, `title` and `timestamp` from the metadata.

    `date` is the dump's, for what depends on today; without it each page takes its revision's. Dropped: pages nested
    too deeply to be an article (`wikitext_too_complex`), with no text left (`no_text_left`), or with fewer than
    `min_characters` of it (`too_short`).
    """
    texts: list[str] = []
    dropped: list[str | None] = batch["dropped"].to_pylist()
    columns = zip(kept(batch), batch["text"].to_pylist(), batch["metadata"].to_pylist(), strict=True)
    for row, (is_kept, wikitext, pairs) in enumerate(columns):
        text = wikitext
        if is_kept:
            metadata = dict(pairs)
            page = Page(
                language=metadata.get("language", "en"),
                title=metadata.get("title", ""),
                date=date or _revision_date(metadata.get("timestamp", "")),
            )
            try:
                text = plain_text(wikitext, page)
                dropped[row] = NOTHING_LEFT if not text else TOO_SHORT if len(text) < min_characters else None
            except TooComplexError:
                dropped[row] = TOO_COMPLEX
        texts.append(text)
    batch = set_column(batch, "text", pa.array(texts, pa.string()))
    return set_column(batch, "dropped", pa.array(dropped, pa.string()))


def plain_text(wikitext: str, page: Page) -> str:
    """The article's text; empty for a page that has none. Raises TooComplexError."""
    stash = Stash()
    text = _CONTROLS.sub("", wikitext.replace("\r\n", "\n"))
    return lay_out(expand(text, page, stash), page.language, stash)


def _revision_date(timestamp: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(timestamp[:10])
    except ValueError:
        return datetime.date(2022, 8, 1)  # the end of the months that the paper's dumps are from
