"""Lines: tables, HTML, lists and headings of a page whose templates and links are already text, as plain text."""

import html
import re

from filters.wikitext.expansion import Stash
from filters.wikitext.names import VARIANTS
from filters.wikitext.rules import HOLE
from filters.wikitext.values import subscript, superscript

_BREAK = "\x04"  # <br>: a new line in a paragraph, a space in a heading or a list item

_TABLE_START = re.compile(r"[ \t:*#;\x05]*\{\|")
_TABLE_END = re.compile(r"[ \t]*\|\}")
_HEADING = re.compile(r"(={1,6})(.+?)\1[ \t\x05]*")
_LIST = re.compile(r"([*#:;]+)[ \t]*(.*)", re.DOTALL)
_HTML_TABLE = re.compile(r"<(/?)table\b[^<>]{0,2000}>", re.IGNORECASE)
_HIDDEN = re.compile(r"<(span|div)\b[^<>]{0,1000}display\s*:\s*none[^<>]{0,1000}>[^<>]{0,1000}</\1\s*>", re.IGNORECASE)
_RAISED = re.compile(r"<(su[bp])\b[^<>]{0,200}>([^<>]{0,200})</\1\s*>", re.IGNORECASE)
_BLOCK_TAGS = "p|div|blockquote|center|ul|ol|dl|dt|dd|hr|poem|section|h[1-6]|li|tr|caption"
_INLINE_TAGS = (
    "abbr|b|bdi|bdo|big|cite|data|del|dfn|em|font|i|ins|kbd|link|mark|meta|q|rb|rp|rt|rtc|ruby|s|samp|small|span|strike|strong|"
    "sub|sup|tt|time|u|var|wbr|nobr|nowiki|noinclude|includeonly|onlyinclude|references|ref|code|pre|math|chem|ce|source|"
    "syntaxhighlight|gallery|table|td|th|tbody|thead|tfoot|img|a|br|abstract|languages|translate|tvar|section|timeline|imagemap|"
    "col|colgroup|label|input|score|graph|templatestyles|mapframe|maplink|hiero|inputbox|indicator"
)
_TAG = re.compile(rf"<(/?)({_BLOCK_TAGS}|{_INLINE_TAGS})\b[^<>]{{0,2000}}>", re.IGNORECASE)
_BLOCK_TAG = re.compile(_BLOCK_TAGS)
_BR = re.compile(r"<\s*/?\s*br\b[^<>]{0,200}>", re.IGNORECASE)
_EXTERNAL = re.compile(
    r"\[(?:(?:https?|ftp|irc|news|gopher):)?//[^\s\[\]<>\"\x05]*+([^\[\]\n]*)\]|\[mailto:[^\s\[\]]++([^\[\]\n]*)\]"
)
_ADDRESS = re.compile(r"\[?\b(?:https?|ftp)://[^\s\[\]<>\"\x05|{}]+")
_SWITCH = re.compile(r"__[^\W\d_]{3,30}(?:_[^\W\d_]{2,20}){0,3}__")
_VARIANT = re.compile(r"-\{([^{}]{0,2000})\}-")
_QUOTES = re.compile(r"'{2,}")
_RESIDUE = re.compile(
    r"\[\[|\]\]|\{\{|\}\}|\{\||\|\}|</?ref(?:erences)?\b[^<>\n]{0,500}>?|<!--|-->|\bthumb\||\bright\||\bleft\|",
    re.IGNORECASE,
)
_SPACES = re.compile(r"[ \t\u00a0\u2007\u2009\u200a\u202f]+")
_INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u2060\ufeff]")
_WORD = re.compile(r"\w|\x02")
# Holes are first brought to the form ` ?HOLE ?`; unbounded patterns around them would take quadratic time.
_HOLE_RUN = re.compile(rf"{HOLE}[ \t{HOLE}]*")
_SPACES_BEFORE_HOLE = re.compile(rf"(?<![ \t])[ \t]++{HOLE}")
_EMPTY_BRACKETS = re.compile(rf" ?[(（](?:[ ,;:./–—-]{{0,10}}{HOLE}){{1,10}}[ ,;:./–—-]{{0,10}}[)）]")
_HOLE_AFTER_OPENER = re.compile(rf"(?<=[(（\[]) ?{HOLE}[ ,;:{HOLE}]{{0,20}}")
_HOLE_BEFORE_CLOSER = re.compile(rf"[ ,;:]{{0,3}}{HOLE} ?(?=[)）\]])")
_HOLE_BEFORE_STOP = re.compile(rf"[ ,;:]{{0,3}}{HOLE} ?(?=\.(?:\s|\Z))")
_HOLE_BETWEEN_COMMAS = re.compile(rf"[,;] ?{HOLE} ?(?=[,;])")
_HOLE_BEFORE_MARK = re.compile(rf" ?{HOLE} ?(?=[.,;:!?\n]|\Z)")


def lay_out(text: str, language: str, stash: Stash) -> str:
    """Plain text: headings and paragraphs as lines, `- ` and `1. ` before list items, no markup.

    A heading stands between empty lines; one with nothing under it goes.
    """
    text = _without_tables(text)
    text = _without_html(text)
    text = _EXTERNAL.sub(lambda link: (link[1] or link[2] or "").strip() or HOLE, text)
    text = _ADDRESS.sub(_after_address, text)
    text = _without_quotes(text)
    text = _SWITCH.sub(lambda switch: "" if switch[0].isupper() or not switch[0].isascii() else switch[0], text)
    if language in VARIANTS:
        text = _one_variant(text, VARIANTS[language])
    text = _INVISIBLE.sub("", html.unescape(text))
    text = _without_holes(text)
    lines = _numbered_lists(text.split("\n"))
    return _finish(_without_empty_sections(lines), stash)


def _without_tables(text: str) -> str:
    """Without `{| ... |}`, at any depth. One that is not closed ends at the next heading, or else with its last row."""
    if "|" not in text and "<table" not in text.lower():
        return text
    kept: list[str] = []
    lines = text.split("\n")
    ends = _table_ends(lines)
    index = 0
    in_rows = False
    while index < len(lines):
        line = lines[index]
        if index in ends:
            index = ends[index]
            kept.append("")
            in_rows = True
            continue
        stripped = line.lstrip(" \t" + HOLE)
        # Rows whose table was opened by a template, or lost its start.
        in_rows = stripped.startswith("|") or (in_rows and stripped.startswith("!"))
        if not in_rows:
            kept.append(line)
        elif stripped.startswith("|}") and (rest := stripped[2:].strip()):
            kept.append(rest)
        index += 1
    return "\n".join(kept)


def _table_ends(lines: list[str]) -> dict[int, int]:
    """For each outermost table the line it starts on and the line behind it."""
    ends: dict[int, int] = {}
    open_at: list[int] = []
    last_row = 0

    def close_all(at: int) -> None:
        if open_at:
            ends[open_at[0]] = at
        open_at.clear()

    for index, line in enumerate(lines):
        if _TABLE_START.match(line):
            open_at.append(index)
            last_row = index
        elif open_at:
            if _TABLE_END.match(line):
                start = open_at.pop()
                last_row = index
                if not open_at:
                    rest = _TABLE_END.sub("", line, count=1)
                    lines[index] = rest
                    ends[start] = index if rest.strip() else index + 1
            elif line[:1] in "|!" and line:
                last_row = index
            elif line.startswith("==") and _HEADING.fullmatch(line):
                close_all(index)
    close_all(last_row + 1)
    return ends


def _without_html(text: str) -> str:
    if "<" not in text:
        return text
    text = _without_html_tables(text)
    text = _HIDDEN.sub(HOLE, text)
    text = _BR.sub(_BREAK, text)
    text = _RAISED.sub(
        lambda tag: (superscript if tag[1].lower() == "sup" else subscript)(_QUOTES.sub("", tag[2])), text
    )
    return _TAG.sub(_tag_text, text)


def _tag_text(tag: re.Match[str]) -> str:
    closing, name = tag[1], tag[2].lower()
    if not _BLOCK_TAG.fullmatch(name):
        return ""
    if name[0] == "h" and name != "hr":
        marks = "=" * max(2, int(name[1]))
        return marks + "\n" if closing else "\n" + marks
    return ("" if closing else "\n* ") if name == "li" else "\n"


def _after_address(address: re.Match[str]) -> str:
    """Nothing of a bare address but the punctuation behind it, of which `)` is a part if `(` is."""
    end = address[0].rstrip(".,;:!?'»”" if "(" in address[0] else ".,;:!?'»”)")
    return HOLE + address[0][len(end) :]


def _without_html_tables(text: str) -> str:
    kept: list[str] = []
    depth = position = 0
    for tag in _HTML_TABLE.finditer(text):
        if not tag[1]:
            if depth == 0:
                kept.append(text[position : tag.start()])
                position = tag.start()
            depth += 1
        elif depth:
            depth -= 1
            if depth == 0:
                position = tag.end()
    kept.append(text[position:])  # of a table that is not closed only the tags go, with all the others
    return "".join(kept)


def _without_quotes(text: str) -> str:
    """Bold and italics removed. Where marks are odd, an apostrophe stands before italics: `l'''amour''`."""
    if "''" not in text:
        return text

    def marks(line: str) -> str:
        runs = [len(run) for run in _QUOTES.findall(line)]
        bold = sum(run in (3, 4) or run >= 5 for run in runs)
        italic = sum(run == 2 or run >= 5 for run in runs)
        apostrophe = bold % 2 and italic % 2
        seen = False

        def mark(run: re.Match[str]) -> str:
            nonlocal seen
            length = len(run[0])
            if length == 3 and apostrophe and not seen and run.start() and line[run.start() - 1].isalpha():
                seen = True
                return "'"
            return "'" if length == 4 else "'" * max(0, length - 5)

        return _QUOTES.sub(mark, line)

    return "\n".join(marks(line) if "''" in line else line for line in text.split("\n"))


def _one_variant(text: str, variants: tuple[str, ...]) -> str:
    """`-{zh-hans:A;zh-hant:B}-`: the first of `variants` on offer. Rules for titles say nothing here."""

    def choose(rule: re.Match[str]) -> str:
        flags, bar, content = rule[1].rpartition("|")
        if bar and set("HT-") & set(flags):
            return ""
        offers: dict[str, str] = {}
        for offer in content.split(";"):
            code, colon, words = offer.partition(":")
            code = code.rpartition("=>")[2].strip().lower()
            if colon and re.fullmatch(r"[a-z]{2,3}(?:-[a-z]{2,4})?", code):
                offers.setdefault(code, words.strip())
        if not offers:
            return content
        return next((offers[code] for code in variants if code in offers), next(iter(offers.values())))

    for _ in range(3):  # they nest
        text, changed = _VARIANT.subn(choose, text)
        if not changed:
            break
    return text


def _without_holes(text: str) -> str:
    """The spaces, commas and brackets that belonged to what was removed."""
    if HOLE not in text:
        return text
    text = _HOLE_RUN.sub(lambda run: HOLE + " " if " " in run[0] or "\t" in run[0] else HOLE, text)
    text = _SPACES_BEFORE_HOLE.sub(" " + HOLE, text)
    text = _EMPTY_BRACKETS.sub("", text)
    text = _HOLE_AFTER_OPENER.sub("", text)
    text = _HOLE_BEFORE_CLOSER.sub("", text)
    text = _HOLE_BEFORE_STOP.sub("", text)
    text = _HOLE_BETWEEN_COMMAS.sub("", text)
    text = _HOLE_BEFORE_MARK.sub("", text)
    return text.replace(HOLE, "")


def _numbered_lists(lines: list[str]) -> list[tuple[int, str]]:
    """(heading level or 0, text) for each line, with list marks written out."""
    result: list[tuple[int, str]] = []
    counters: list[int] = []
    for index, line in enumerate(lines):
        first = line[:1]
        if first == "=" and (heading := _HEADING.fullmatch(line.rstrip())):
            result.append((len(heading[1]), _tidy(heading[2].replace(_BREAK, " "))))
            counters.clear()
        elif first and first in "*#:;" and (item := _LIST.match(line)):
            marks, words = item[1], _tidy(item[2].replace(_BREAK, " "))
            if _WORD.search(words):
                result.append((0, _list_mark(marks, counters) + words))
        else:
            counters.clear()
            near = (*lines[max(0, index - 1) : index], *lines[index + 1 : index + 2]) if first == " " else ()
            if any(neighbour.startswith(" ") for neighbour in near):
                # Several such lines are shown as they were typed.
                result.extend((0, part.rstrip()) for part in line[1:].split(_BREAK))
            else:
                result.extend((0, _tidy(part)) for part in line.split(_BREAK))
    return result


def _list_mark(marks: str, counters: list[int]) -> str:
    """Two spaces a level, then `- ` or the number; indented lines (`:`) and terms (`;`) carry no mark of their own."""
    depth = len(marks)
    del counters[depth:]
    counters.extend([0] * (depth - len(counters)))
    bullets = sum(mark in "*#" for mark in marks[:-1])
    if marks[-1] == "#":
        counters[-1] += 1
        return f"{'  ' * min(bullets, 8)}{counters[-1]}. "
    return f"{'  ' * min(bullets, 8)}- " if marks[-1] == "*" else ""


def _tidy(line: str) -> str:
    return _SPACES.sub(" ", line.replace(_BREAK, " ")).strip()


def _without_empty_sections(lines: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Without headings that no text follows before the next of their level or above, and lines of no words."""
    filled = [False] * 7
    kept: list[tuple[int, str]] = []
    for level, line in reversed(lines):
        if level:
            if filled[level] and _WORD.search(line):
                kept.append((level, line))
            filled[level:] = [False] * (7 - level)
        elif not line:
            kept.append((0, ""))
        elif _WORD.search(line):
            kept.append((0, line))
            filled = [True] * 7
    kept.reverse()
    return kept


def _finish(lines: list[tuple[int, str]], stash: Stash) -> str:
    text = "\n".join(f"\n{line}\n" if level else line for level, line in lines)
    text = stash.restore(text, verbatim=False)
    # What is left belongs to markup nobody closed. A space, the second time: nothing new may come together.
    text = _RESIDUE.sub("", text)
    text = _RESIDUE.sub(" ", text)
    text = "\n".join(line.rstrip(" \t") for line in text.split("\n"))
    text = re.sub(r"\n{3,}", "\n\n", text).strip("\n ")
    return stash.restore(text, verbatim=True).strip("\n")
