"""TeX source as tokens, read one at a time because a macro may change how what follows is read.

A token is a `str`: a control sequence (`\\alpha`, `\\%`), one of `{ } $ $$`, a parameter (`#1`), or a run of other
text. `Verbatim` is source that no rule may touch; `Frozen` a control sequence that stays as it is. Comments give none.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from filters.latex.names import COMMENT_ENVIRONMENTS, FILE_CONTENTS, VERBATIM_ENVIRONMENTS

__all__ = ["DELIMITED_COMMANDS", "Frozen", "Lexer", "Reading", "Tokens", "Verbatim"]

MAX_RUN = 4_096  # characters of one token of text
MAX_RAW_ARGUMENT = 1_024  # characters that a \verb or \url may have

_BLANKS = re.compile(r"[ \t]*")
_ENVIRONMENT = re.compile(r"\s{0,9}\{([^{}\\\s]{1,99})\}")
_DELIMITED = re.compile(r"\*?([^A-Za-z*\s}])")
_LISTING_OPTIONS = {
    "\\lstinline": re.compile(r"\*?(?:\[[^\]\n]{0,999}\])?"),
    "\\mintinline": re.compile(r"\*?(?:\[[^\]\n]{0,999}\])?\{[^{}\n]{0,99}\}"),
}
DELIMITED_COMMANDS = frozenset(("\\verb", "\\Verb", "\\lstinline", "\\mintinline"))
_URL_COMMANDS = frozenset(("\\url", "\\path", "\\nolinkurl", "\\href", "\\burl"))


class Verbatim(str):
    """Source text that no rule may touch."""

    __slots__ = ()


class Frozen(str):
    """A control sequence, or source in general, that is not expanded again."""

    __slots__ = ()


@dataclass
class Tokens:
    """A list of tokens that is being read: a macro's replacement, or what was read too far."""

    tokens: Sequence[str]
    position: int = 0


@dataclass
class Reading:
    """How the files of one document are read: what its macros may change as they go."""

    verbatim: set[str] = field(default_factory=lambda: set(VERBATIM_ENVIRONMENTS))
    comments: set[str] = field(default_factory=lambda: set(COMMENT_ENVIRONMENTS))
    written: dict[str, str] = field(default_factory=dict)  # files that the document writes: name to text
    _short: str = ""
    patterns: tuple[re.Pattern[str], re.Pattern[str]] = field(init=False)

    def __post_init__(self) -> None:
        self.short_verb("")

    def short_verb(self, character: str, on: bool = True) -> None:
        """Make `character` an abbreviation of \\verb, or stop that."""
        self._short = "".join(sorted(set(self._short) - {character} | ({character} if on else set())))
        stop = re.escape(self._short)
        self.patterns = tuple(  # type: ignore[assignment]
            re.compile(rf"[^\\{{}}%$#{stop}]{{1,{MAX_RUN}}}|\\(?:[A-Za-z{at}]+|.|$)|\$\$?|#+[0-9]?|.", re.DOTALL)
            for at in ("", "@")
        )

    @property
    def short(self) -> str:
        """The characters that now abbreviate \\verb."""
        return self._short


@dataclass
class Lexer:
    """One file that is being read. `at_letter`: whether `@` belongs to names, as in packages."""

    name: str
    source: str
    reading: Reading
    package: bool = False
    at_letter: bool = False
    position: int = 0
    _unclosed: set[str] = field(default_factory=set)

    def next(self) -> str | None:
        """The next token, or None at the end of the file."""
        source = self.source
        while True:
            match = self.reading.patterns[self.at_letter].match(source, self.position)
            if match is None:
                return None
            token = match[0]
            start, self.position = self.position, match.end()
            first = token[0]
            if first == "\\":
                if token == "\\begin":
                    found = self._environment(start)
                    if found is None:
                        continue
                    return found or token
                if token in DELIMITED_COMMANDS:
                    return self._delimited(token, start) or token
                if token in _URL_COMMANDS:
                    return self._url(start) or token
                return token
            if first == "%":
                self._comment(start)
            elif first in self.reading.short and len(token) == 1:
                end = source.find(first, self.position, self._near_end())
                if end < 0:
                    return Frozen(token)
                self.position = end + 1
                return Verbatim(source[start : end + 1])
            else:
                return token

    def skip_line(self) -> None:
        """Go on behind the end of this line."""
        self.position = min(self._line_end() + 1, len(self.source))

    def raw_argument(self, command: str) -> str | None:
        """What stands here as the argument of a \\verb or \\lstinline that a macro left, if anything does."""
        return self._delimited(command, self.position)

    def _near_end(self) -> int:
        limit = self.position + MAX_RAW_ARGUMENT
        end = self.source.find("\n", self.position, limit)
        return limit if end < 0 else end

    def _line_end(self) -> int:
        end = self.source.find("\n", self.position)
        return len(self.source) if end < 0 else end

    def _comment(self, start: int) -> None:
        """Skip a comment, its end of line and the blanks behind that, as TeX does; a blank line behind it stays."""
        source, end = self.source, self._line_end()
        following = _BLANKS.match(source, end + 1)
        behind = len(source) if following is None else following.end()
        alone = not source[source.rfind("\n", 0, start) + 1 : start].strip()
        self.position = end if not alone and source.startswith("\n", behind) else behind

    def _environment(self, start: int) -> str | None:
        """The whole of a verbatim environment; None for a comment, which was skipped; "" for any other."""
        match = _ENVIRONMENT.match(self.source, self.position)
        if match is None or match[1] in self._unclosed:
            return ""
        name, reading = match[1], self.reading
        if name not in reading.verbatim and name not in reading.comments:
            return ""
        closing = f"\\end{{{name}}}"
        end = self.source.find(closing, match.end())
        if end < 0:
            self._unclosed.add(name)
            return ""
        self.position = end + len(closing)
        if name in reading.comments:
            return None
        if name in FILE_CONTENTS:
            return self._written(match.end(), end)
        return Verbatim(self.source[start : self.position])

    def _written(self, start: int, end: int) -> str | None:
        match = re.compile(r"(?:\[[^\]]*\])?\{([^{}]*)\}[^\n]*\n").match(self.source, start, end)
        if match is not None:
            self.reading.written.setdefault(match[1].strip(), self.source[match.end() : end])
        return None

    def _delimited(self, token: str, start: int) -> str | None:
        """The whole of \\verb|...| or \\lstinline[...]{...}, which end on their line."""
        source, position = self.source, self.position
        if token in _LISTING_OPTIONS:
            options = _LISTING_OPTIONS[token].match(source, position)
            position = position if options is None else options.end()
        match = _DELIMITED.match(source, position)
        if match is None:
            return None
        closing = "}" if match[1] == "{" and token != "\\verb" else match[1]
        end = source.find(closing, match.end(), self._near_end())
        if end < 0 or match[1] in "#\\%":
            return None
        self.position = end + 1
        return Verbatim(source[start : self.position])

    def _url(self, start: int) -> str | None:
        """The whole of \\url{...}, where it holds a `%` that starts no comment."""
        source = self.source
        opening = _BLANKS.match(source, self.position).end()  # type: ignore[union-attr]
        if not source.startswith("{", opening):
            return None
        depth, end = 0, min(len(source), opening + MAX_RAW_ARGUMENT)
        percent = source.find("%", opening, end)
        if percent < 0:
            return None
        for match in re.compile(r"[{}]").finditer(source, opening, end):
            depth += 1 if match[0] == "{" else -1
            if depth == 0:
                raw = source[opening : match.end()]
                if "%" not in raw or re.search(r"%\s*\n", raw) or re.search("#[1-9]", raw):
                    return None
                self.position = match.end()
                return Verbatim(source[start : self.position])
        return None
