"""Documentation markup (docstrings, reStructuredText, Markdown) read as blocks, and written as text or as wikitext.

Not a full reader of either language: enough to turn wrapped, indented source text into the paragraphs a reader would
see, and to keep code apart from prose. What it does not know stays as it is.
"""

import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    HEADING = "heading"
    PARAGRAPH = "paragraph"
    ITEM = "item"
    TERM = "term"
    CODE = "code"


class Block(NamedTuple):
    """One visual unit of a page. Code keeps its line breaks; every other kind is one line."""

    kind: Kind
    text: str


# Not allowed in XML, or not inside a line.
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
_RULE = re.compile(r"([=\-~^\"'*#+_.])\1{2,}\s*$")
_TABLE = re.compile(r"[=+|\-][=+|\-\s]{5,}$|\|.*\|$")
_BULLET = re.compile(r"(?:[-*+•]|\(?\d{1,2}[.)]|:\w[^:`]{0,60}:|\.\. \[\w+\])\s+(?=\S)")
_ENTRY = re.compile(r"\*{0,2}[`\w][\w.,*`/|\[\] ]{0,60}(?:\([^)]*\))?\s*(?:--|:)\s+(?=\S)")
_CODE = re.compile(
    r">>> |\.\.\. |\$ |In \[\d+\]|@\w+[.(\w)]*$|(?:from [\w.]+ )?import |def |class \w+[(:]|return |[\w.\[\]]+ [-+*]?= "
)
_SECTION = re.compile(r"[A-Z][A-Za-z ]{2,30}:$")
_DIRECTIVE = re.compile(r"\.\. ([\w:-]+)::\s*(.*)$")
_MARKDOWN_HEADING = re.compile(r"#{1,6}\s+(.+?)\s*#*$")
_FENCE = re.compile(r"(```|~~~)")
_VERBATIM = {"code-block", "code", "sourcecode", "ipython", "doctest", "testcode", "testoutput", "plot"}
_SILENT = {"currentmodule", "module", "autosummary", "autoclass", "autofunction", "automodule", "toctree", "image"}
_MINIMUM_WORDS_OF_PROSE = 4


def blocks(text: str) -> list[Block]:
    """Read documentation text, tabs expanded and its first line at the margin, as blocks in order."""
    return list(_blocks(_UNWRITABLE.sub("", text).expandtabs().split("\n")))


def _blocks(lines: list[str]) -> Iterator[Block]:
    place, verbatim_from = 0, -1  # verbatim_from: margin of the paragraph whose `::` announced code
    while place < len(lines):
        line = lines[place].strip()
        if not line:
            place += 1
            continue
        margin = _indent(lines[place])
        if _FENCE.match(line):
            end = _first(lines, place + 1, lambda other: bool(_FENCE.match(other.strip())))
            yield from _code(lines[place + 1 : end])
            place = end + 1
        elif 0 <= verbatim_from < margin:
            end = _first(lines, place, _shallower(margin))
            yield from _code(lines[place:end])
            place = end
        elif line.startswith(">>> "):
            end = _first(lines, place, lambda other: not other.strip())
            yield from _code(lines[place:end])
            place = end
        elif directive := _DIRECTIVE.match(line):
            end = _first(lines, place + 1, _shallower(margin + 1))
            yield from _directive(directive[1], directive[2], lines[place + 1 : end])
            place = end
        elif heading := _MARKDOWN_HEADING.match(line):
            yield Block(Kind.HEADING, heading[1])
            place += 1
        elif _RULE.match(line):
            place += 1
        else:
            end = _first(lines, place + 1, lambda other: not other.strip() or other.lstrip().startswith(">>> "))
            if place + 1 < end and _RULE.match(lines[place + 1].strip()):
                yield Block(Kind.HEADING, line)
                place += 2
                continue
            chunk = lines[place:end]
            verbatim_from = margin if chunk[-1].rstrip().endswith("::") else -1
            yield from _chunk(chunk)
            place = end
            continue
        verbatim_from = -1


def _chunk(lines: list[str]) -> Iterator[Block]:
    """Lines without a blank one between them: a table, code, a list, terms with their definitions, or a paragraph."""
    if sum(bool(_TABLE.match(line.strip())) for line in lines) >= 2 or _CODE.match(lines[0].strip()):
        yield from _code(lines)
        return
    margin = min(map(_indent, lines))
    group: list[str] = []
    kind = Kind.PARAGRAPH
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        stripped = line.strip()
        listed = _BULLET.match(stripped)
        deeper = bool(following.strip()) and _indent(following) > _indent(line)
        if listed or (_indent(line) == margin and (deeper or _ENTRY.match(stripped)) and not _wrapped(group)):
            yield from _joined(kind, group)
            group = []
            if _SECTION.match(stripped) and deeper:
                yield Block(Kind.HEADING, stripped[:-1])
                kind = Kind.PARAGRAPH
            elif listed or _ENTRY.match(stripped):
                group, kind = [line], Kind.ITEM
            elif deeper and len(stripped) < 72:
                yield Block(Kind.TERM, stripped)
                kind = Kind.PARAGRAPH
            else:
                group, kind = [line], Kind.PARAGRAPH
        else:
            group.append(line)
    yield from _joined(kind, group)


def _wrapped(group: list[str]) -> bool:
    """Whether the last line runs on: a sentence that fills its line goes on in the next one."""
    return bool(group) and len(group[-1].rstrip()) > 55 and group[-1].rstrip()[-1] not in ".:!?"


def _joined(kind: Kind, lines: list[str]) -> Iterator[Block]:
    if not lines:
        return
    short = sum(map(len, lines)) < 30 * len(lines)
    if kind is Kind.PARAGRAPH and short and len(lines) > 2:  # short lines were broken on purpose
        for line in lines:
            yield Block(kind, line.strip())
        return
    text = " ".join(line.strip() for line in lines)
    if kind is Kind.ITEM:
        text = re.sub(r"^(?:[-*+•]|\.\. )\s*", "", text)
    if text.endswith("::"):
        text = text[:-1]
    if text.strip(":"):
        yield Block(kind, text)


def _code(lines: list[str]) -> Iterator[Block]:
    text = textwrap.dedent("\n".join(line.rstrip() for line in lines)).strip("\n")
    if text:
        yield Block(Kind.CODE, text)


def _directive(name: str, argument: str, body: list[str]) -> Iterator[Block]:
    body = [line for line in body if not re.match(r"\s+:[\w-]+:", line)]
    if name in _SILENT:
        return
    if name in _VERBATIM:
        yield from _code(body)
    elif name == "math":
        yield Block(Kind.PARAGRAPH, ":math:`" + " ".join(filter(None, [argument, *map(str.strip, body)])) + "`")
    elif name.startswith("version") or name == "deprecated":
        what = {"versionadded": "New", "versionchanged": "Changed"}.get(name, "Deprecated")
        rest = " ".join(filter(None, map(str.strip, body)))
        yield Block(Kind.PARAGRAPH, f"{what} in version {argument.rstrip(':')}{': ' + rest if rest else '.'}")
    else:
        yield Block(Kind.HEADING, argument if name in {"rubric", "topic"} and argument else name.capitalize())
        if argument and name not in {"rubric", "topic"}:
            yield Block(Kind.PARAGRAPH, argument)
        yield from _blocks(textwrap.dedent("\n".join(body)).splitlines())


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _shallower(margin: int) -> Callable[[str], bool]:
    return lambda line: bool(line.strip()) and _indent(line) < margin


def _first(lines: list[str], start: int, wanted: Callable[[str], bool]) -> int:
    return next((place for place in range(start, len(lines)) if wanted(lines[place])), len(lines))


def is_prose(block: Block) -> bool:
    """Whether a block reads as sentences: the text a language model should learn from."""
    return block.kind in {Kind.PARAGRAPH, Kind.ITEM} and block.text.count(" ") >= _MINIMUM_WORDS_OF_PROSE


_INLINE = re.compile(
    r"!\[[^\]]*\]\([^)]*\)"  # a Markdown image: nothing to read
    r"|:math:`(?P<math>[^`]+)`"
    r"|(?<!\\)\$(?P<dollars>[^$\s](?:[^$]*[^$\s])?)\$"
    r"|\[(?P<citation>\w{1,8})\]_"
    r"|:[\w:+-]+:`(?P<role>[^`]+)`"
    r"|``(?P<literal>.+?)``"
    r"|`(?P<label>[^`<]+?)\s*<(?P<target>https?://[^>`]+)>`__?"
    r"|`(?P<name>[^`]+)`_{0,2}"
    r"|\[(?P<text>[^\]\[]+)\]\((?P<url>[^)\s]+)[^)]*\)"
    r"|\*\*(?P<strong>[^*\n]+)\*\*"
    r"|(?<![\w*])\*(?P<emphasis>[^*\s][^*\n]*)\*(?![\w*])"
    r"|</?(?:p|a|b|i|em|img|br|div|span|h\d|strong|picture|source|sup|sub|center|details|summary|table|tr|td)\b[^>]*>"
)


def plain(text: str) -> str:
    """Inline markup removed: the words a browser would show."""

    def shown(match: re.Match[str]) -> str:
        if match["role"]:
            return _role(match["role"])[1]
        return next((value for key, value in match.groupdict().items() if value and key not in {"target", "url"}), "")

    return _INLINE.sub(shown, text)


def wikitext(text: str) -> str:
    """Inline markup rewritten as wikitext; what wikitext would take for markup is escaped."""
    pieces: list[str] = []
    place = 0
    for match in _INLINE.finditer(text):
        pieces += [escaped(text[place : match.start()]), _wiki_inline(match)]
        place = match.end()
    return "".join([*pieces, escaped(text[place:])])


def _wiki_inline(match: re.Match[str]) -> str:
    if formula := match["math"] or match["dollars"]:
        return "<math>" + formula.replace("<", r" \lt ") + "</math>"
    if match["citation"]:
        return f'<ref name="{match["citation"]}" />'
    if match["role"]:
        target, shown = _role(match["role"])
        return f"[[{target}|{shown}]]" if re.fullmatch(r"[\w.]+", target) else f"<code>{escaped(shown)}</code>"
    if match["literal"] or match["name"]:
        return f"<code>{escaped(match['literal'] or match['name'])}</code>"
    if match["target"]:
        return f"[{match['target']} {escaped(match['label'])}]"
    if match["url"]:
        shown = escaped(match["text"])
        return f"[{match['url']} {shown}]" if match["url"].startswith("http") else shown
    if match["strong"]:
        return f"'''{escaped(match['strong'])}'''"
    return f"''{escaped(match['emphasis'])}''" if match["emphasis"] else ""


def _role(content: str) -> tuple[str, str]:
    """Target and shown text of a reStructuredText role: `~a.b.c` shows `c`, `text <target>` shows `text`."""
    if explicit := re.fullmatch(r"(.+?)\s*<(.+)>", content, re.DOTALL):
        return explicit[2], explicit[1]
    target = content.lstrip("~!.")
    return target, target.rpartition(".")[2] if content.startswith("~") else target


_WIKI_SPECIAL = re.compile(r"\[\[|\]\]|\{\{|\}\}|\{\||\|\}|''+|~~~+|<")


def escaped(text: str) -> str:
    """Plain text as wikitext that shows it."""
    return _WIKI_SPECIAL.sub(lambda match: "&lt;" if match[0] == "<" else _as_entities(match[0]), text)


def _as_entities(marks: str) -> str:
    return "".join(f"&#{ord(mark)};" for mark in marks)


def to_page(parts: Iterable[Block]) -> list[str]:
    """Lines of a crawled page: one for each block, as text extraction gives them; code keeps its lines."""
    lines: list[str] = []
    for kind, text in parts:
        if kind is Kind.CODE:
            lines += [line for line in text.splitlines() if line.strip()]
        else:
            lines.append(" ".join(plain(text).split()))
    return [line for line in lines if line]


_WIKI_BRACKETS = re.compile(r"\[\[|\]\]|\{\{|\}\}|\{\||\|\}")


def to_wikitext(parts: Iterable[Block], *, level: int) -> list[str]:
    """Paragraphs of an article; headings become section titles of `level` (2 is the highest in an article).

    Blocks with brackets of wikitext's own, such as nested lists in code, are left out: so whatever a cleaner leaves of
    these marks is markup that it missed, and can be counted.
    """
    marks = "=" * level
    lines: list[str] = []
    for kind, text in parts:
        if _WIKI_BRACKETS.search(text):
            continue
        if kind is Kind.CODE:
            lines.append(f'<syntaxhighlight lang="python">\n{text}\n</syntaxhighlight>')
        elif body := " ".join(wikitext(text).split()):
            prefix = {Kind.ITEM: "* ", Kind.TERM: "; "}.get(kind, "")
            if not prefix and body[0] in "*#:;= ":
                body = _as_entities(body[0]) + body[1:]
            lines.append(f"{marks} {body} {marks}" if kind is Kind.HEADING else prefix + body)
    return lines
