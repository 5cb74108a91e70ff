"""What of an expanded document is text: from its first section on, without the bibliography."""

import re
from collections.abc import Sequence

from filters.latex.interpreter import merged
from filters.latex.lexer import Verbatim
from filters.latex.names import BACK_MATTER, BIBLIOGRAPHY_ENVIRONMENTS

__all__ = ["main_text"]

_HIDDEN = re.compile(r"\0(\d+)\0")  # stands for verbatim text while the rest is looked at
_TITLE = r"\\(?:part|chapter|section|beginsection)\b\*?\s*+(?:\[[^\]]{0,999}\]\s*+)?\{?\s*+"
_SECTION = re.compile(
    r"\\(?:part|chapter|section)\b\*?\s*[\[{]|\\(?:beginsection|newsec)\b|\\head(?:ing)?\b(?=[^\n]{0,300}\\endhead)"
)
_BACK_MATTER = re.compile(_TITLE + r"(?:\\[A-Za-z]+\s*+\{?\s*+)?" + BACK_MATTER, re.IGNORECASE)
_ABSTRACT = re.compile(r"\\begin\s*\{abstract\}|\\abstract\b")
_COMMANDS = re.compile(
    r"\\(?:bibliography|bibliographystyle|addbibresource|bibdata|bibstyle|nobibliography|printbibliography|nocite)\b\*?"
    r"(?:\s*\[[^\]]{0,999}\])?(?:[ \t]*\{[^{}]{0,9999}\}){0,2}"
)
_OPEN = re.compile(
    rf"\\begin\s*\{{(?P<name>{'|'.join(map(re.escape, BIBLIOGRAPHY_ENVIRONMENTS))})\}}|(?P<ams>\\Refs\b)"
)
_NEXT = re.compile(r"\\(?:section|chapter|part|appendix)\b|\\begin\s*\{appendi")
_EMPTY_BACK_MATTER = re.compile(
    _TITLE + r"(?:references|bibliography|literature cited)\s*+\}*\s*+(?=\\(?:section|chapter|part|appendix)\b|\Z)",
    re.IGNORECASE,
)
# One that somebody wrote as a list of his own.
_WRITTEN_REFERENCES = re.compile(
    _TITLE
    + r"(?:references|bibliography|literature cited)\s*+\}*\s*+(?:\\(?:small|footnotesize|noindent|par)\b\s*+){0,3}"
    r"(?:\\begin\s*\{(?:enumerate|itemize|description|list|trivlist)\}|\[1\]|\\item\{?\[)"
    r"(?:(?!\\(?:section|chapter|part|appendix|beginsection)\b|\\begin\s*\{(?:figure|table|appendi)).)*+",
    re.IGNORECASE | re.DOTALL,
)
_TRAILING = re.compile(r"(?<![ \t])[ \t]++(?=\n)")
_BLANK_LINES = re.compile(r"\n{3,}")


def main_text(pieces: Sequence[str]) -> str:
    """The text of an expanded body; `Verbatim` pieces stay as they are, and are not searched for LaTeX."""
    parts = merged(pieces)
    marked = (f"\0{i}\0" if type(part) is Verbatim else part.replace("\0", "") for i, part in enumerate(parts))
    text = _without_bibliography(_from_first_section("".join(marked)))
    text = _BLANK_LINES.sub("\n\n", _TRAILING.sub("", text)).strip()
    return _HIDDEN.sub(lambda match: parts[int(match[1])], text)


def _from_first_section(text: str) -> str:
    for section in _SECTION.finditer(text):
        if not _BACK_MATTER.match(text, section.start()):
            return text[section.start() :]
    abstract = _ABSTRACT.search(text)
    return text if abstract is None else text[abstract.start() :]


def _without_bibliography(text: str) -> str:
    """Without lists of references and the commands that make them; one that is not closed ends at the next section."""
    kept: list[str] = []
    position = 0
    unclosed: set[str] = set()
    while (opening := _OPEN.search(text, position)) is not None:
        kept.append(text[position : opening.start()])
        closing = r"\\endRefs\b" if opening["ams"] else rf"\\end\s*\{{{re.escape(opening['name'])}\}}"
        end = None if closing in unclosed else re.compile(closing).search(text, opening.end())
        if end is None:
            unclosed.add(closing)
        following = _NEXT.search(text, opening.end()) if end is None else None
        position = end.end() if end else following.start() if following else len(text)
    text = _COMMANDS.sub("", "".join([*kept, text[position:]]))
    return _EMPTY_BACK_MATTER.sub("", _WRITTEN_REFERENCES.sub("", text))
