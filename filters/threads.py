"""Stack Exchange posts to threads: a question with its answers, highest score first, as one plain text."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from lxml import etree

from filters.wikitext.values import subscript, superscript

_CELL = "\0"  # between a table's cells, until blanks are joined
_CELLS = re.compile(f" *{_CELL} *")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_PARAGRAPHS = frozenset(
    "address article aside blockquote dd details div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 "
    "header hr main nav p pre section summary table".split()
)
_LINES = frozenset(["caption", "tbody", "thead", "tfoot", "tr", "li"])
_HIDDEN = frozenset(["script", "style", "head", "title", "template", "noscript", "iframe", "object", "svg", "select"])
_VOID = frozenset(["br", "hr", "img", "input", "wbr", "col", "embed", "source", "link", "meta", "area", "base"])
_DEEPEST = 8  # lists are indented no further, and raised characters raised


@dataclass(frozen=True)
class Thread:
    """A question and its answers; `text` is title, body and answers, blank lines between them."""

    question: int
    text: str
    answers: int
    metadata: Mapping[str, str] = field(default_factory=dict)  # title, score, tags, created, license


def threads(posts: pa.Table) -> Iterator[Thread | str]:
    """The threads of posts, in the order of their questions' ids, each with its answers by score, ties by id.

    `posts` has the columns question, id, score, title (null for an answer), body (HTML), tags, created and license, and
    holds every post of its questions. In place of an answer without its question, and of a post whose id came before,
    comes the reason why it is left out: `orphan answer`, `repeated id`.
    """
    question, id_, score = (posts[name].to_numpy() for name in ("question", "id", "score"))
    is_answer = posts["title"].is_null().to_numpy()
    position = np.arange(len(posts))
    order = np.lexsort((position, id_, -score, is_answer, question))
    posts = posts.combine_chunks().take(pa.array(order))
    _, starts = np.unique(question[order], return_index=True)
    for start, end in pairwise([*starts.tolist(), len(posts)]):
        yield from _thread(posts.slice(start, end - start).to_pylist())


def _thread(posts: list[dict[str, Any]]) -> Iterator[Thread | str]:
    """The thread of one question's posts, questions first."""
    seen: set[int] = set()
    asked: list[dict[str, Any]] = []
    answers: list[dict[str, Any]] = []
    for post in posts:
        if post["id"] in seen:
            yield "repeated id"
            continue
        seen.add(post["id"])
        (answers if post["title"] is None else asked).append(post)
    if not asked:
        yield from ["orphan answer"] * len(answers)
        return
    [question] = asked
    bodies = [plain_text(post["body"]) for post in (question, *answers)]
    title = _CONTROLS.sub("", " ".join(question["title"].split()))
    licenses = sorted({post["license"] for post in (question, *answers)} - {None})
    metadata = {
        "title": title,
        "score": str(question["score"]),
        "tags": " ".join(tags(question["tags"] or "")),
        "created": question["created"] or "",
        "license": ", ".join(licenses),
    }
    yield Thread(
        question["id"],
        "\n\n".join(filter(None, [title, *bodies])),
        len(answers),
        {name: value for name, value in metadata.items() if value},
    )


def tags(written: str) -> list[str]:
    """The tags of a question, as old dumps (`<a><b>`) and new ones (`|a|b|`) write them."""
    return [tag for tag in re.split(r"[<>|\s]+", written) if tag]


def plain_text(html: str) -> str:
    """A post's HTML as text: paragraphs apart, list items with their marks, code as it stands, entities decoded.

    Links leave their text, tables a line a row with tabs between cells; images, scripts and comments leave nothing.
    The parser makes no tree, so nesting of any depth takes linear time.
    """
    parser = _parser()
    parser.feed("<body>" + _CONTROLS.sub("", html))
    return parser.close()


@cache
def _parser() -> etree.HTMLParser:
    """One for all posts: making it takes as long as a short post does."""
    return etree.HTMLParser(target=_Layout(), huge_tree=True)


class _Layout:
    """What libxml2's HTML parser calls for each tag and text."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._text: list[str] = []  # lines that are done, and the breaks between them
        self._line: list[str] = []  # pieces of the line that is open
        self._gap = 0  # newlines owed before the next line
        self._lists: list[int | None] = []  # the next number of each open list, None for one of bullets
        self._mark = ""  # of the item that has no text yet
        self._raised: list[int] = []  # where in the line each open <sup> or <sub> begins
        self._first_cell = True  # of the row
        self._code = self._cells = self._hidden = 0  # how many of these are open

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag in _HIDDEN:
            self._hidden += 1
        elif self._hidden:
            return
        elif tag == "br":
            if self._code:
                self._line.append("\n")
            else:
                self._break(1)
        elif tag in ("td", "th"):
            self._cells += 1
            if not self._first_cell:
                self._line.append(_CELL)
            self._first_cell = False
        elif tag in ("ul", "ol"):
            self._break(1 if self._lists else 2)
            self._lists.append(_first_number(attributes) if tag == "ol" else None)
        elif tag in _PARAGRAPHS:
            if tag == "pre":
                self._cells = 0  # which keeps its lines, in a table too
            self._break(2)
            self._code += tag == "pre"
        elif tag in _LINES:
            if tag == "tr":
                self._cells, self._first_cell = 0, True
            self._break(1)
            if tag == "li":
                self._mark = self._next_mark()
        elif tag in ("sup", "sub"):
            self._raised.append(len(self._line) if len(self._raised) < _DEEPEST else -1)

    def end(self, tag: str) -> None:
        if tag in _HIDDEN:
            self._hidden = max(0, self._hidden - 1)
        elif self._hidden or tag in _VOID:
            return
        elif tag in ("td", "th"):
            self._cells = max(0, self._cells - 1)
        elif tag in ("ul", "ol"):
            self._break(1 if len(self._lists) > 1 else 2)
            if self._lists:
                self._lists.pop()
            self._mark = ""
        elif tag in _PARAGRAPHS:
            self._break(2)
            if tag == "pre":
                self._code = max(0, self._code - 1)
        elif tag in _LINES:
            if tag == "tr":
                self._cells = 0
            self._break(1)
            if tag == "li":
                self._mark = ""
        elif tag in ("sup", "sub") and self._raised and (start := self._raised.pop()) >= 0:
            text = "".join(self._line[start:])
            self._line[start:] = [(superscript if tag == "sup" else subscript)(text)] if text.strip() else [text]

    def data(self, text: str) -> None:
        if not self._hidden:
            self._line.append(text)

    def comment(self, text: str) -> None:
        """Comments hold switches of the site's editor."""

    def close(self) -> str:
        self._cells = 0
        self._break(0)
        text = _CONTROLS.sub("", "".join(self._text)).strip("\n")  # of character references
        self._begin()
        return text

    def _break(self, newlines: int) -> None:
        """End the open line, if it has text, and let at least `newlines` newlines follow it."""
        if self._cells and not self._code:  # a cell's paragraphs stay on its row's line
            self._line.append(" ")
            return
        text = self._verbatim() if self._code else self._joined()
        if text:
            self._text += ["\n" * self._gap if self._text else "", self._mark or self._indent(), text]
            self._gap, self._mark = 0, ""
        self._line, self._raised = [], []
        self._gap = max(self._gap, newlines)

    def _verbatim(self) -> str:
        text = "".join(self._line).strip("\r\n")
        return text if text.strip() else ""

    def _joined(self) -> str:
        text = " ".join("".join(self._line).split())
        return _CELLS.sub("\t", text).strip("\t") if _CELL in text else text

    def _indent(self) -> str:
        return "" if self._code else "  " * min(len(self._lists), _DEEPEST)

    def _next_mark(self) -> str:
        indent = "  " * min(max(0, len(self._lists) - 1), _DEEPEST)
        number = self._lists[-1] if self._lists else None
        if number is None:
            return f"{indent}- "
        self._lists[-1] = number + 1
        return f"{indent}{number}. "


def _first_number(attributes: Mapping[str, str]) -> int:
    start = attributes.get("start", "")
    return int(start) if re.fullmatch("[0-9]{1,9}", start) else 1
