"""\\if... and what else looks at what follows before it decides.

A conditional that nobody can decide without typesetting (a length, a box, a package's flag) is written as it stands,
with both of its branches.
"""

import re

from filters.latex.interpreter import Interpreter
from filters.latex.lexer import Frozen
from filters.latex.macros import substituted

_RELATION = re.compile(r"\s*(-?\d{1,18})\s*([<>=])\s*(-?\d{1,18})\s?")
_NOT = re.compile(r"\\(?:not|NOT)(?![A-Za-z])\s*")
_BOOLEAN = re.compile(r"\\boolean\s*\{\s*([^{}\s]+)\s*\}")
_EQUAL = re.compile(r"\\equal\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_EMPTY = re.compile(r"\\isempty\s*\{(.*)\}", re.DOTALL)
_NUMBER = re.compile(r"\s*(-?\d{1,18})\s?")


def flag(tex: Interpreter, command: str) -> None:
    tex.decide(command, tex.flags.get(command), tex.mark())


def if_constant(tex: Interpreter, command: str) -> None:
    tex.decide(command, command == "\\iftrue", tex.mark())


def ifmmode(tex: Interpreter, command: str) -> None:
    tex.decide(command, tex.mode is not None, tex.mark())


def ifx(tex: Interpreter, command: str) -> None:
    mark = tex.mark()
    tex.skip_blanks()
    one = tex.character()
    if one is not None and one[0] == "\\":
        tex.skip_blanks()
    other = tex.character()
    tex.decide(command, None if one is None or other is None else tex.same_meaning(one, other), mark)


def if_(tex: Interpreter, command: str) -> None:
    mark = tex.mark()
    one, other = _unexpandable(tex), _unexpandable(tex)
    if one is None or other is None:
        tex.decide(command, None, mark)
        return
    words = one[0] == "\\", other[0] == "\\"
    tex.decide(command, words[0] == words[1] and (words[0] or one == other), mark)


def _unexpandable(tex: Interpreter) -> str | None:
    """The next token that is left when macros are expanded; None where a command of ours would be."""
    for _ in range(100):
        token = tex.character()
        if token is None or type(token) is not str or token[0] != "\\":
            return token
        macro = tex.macros.get(token)
        if macro is None and token == "\\detokenize":
            detokenize(tex, token)
        elif macro is None or macro.alias is not None:
            return token if token == "\\relax" or token not in tex.commands else None
        else:
            arguments = tex.arguments(macro)
            if arguments is None:
                return None
            tex.push(substituted(macro.body, arguments))
    return None


def ifnum(tex: Interpreter, command: str) -> None:
    mark = tex.mark()
    match = number_text(tex, _RELATION)
    tex.decide(command, None if match is None else _compared(match), mark)


def ifodd(tex: Interpreter, command: str) -> None:
    mark = tex.mark()
    match = number_text(tex, _NUMBER)
    tex.decide(command, None if match is None else int(match[1]) % 2 == 1, mark)


def number_text(tex: Interpreter, pattern: re.Pattern[str]) -> re.Match[str] | None:
    """What `pattern` finds in the text that macros leave; what stands behind it is read again."""
    text = ""
    for _ in range(8):
        token = tex.next()
        if token is None:
            break
        macro = tex.macros.get(token) if token[0] == "\\" else None
        if macro is not None and macro.alias is None and not macro.delimiters and not macro.prefix:
            tex.push(macro.body)
        elif type(token) is str and token[0] not in "\\{}$#":
            text += token
        else:
            tex.back(token)
            break
    match = pattern.match(text)
    if match is not None and match.end() < len(text):
        tex.back(text[match.end() :])
    return match


def ifcase(tex: Interpreter, command: str) -> None:
    mark = tex.mark()
    match = number_text(tex, _NUMBER)
    if match is None:
        tex.decide(command, None, mark)
        return
    left = int(match[1])
    while left != 0:
        end = tex.skip_branch(("\\or", "\\else", "\\fi"))
        if end is None:
            tex.decide(command, None, mark)
            return
        left = left - 1 if end == "\\or" else 0
        if end == "\\fi":
            tex.skip_blanks()
            return
    tex.conditions.append("decided")
    tex.skip_blanks()


def ifdefined(tex: Interpreter, command: str) -> None:
    mark = tex.mark()
    tex.skip_blanks()
    name = tex.next()
    tex.decide(command, True if name is not None and tex.is_known(name) else None, mark)


def else_(tex: Interpreter, command: str) -> None:
    if not tex.conditions or tex.conditions[-1] == "undecided":
        tex.emit(command)
        return
    mark = tex.mark()
    if tex.skip_branch(("\\fi",)) is None:
        tex.reset(mark)
    tex.conditions.pop()
    tex.skip_blanks()


def fi(tex: Interpreter, command: str) -> None:
    if not tex.conditions or tex.conditions.pop() == "undecided":
        tex.emit(command)
    else:
        tex.skip_blanks()


def undecided(tex: Interpreter, command: str) -> None:
    tex.conditions.append("undecided")
    tex.emit(command)


def ifnextchar(tex: Interpreter, command: str) -> None:
    mark = tex.mark()
    wanted, yes, no = tex.argument(), tex.argument(), tex.argument()
    if not wanted or yes is None or no is None:
        tex.leave(command, mark)
        return
    tex.skip_blanks()
    found = tex.peek()
    if found is not None and type(found) is str and found[0] not in "\\{}$#":
        found = found[0]
    tex.push(yes if found is not None and tex.same_meaning(wanted[0], found) else no)


def ifstar(tex: Interpreter, command: str) -> None:
    mark = tex.mark()
    yes, no = tex.argument(), tex.argument()
    if yes is None or no is None:
        tex.leave(command, mark)
        return
    tex.push(yes if tex.star() else no)


def ifthenelse(tex: Interpreter, command: str) -> None:
    """On a boolean, on \\equal texts, or on numbers; etoolbox's \\ifbool and \\iftoggle on a boolean's name."""
    mark = tex.mark()
    test, yes, no = tex.argument(), tex.argument(), tex.argument()
    if test is None or yes is None or no is None:
        tex.leave(command, mark)
        return
    text = "".join(tex.expanded(test)).strip()
    if command != "\\ifthenelse":
        text = f"\\boolean{{{text}}}"
    negated = _NOT.match(text)
    value = _holds(tex, text[negated.end() :] if negated else text)
    if value is None:
        tex.leave(command, mark)
    else:
        tex.push(yes if value != bool(negated) else no)


def _holds(tex: Interpreter, test: str) -> bool | None:
    if (match := _BOOLEAN.fullmatch(test)) is not None:
        return tex.flags.get(f"\\if{match[1]}")
    if (match := _EQUAL.fullmatch(test)) is not None:
        return match[1] == match[2]
    if (match := _EMPTY.fullmatch(test)) is not None:
        return not match[1]
    match = _RELATION.fullmatch(test)
    return None if match is None else _compared(match)


def ifblank(tex: Interpreter, command: str) -> None:
    mark = tex.mark()
    test, yes, no = tex.argument(), tex.argument(), tex.argument()
    if test is None or yes is None or no is None:
        tex.leave(command, mark)
        return
    tex.push(no if "".join(test).strip() else yes)


def _compared(relation: re.Match[str]) -> bool:
    one, other = int(relation[1]), int(relation[3])
    return {"<": one < other, ">": one > other, "=": one == other}[relation[2]]


def ifundefined(tex: Interpreter, command: str) -> None:
    mark = tex.mark()
    name, yes, no = tex.argument(), tex.argument(), tex.argument()
    if name is None or yes is None or no is None:
        tex.leave(command, mark)
        return
    known = tex.is_known("".join(name) if command == "\\ifdef" else "\\" + "".join(name))
    tex.push(yes if known == (command != "\\@ifundefined") else no)


def detokenize(tex: Interpreter, command: str) -> None:
    mark = tex.mark()
    tokens = tex.argument()
    if tokens is None:
        tex.leave(command, mark)
        return
    tex.push([Frozen(token) if token[0] == "\\" else token for token in tokens])
