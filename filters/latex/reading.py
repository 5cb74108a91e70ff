"""Reading tokens: from files and from what macros left, one at a time and under a budget.

TeX's arguments are here: an undelimited one (a group or a token), one up to a delimiter, LaTeX's in brackets.
"""

import re
from collections.abc import Sequence

from filters.latex.lexer import Lexer, Tokens

__all__ = ["MAX_HEIGHT", "UNLIMITED", "USE_TOKENS", "Mark", "Reader", "RunawayError", "SpentError"]

USE_TOKENS = 100_000  # tokens that one use of a macro may take
MAX_HEIGHT = 300  # of macros inside of macros
MAX_ARGUMENT_TOKENS = 20_000
UNLIMITED = 1 << 62

Mark = list[tuple[Lexer | Tokens, int]]

_LEADING_BLANKS = re.compile(r"[ \t]*(?:\n(?![ \t]*\n)[ \t]*)?")


class RunawayError(Exception):
    """The use that is being expanded does not end."""


class SpentError(Exception):
    """The document's budget is spent."""


class Reader:
    """A stack of files and token lists, of which the top one is read.

    Every token counts. Over `limit` it raises: `SpentError` if that is `total` too, `RunawayError` if it is the limit
    of the use that is being expanded.
    """

    def __init__(self, tokens: int) -> None:
        self.stack: list[Lexer | Tokens] = []
        self.steps = 0
        self.limit = self.total = tokens
        self.line_ended = False  # behind the last macro that a file used

    def refuse(self) -> Exception:
        """The error for a use, or outside of one a document, that asks for too much."""
        return SpentError() if self.limit == self.total else RunawayError()

    def next(self) -> str | None:
        """The next token of whatever is on top of the stack."""
        self.steps += 1
        if self.steps > self.limit:
            raise SpentError if self.steps > self.total else RunawayError
        stack = self.stack
        while stack:
            top = stack[-1]
            if type(top) is Tokens:
                position = top.position
                if position < len(top.tokens):
                    top.position = position + 1
                    return top.tokens[position]
            else:
                token = top.next()  # type: ignore[union-attr]
                if token is not None:
                    return token
            stack.pop()
        return None

    def push(self, tokens: Sequence[str]) -> None:
        """Read `tokens` before anything else."""
        if not tokens:
            return
        self.steps += len(tokens)
        self.drop_exhausted()
        if len(self.stack) > MAX_HEIGHT and self.limit < UNLIMITED:
            raise self.refuse()
        self.stack.append(Tokens(tokens))

    def back(self, token: str) -> None:
        """Read a token, or the end of one, again that was the last to be read."""
        top = self.stack[-1] if self.stack else None
        if type(top) is Lexer and top.source.startswith(token, top.position - len(token)):
            top.position -= len(token)
        elif type(top) is Tokens and top.position and top.tokens[top.position - 1] is token:
            top.position -= 1
        else:
            self.push((token,))

    def drop_exhausted(self) -> None:
        stack = self.stack
        while stack and type(stack[-1]) is Tokens and stack[-1].position >= len(stack[-1].tokens):
            stack.pop()

    def mark(self) -> Mark:
        """Where reading is, for `reset`."""
        return [(frame, frame.position) for frame in self.stack]

    def reset(self, mark: Mark) -> None:
        self.stack[:] = [frame for frame, _ in mark]
        for frame, position in mark:
            frame.position = position

    def file(self) -> Lexer | None:
        """The file that is being read."""
        return next((frame for frame in reversed(self.stack) if type(frame) is Lexer), None)

    def skip_blanks(self, paragraphs: bool = False) -> None:
        """Skip what TeX skips behind a control word: blanks and one end of line, or with `paragraphs` any number."""
        while True:
            token = self.next()
            if token is None:
                return
            if type(token) is not str or not token[0].isspace():
                self.back(token)
                return
            rest = token.lstrip() if paragraphs else token[_LEADING_BLANKS.match(token).end() :]  # type: ignore[union-attr]
            if rest:
                self.back(rest)
                return

    def skip_behind(self, name: str) -> None:
        """Skip the blanks behind a control word, unless it was the last of what a macro stood for."""
        top = self.stack[-1] if self.stack else None
        if (name[1:2].isalpha() or name[1:2] == "@") and not (type(top) is Tokens and top.position >= len(top.tokens)):
            start = top.position if top else 0
            self.skip_blanks()
            if type(top) is Lexer:
                self.line_ended = "\n" in top.source[start : top.position]

    def peek(self) -> str | None:
        token = self.next()
        if token is not None:
            self.back(token)
        return token

    def character(self) -> str | None:
        """The next token, of a run of text its first character alone."""
        token = self.next()
        if token is None or type(token) is not str or token[0] in "\\{}$#" or len(token) == 1:
            return token
        self.back(token[1:])
        return token[0]

    def argument(self) -> list[str] | None:
        """An undelimited argument: a group without its braces, or one token. None where there is none."""
        self.skip_blanks()
        token = self.character()
        if token is None or token == "}":
            return None
        if token.isspace():
            self.skip_blanks(paragraphs=True)
            return ["\n\n"]  # the end of a paragraph, as TeX has it
        return self.group() if token == "{" else [token]

    def group(self) -> list[str] | None:
        tokens: list[str] = []
        depth = 1
        while len(tokens) < MAX_ARGUMENT_TOKENS:
            token = self.next()
            if token is None:
                return None
            if token == "{":
                depth += 1
            elif token == "}":
                depth -= 1
                if depth == 0:
                    return tokens
            tokens.append(token)
        return None

    def optional(self, opening: str = "[", closing: str = "]") -> list[str] | None:
        """An argument in brackets, or None where none stands; without a `closing` an empty one for the opening."""
        mark = self.mark()
        self.skip_blanks()
        if self.character() == opening:
            found = (self.group() if closing == "}" else self.delimited((closing,))) if closing else []
            if found is not None:
                return found
        self.reset(mark)
        return None

    def star(self) -> bool:
        """Whether a star follows; it is read."""
        return self.optional("*", "") is not None

    def text(self) -> str | None:
        """A braced argument as a string: a file's name, an environment's."""
        mark = self.mark()
        self.skip_blanks()
        if self.next() == "{":
            tokens = self.group()
            if tokens is not None:
                return "".join(tokens).strip()
        self.reset(mark)
        return None

    def _follows(self, tokens: Sequence[str]) -> bool:
        """Whether exactly `tokens` come next; they are read."""
        for expected in tokens:
            if expected[0] == "\\":
                if expected[1:2].isalpha():
                    self.skip_blanks()
                if self.next() != expected:
                    return False
                continue
            for character in expected:
                token = self.character()
                if token != character and not (character.isspace() and token is not None and token.isspace()):
                    return False
        return True

    def delimited(self, delimiter: Sequence[str]) -> list[str] | None:
        """The tokens up to `delimiter`, outside of braces; without their own where they are one group."""
        first, rest = delimiter[0], delimiter[1:]
        tokens: list[str] = []
        depth = 0
        while len(tokens) < MAX_ARGUMENT_TOKENS:
            token = self.next()
            if token is None:
                return None
            if token == "{":
                depth += 1
            elif token == "}":
                depth -= 1
                if depth < 0:
                    return None
            elif depth == 0 and type(token) is str:
                if first[0] == "\\":
                    before, behind, found = [], "", token == first
                else:
                    at = token.find(first) if first != " " else _first_space(token)
                    found = at >= 0
                    before = [token[:at]] if at > 0 else []
                    behind = token[at + len(first) :]
                if found:
                    mark = self.mark() if rest else []
                    if behind:
                        self.back(behind)
                    if not rest or self._follows(rest):
                        return _unbraced([*tokens, *before])
                    self.reset(mark)
            tokens.append(token)
        return None


def _first_space(text: str) -> int:
    match = re.search(r"\s", text)
    return -1 if match is None else match.start()


def _unbraced(tokens: list[str]) -> list[str]:
    if len(tokens) < 2 or tokens[0] != "{" or tokens[-1] != "}":
        return tokens
    depth = 0
    for token in tokens[:-1]:
        depth += (token == "{") - (token == "}")
        if depth == 0:
            return tokens
    return tokens[1:-1]
