"""Web pages to plain text, line by line as Common Crawl's own text has them, by resiliparse.

HTML's own rules let a small page grow without bound: a parser that follows them opens `<p><font a=1><p><font a=2>...`
again and again, some gigabytes for 300 KB, and takes time by the square of the depth, or of a tag's attributes. So one
linear pass comes first (`simplify`): only tags that break lines are left, without attributes, each closed where its
parent ends, and no deeper than `MAX_DEPTH`. Inline tags and attributes say nothing about plain text.
"""

import re
from html import unescape
from typing import NamedTuple

from resiliparse.extract.html2text import extract_plain_text

MAX_TAGS = 500_000  # that break lines; the parser takes up to 600 bytes for each
MAX_DEPTH = 64  # deeper ones become line breaks

_TAG = re.compile(
    r"""<(?: (?P<close>/?) (?P<name>[a-z][^\s/>]*+)
             (?: [^>=]++ | = \s*+ (?: "[^"]*+"? | '[^']*+'? )? )*+ >?
           | !--(?: -?> | .*? (?: --!?> | \Z ))
           | [!?/] [^>]*+ >? )""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_BLOCKS = frozenset(
    "address article aside blockquote caption center dd details dialog dir div dl dt fieldset figcaption figure footer "
    "form h1 h2 h3 h4 h5 h6 header hgroup legend li main menu nav ol p pre search section summary table tbody td tfoot "
    "th thead tr ul".split()
)
_BREAKS = frozenset(["br", "hr", "option"])
_VERBATIM = frozenset(["iframe", "noembed", "noframes", "script", "style", "textarea", "title", "xmp"])  # hold no tags
_HIDDEN = _VERBATIM | frozenset(["audio", "canvas", "math", "noscript", "object", "select", "svg", "template", "video"])
_FOREIGN = frozenset(["math", "svg"])  # XML's: the only ones that a slash closes
_END = {name: re.compile(rf"</{name}(?=[\s/>])[^>]*+>?", re.IGNORECASE) for name in _HIDDEN}


class Page(NamedTuple):
    """What a page says: `title` is one line, `text` lines without blanks at their ends, none of them empty."""

    title: str
    text: str


def plain_text(html: str) -> Page | None:
    """The title and text of a page, menus and all; None for one of more than `MAX_TAGS` tags that break lines."""
    simple = simplify(html)
    if simple is None:
        return None
    title, html = simple
    text = extract_plain_text(html, list_bullets=False, alt_texts=False)
    return Page(title, "\n".join(filter(None, (" ".join(line.split()) for line in text.splitlines()))))


def simplify(html: str) -> tuple[str, str] | None:
    """The title of a page, and a small well-formed page of the same text; None for one of too many tags."""
    title, tags = "", 0
    parts, opened = list[str](), list[str]()
    unclosed = set[str]()  # hidden elements that end nowhere behind this place
    position = 0
    while tag := _TAG.search(html, position):
        parts.append(html[position : tag.start()].replace("<", "&lt;"))
        position = tag.end()
        name = (tag["name"] or "").lower()
        if name in _BLOCKS:
            tags += 1
            if not tag["close"] and len(opened) < MAX_DEPTH:
                opened.append(name)
                parts.append(f"<{name}>")
            elif tag["close"] and name in opened:
                while (inner := opened.pop()) != name:
                    parts.append(f"</{inner}>")
                parts.append(f"</{name}>")
            else:
                parts.append("<br>")
        elif name in _BREAKS:
            tags += 1
            parts.append("<br>")
        elif name in _FOREIGN and tag[0].endswith("/>"):
            continue
        elif name in _HIDDEN and not tag["close"] and name not in unclosed:
            end = _END[name].search(html, position)
            if name == "title" and not title:
                title = " ".join(unescape(html[position : end.start() if end else None]).split())
            if end:
                position = end.end()
            elif name in _VERBATIM:
                position = len(html)
            else:
                unclosed.add(name)
        if tags > MAX_TAGS:
            return None
    parts.append(html[position:].replace("<", "&lt;"))
    parts.extend(f"</{name}>" for name in reversed(opened))
    return title, "<!DOCTYPE html><body>" + "".join(parts)
