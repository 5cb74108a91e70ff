"""Stack Exchange's dumps: a site's Posts.xml, in a .7z or as it is, of questions and answers that we wrote in Markdown.

@question 12 clock pendulum | Why does my clock stop in winter?
The question's body.
@answer 7
An answer's body.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import quoteattr

from markdown_it import MarkdownIt

from pipelines.sample.archives import seven_zip

_FIRST = datetime(2022, 7, 1, 8)
_HEADER = '\ufeff<?xml version="1.0" encoding="utf-8"?>\n<posts>\n'
_POST = re.compile(r"^@(question|answer) (-?\d+)(?: (.*) \| (.*))?\n", re.MULTILINE)
_TAG_WIKI, _ORPHAN = 5, 2
_PICTURE = '<p><img src="https://pictures.example/1.png" alt=""></p>'


class Post(NamedTuple):
    """A post before it has an id: `when` is its place in time, `thread` the number of its question."""

    when: float
    thread: int
    score: int
    body: str  # HTML
    title: str | None = None  # None for an answer
    tags: tuple[str, ...] = ()


def dumps(sources: Iterable[Path]) -> dict[str, bytes]:
    """Two sites' files by name: the first site is an old dump in a .7z, the second a new one, unpacked."""
    old, new = sources
    return {
        f"{old.stem}.7z": seven_zip({"Posts.xml": _xml(read_posts(old), "<{}>").encode()}),
        f"{new.stem}/Posts.xml": _xml(read_posts(new), "|{}|").encode(),
    }


def read_posts(source: Path) -> list[Post]:
    """The posts of a file of questions and answers, in the order in which they were written: answers come later, among
    other questions.
    """
    markdown, posts, thread, answers = MarkdownIt("commonmark").enable("table"), list[Post](), 0, 0
    _, *pieces = _POST.split(source.read_text(encoding="utf-8"))
    for kind, score, tags, title, body in zip(*(pieces[start::5] for start in range(5)), strict=True):
        html = markdown.render(body.strip()).strip()
        if kind == "question":
            thread, answers = thread + 1, 0
            posts.append(Post(thread, thread, int(score), html, title, tuple(tags.split())))
        else:
            answers += 1
            posts.append(Post(thread + 1.6 * answers - 0.3, thread, int(score), html))
    return sorted(posts)


def _xml(posts: list[Post], written: str) -> str:
    """Posts.xml with what is not only questions and answers: a tag's wiki, an answer whose question was deleted, a
    question that is but a picture, a post that stands there twice, and a row that was not written to its end.
    """
    questions = {post.thread: number for number, post in enumerate(posts, 1) if post.title is not None}
    rows = [_row(number, post, questions[post.thread], written) for number, post in enumerate(posts, 1)]
    last, picture = len(rows), Post(posts[-1].when + 1, 0, -3, _PICTURE, "")
    rows += [
        _element({"Id": last + 1, "PostTypeId": _TAG_WIKI, "Body": "<p>About this tag.</p>"}),
        _element({"Id": last + 2, "PostTypeId": _ORPHAN, "ParentId": last + 99, "Score": 1, "Body": "<p>Thanks!</p>"}),
        _row(last + 3, picture, last + 3, written),
        rows[0],
        rows[1][: len(rows[1]) // 2],
    ]
    return "".join([_HEADER, *(f"  {row}\n" for row in rows), "</posts>\n"])


def _row(number: int, post: Post, question: int, written: str) -> str:
    created = (_FIRST + timedelta(hours=7.3 * post.when)).isoformat(timespec="milliseconds")
    kind: dict[str, object] = {"PostTypeId": 1} if post.title is not None else {"PostTypeId": 2, "ParentId": question}
    row = {"Id": number, **kind, "CreationDate": created, "Score": post.score, "Body": post.body}
    if post.title is not None:
        row |= {"Title": post.title, "Tags": "".join(_tags(post.tags, written))}
    return _element({**row, "ContentLicense": "Apache-2.0"})


def _tags(names: tuple[str, ...], written: str) -> Iterator[str]:
    """`<a><b>`, or `|a|b|`."""
    for number, name in enumerate(names):
        mark = written.format(name)
        yield mark[1:] if number and mark.startswith("|") else mark


def _element(attributes: dict[str, object]) -> str:
    return f"<row {' '.join(f'{name}={quoteattr(str(value))}' for name, value in attributes.items())} />"
