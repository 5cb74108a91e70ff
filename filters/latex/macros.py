"""What a macro is: parameters, as TeX's \\def or LaTeX's \\newcommand give them, and the tokens it stands for."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from filters.latex.lexer import Frozen

__all__ = ["MAX_PARAMETERS", "Macro", "Optional", "halved", "parameter_pattern", "replacement_length", "substituted"]

MAX_PARAMETERS = 9
_PARAMETER = re.compile(r"#[1-9]")

Delimiter = tuple[str, ...]


@dataclass(frozen=True)
class Optional:
    """A parameter that may be left out: it stands between `opening` and `closing`, or else is `default`.

    Without a `closing` the opening alone is looked for, such as a star, and stands for the argument `given`.
    """

    default: tuple[str, ...]
    opening: str = "["
    closing: str = "]"
    given: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Macro:
    """`prefix` must follow the name; `delimiters` has for each parameter the tokens that end it, none for LaTeX's.

    `optional` has the first parameters' forms, None for one that is mandatory. `alias` stands for a control sequence
    that is no macro, after \\let. `package`: defined in a class or package, whose macros may be machinery and no text.
    """

    body: tuple[str, ...] = ()
    prefix: Delimiter = ()
    delimiters: tuple[Delimiter, ...] = ()
    optional: tuple[Optional | None, ...] = ()
    alias: str | None = None
    package: bool = False

    def same(self, other: "Macro") -> bool:
        """Whether \\ifx finds both equal."""
        return (self.body, self.prefix, self.delimiters, self.optional, self.alias) == (
            (other.body, other.prefix, other.delimiters, other.optional, other.alias)
        )


def parameter_pattern(tokens: Sequence[str]) -> tuple[Delimiter, tuple[Delimiter, ...]] | None:
    """A \\def's parameter text as prefix and delimiters; None where its parameters are not #1, #2, ... in order."""
    parts: list[list[str]] = [[]]
    for token in tokens:
        if token[0] == "#" and not isinstance(token, Frozen):
            if token != f"#{len(parts)}" or len(parts) > MAX_PARAMETERS:
                return None
            parts.append([])
        else:
            parts[-1].append(token)
    return tuple(parts[0]), tuple(tuple(part) for part in parts[1:])


def _pieces(body: Sequence[str], arguments: Sequence[Sequence[str]]) -> Iterator[Sequence[str]]:
    for token in body:
        if token[0] != "#" or type(token) is not str:
            yield (token,)
            continue
        marks = len(token.rstrip("0123456789"))
        digit = token[marks:]
        if marks > 1:
            yield ("#" * (marks // 2) + ("" if marks % 2 else digit),)
        if marks % 2:
            number = int(digit or 0)
            yield arguments[number - 1] if 0 < number <= len(arguments) else (f"#{digit}",)


def substituted(body: Sequence[str], arguments: Sequence[Sequence[str]]) -> list[str]:
    """The body with its parameters replaced; a doubled `##` loses one mark, as in TeX."""
    return [token for piece in _pieces(body, arguments) for token in piece]


def replacement_length(body: Sequence[str], arguments: Sequence[Sequence[str]]) -> int:
    """How many tokens `substituted` would give, without making them."""
    return sum(len(piece) for piece in _pieces(body, arguments))


def halved(body: Sequence[str]) -> bool:
    """Whether a body without parameters holds marks that `substituted` must look at."""
    return any(token[0] == "#" for token in body)
