"""Templates, links, comments and extension tags resolved from the inside out, in one pass over the page.

This is the algorithm of MediaWiki's preprocessor, a stack of what is open, so time grows with the page and not with its
nesting. It differs where a page is broken: MediaWiki shows the broken markup or swallows the rest; here what was opened
and never closed ends where its line ends, and the text goes on.
"""

import html
import re
from bisect import bisect_left
from collections.abc import Callable

from filters.wikitext.names import CATEGORY_NAMESPACES, FILE_NAMESPACES, INTERLANGUAGE, INTERWIKI_PREFIXES
from filters.wikitext.rules import HOLE, Page, Template
from filters.wikitext.templates import value

MAX_OPEN = 200  # MediaWiki itself stops at 40 nested templates
MAX_TOKENS = 2_000_000  # the largest real pages, 2 MB, have some 100,000

_REMOVED_TAGS = frozenset(
    [
        "ref",
        "references",
        "gallery",
        "timeline",
        "imagemap",
        "score",
        "graph",
        "mapframe",
        "maplink",
        "templatestyles",
        "hiero",
        "inputbox",
        "categorytree",
        "indicator",
        "rss",
        "dynamicpagelist",
        "includeonly",
        "templatedata",
        "charinsert",
        "pages",
    ]
)
_VERBATIM_TAGS = frozenset(["math", "chem", "ce", "code", "syntaxhighlight", "source", "pre"])
_TAGS = "|".join(sorted(_REMOVED_TAGS | _VERBATIM_TAGS | {"nowiki"}))
_TOKEN = re.compile(rf"<!--|<(?i:(?P<tag>{_TAGS}))(?=[\s/>])[^<>]{{0,2000}}>|\{{\{{+|\}}\}}+|\[\[(?!\[)|\]\]|\|")
_NAME = re.compile(r"[^\n<>\[\]{}\"\x02\x03]{0,80}")
_HEADING = re.compile(r"\n={2,6}[^=\n][^\n]*=[ \t]*(?:\n|\Z)")
_TABLE_LINES = re.compile(r"(?:[ \t]*[|!}][^\n]*(?:\n|\Z))+")
_WORD = re.compile(r"\w")
_WORDLESS = re.compile(r"\{\{[^{}]*\}\}|<!--.*?-->")  # what else a line may hold that has no text of its own
_FUNCTIONS = re.compile(r"(?i)\s*(?:subst:|safesubst:)?\s*(#?[\w-]{2,20}):(.*)", re.DOTALL)
_TEMPLATE_NAMESPACE = re.compile(
    r"(?i)\A\s*:?(?:template|vorlage|modèle|plantilla|plantilla|шаблон|predloga|predložak|msgnw|msg|raw):\s*"
)
_BLANKS = " \t\n" + HOLE


class TooComplexError(Exception):
    """A page with more open or more markup than any that people write."""


class Stash:
    """Text that later steps must not touch, each piece behind a mark that they leave alone."""

    _MARK = re.compile("\x02([0-9]+)([cn])\x03")

    def __init__(self) -> None:
        self._kept: list[str] = []

    def keep(self, text: str, *, verbatim: bool) -> str:
        """The mark to put in its place. Code and formulas are `verbatim`; `<nowiki>` is prose."""
        self._kept.append(text)
        return f"\x02{len(self._kept) - 1}{'c' if verbatim else 'n'}\x03"

    def restore(self, text: str, *, verbatim: bool) -> str:
        kind = "c" if verbatim else "n"
        return self._MARK.sub(lambda mark: self._kept[int(mark[1])] if mark[2] == kind else mark[0], text)


class _Open:
    """Braces or brackets that wait for their end, and what stands in them so far."""

    __slots__ = ("at", "braces", "name", "names", "parts", "pieces")

    def __init__(self, at: int, braces: int) -> None:
        self.at = at
        self.braces = braces  # how many; 0 for a link
        self.parts: list[str] = []  # finished arguments
        self.names: list[str | None] = []  # and what they are called
        self.pieces: list[str] = []  # of the argument that is being read
        self.name: str | None = None  # "" once it is known to have none

    def finish_part(self) -> None:
        self.parts.append("".join(self.pieces))
        self.names.append(self.name or None)
        self.pieces, self.name = [], None

    def raw(self) -> str:
        """The content as it was, for what turns out not to be a template."""
        return "|".join(f"{name}={part}" if name else part for name, part in zip(self.names, self.parts, strict=True))


class _TagEnds:
    """For each tag the places where it opens and closes, found once: looking for each end anew would be quadratic."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._found: dict[str, tuple[list[int], list[tuple[int, bool]]]] = {}

    def after(self, tag: str, position: int) -> tuple[int, int] | None:
        """Start and end of the tag that closes the one opened before `position`; None if another one opens first."""
        if tag not in self._found:
            pattern = re.compile(rf"(?i)<(/?){tag}(?=[\s/>])[^<>]{{0,2000}}>")
            found = [m for m in pattern.finditer(self._text) if m[1] or not m[0].endswith("/>")]
            self._found[tag] = [m.start() for m in found], [(m.end(), bool(m[1])) for m in found]
        starts, ends = self._found[tag]
        index = bisect_left(starts, position)
        return (starts[index], ends[index][0]) if index < len(starts) and ends[index][1] else None


def expand(text: str, page: Page, stash: Stash) -> str:
    """`text` with templates replaced by their values, links by their words, and notes, files and categories by nothing.

    Lines, tables, lists, headings, quotes, HTML and entities are left as they are. Raises TooComplexError.
    """
    return _Expansion(text, page, stash).run()


class _Expansion:
    def __init__(self, text: str, page: Page, stash: Stash) -> None:
        self._text = text
        self._page = page
        self._stash = stash
        self._stack = [_Open(0, 0)]  # the page itself is never closed
        self._templates_open = 0
        self._ends = _TagEnds(text)
        self._last_comment_end = text.rfind("-->")

    def run(self) -> str:
        text, stack = self._text, self._stack
        position = 0
        tokens = 0
        for match in _TOKEN.finditer(text):
            start = match.start()
            if start < position:
                continue  # inside something that was taken whole
            tokens += 1
            if tokens > MAX_TOKENS or len(stack) > MAX_OPEN:
                raise TooComplexError
            if start > position:
                self._literal(text[position:start])
            token = match[0]
            position = match.end()
            if token == "|":
                if len(stack) > 1:
                    stack[-1].finish_part()
                else:
                    stack[-1].pieces.append("|")
            elif token == "[[":
                stack.append(_Open(start, 0))
            elif token == "]]":
                if len(stack) > 1 and not stack[-1].braces:
                    self._close_link()
                else:
                    self._literal(token)
            elif token[0] == "{":
                stack.append(_Open(start, len(token)))
                self._templates_open += 1
            elif token[0] == "}":
                self._close_braces(len(token), position)
            elif token == "<!--":
                position = self._comment(start)
            else:
                position = self._tag(match["tag"].lower(), token, position)
        self._literal(text[position:])
        while len(stack) > 1:
            self._give_up()
        return "".join(stack[0].pieces)

    def _literal(self, text: str) -> None:
        top = self._stack[-1]
        if top.braces and top.parts and top.name is None and "=" in text:
            before, _, after = text.partition("=")
            name = "".join(top.pieces) + before
            if _NAME.fullmatch(name.strip()):
                top.name, top.pieces = name, [after]
                return
            top.name = ""
        top.pieces.append(text)

    def _comment(self, start: int) -> int:
        """The end of a comment: of its line, if it is not closed. One alone on its line takes the line with it."""
        text = self._text
        if start + 4 <= self._last_comment_end:
            end = text.index("-->", start + 4) + 3
        else:
            end = text.find("\n", start)
            end = len(text) if end < 0 else end
        pieces = self._stack[-1].pieces
        if text[start - 1 : start] in ("", "\n") and text[end : end + 1] == "\n":
            return end + 1
        pieces.append(HOLE)
        return end

    def _tag(self, tag: str, token: str, position: int) -> int:
        pieces = self._stack[-1].pieces
        if token.endswith("/>"):
            pieces.append(HOLE if tag in _REMOVED_TAGS else "")
            return position
        closing = self._ends.after(tag, position)
        if closing is None:
            return position  # never closed: only the tag goes
        content = self._text[position : closing[0]]
        if tag in _REMOVED_TAGS:
            pieces.append(HOLE)
        elif tag == "nowiki":
            pieces.append(self._stash.keep(html.unescape(content), verbatim=False))
        else:
            pieces.append(self._verbatim(tag, content))
        return closing[1]

    def _verbatim(self, tag: str, content: str) -> str:
        content = re.sub(r"(?i)</?nowiki\s*/?>", "", content)
        if tag not in {"math", "chem", "ce"}:
            content = html.unescape(content)
        if not content.strip():
            return HOLE
        mark = self._stash.keep(content.strip("\n") if "\n" in content else content.strip(), verbatim=True)
        block = "\n" in content.strip() or tag == "pre"
        return f"\n\n{mark}\n\n" if block else mark

    def _close_link(self) -> None:
        link = self._stack.pop()
        link.finish_part()
        self._stack[-1].pieces.append(_link_text(link.parts))

    def _close_braces(self, closing: int, end: int) -> None:
        stack = self._stack
        while closing >= 2 and self._templates_open:
            while not stack[-1].braces:
                self._give_up()  # a link that was not closed inside the template
            frame = stack.pop()
            self._templates_open -= 1
            frame.finish_part()
            taken = 3 if closing >= 3 and frame.braces >= 3 else 2
            default = frame.parts[1] if len(frame.parts) > 1 else HOLE
            result = default if taken == 3 else self._template(frame, end)
            closing -= taken
            left = frame.braces - taken
            if left >= 2:
                outer = _Open(frame.at, left)
                outer.pieces.append(result)
                stack.append(outer)
                self._templates_open += 1
            else:
                stack[-1].pieces.append("{" * left + result)
        if closing:
            self._literal("}" * closing)

    def _template(self, frame: _Open, end: int) -> str:
        result = self._value(frame.parts, frame.names, self._place(frame.at, end))
        if len(result) < 4 and _HEADING.search(raw := frame.raw()):
            return _unclosed_template(raw, self._value)  # it swallowed a section: its own end is missing
        return result

    def _value(self, parts: list[str], names: list[str | None], place: str) -> str:
        head = _TEMPLATE_NAMESPACE.sub("", parts[0], count=1).strip(_BLANKS)
        template = Template(head, place=place)
        function = _FUNCTIONS.fullmatch(head)
        if function is not None:
            template.name = function[1]
            template.positional.append(function[2].strip(_BLANKS))
        for part, name in zip(parts[1:], names[1:], strict=True):
            text = part.strip(_BLANKS) if HOLE in part or part[:1].isspace() or part[-1:].isspace() else part
            if name is None:
                template.positional.append(text)
            else:
                template.named[name.strip(_BLANKS).lower()] = text
        if "\n" in template.name:
            return HOLE
        return value(template, self._page)

    def _place(self, start: int, end: int) -> str:
        """Where a template stands: see Template.place. Only the near surroundings are looked at."""
        text = self._text
        last = text[start - 1 : start] if start else ""
        before = _WORDLESS.sub("", text[max(0, start - 60) : start].rpartition("\n")[2])
        after = _WORDLESS.sub("", text[end : end + 60].partition("\n")[0])
        if not _WORD.search(before) and not _WORD.search(after) and (len(before) < 60 or len(after) < 60):
            return "item" if before.lstrip()[:1] in ("*", "#", ";", ":") and before else "block"
        return "attached" if last and (last.isalnum() or last in '.,;>}]!?%’”»"') else "inline"

    def _give_up(self) -> None:
        """What was opened last is never closed."""
        frame = self._stack.pop()
        frame.finish_part()
        if frame.braces:
            self._templates_open -= 1
            text = _unclosed_template(frame.raw(), self._value)
        else:
            text = _unclosed_link(frame.raw())
        self._stack[-1].pieces.append(text)


def _unclosed_template(raw: str, value_of: Callable[[list[str], list[str | None], str], str]) -> str:
    """A template without its end: it ends at a single brace or with its line, and with the arguments below."""
    first, newline, rest = raw.partition("\n")
    call, brace, tail = first.partition("}")
    parts = call.split("|")
    result = value_of(parts, [None] * len(parts), "inline") if brace or len(parts) < 4 else HOLE
    arguments = _TABLE_LINES.match(rest)
    return result + tail + newline + (rest[arguments.end() :] if arguments else rest)


def _unclosed_link(raw: str) -> str:
    first, newline, rest = raw.partition("\n")
    target, pipe, label = first.partition("|")
    if _namespace(target) in FILE_NAMESPACES | CATEGORY_NAMESPACES:
        return HOLE + newline + rest
    return (label if pipe else first).replace("]", "", 1) + newline + rest


def _namespace(target: str) -> str:
    prefix, colon, _ = target.partition(":")
    return "_".join(prefix.split()).lower() if colon and len(prefix) < 40 else ""


def _link_text(parts: list[str]) -> str:
    """What a link shows: its label, or its target; nothing for files, categories and links to other languages."""
    target = parts[0].strip(_BLANKS)
    namespace = _namespace(target)
    if namespace in FILE_NAMESPACES:
        text = "|".join(parts)
        heading = _HEADING.search(text)
        return HOLE if heading is None else HOLE + text[heading.start() :]
    if namespace in CATEGORY_NAMESPACES:
        return HOLE
    if len(parts) > 1:
        label = "|".join(parts[1:])
        return label if label.strip() else _short_title(target.lstrip(":"))
    if "\n" in target:
        return parts[0]
    if namespace and not target.startswith(":"):
        if namespace in INTERWIKI_PREFIXES:
            return target.partition(":")[2]
        if INTERLANGUAGE.fullmatch(namespace) and target[0].islower():
            return HOLE
    return target.lstrip(":")


def _short_title(title: str) -> str:
    """What `[[Help:Rome (city)|]]` shows: Rome."""
    title = title.partition(":")[2] or title
    before, parenthesis, _ = title.rpartition("(")
    return before.rstrip() if parenthesis and title.endswith(")") else title
