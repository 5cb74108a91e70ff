"""\\def, \\newcommand and the like: what defines a macro, an environment, a conditional.

What is not well-formed is left as it is: the command is written, and reading goes on behind it.
"""

import re
from collections.abc import Sequence

from filters.latex.conditionals import flag
from filters.latex.interpreter import Interpreter
from filters.latex.lexer import Frozen
from filters.latex.macros import MAX_PARAMETERS, Macro, parameter_pattern
from filters.latex.names import STRUCTURE_ENVIRONMENTS, UNDEFINED

_NO_VALUE = Frozen("-NoValue-")


def _name(tex: Interpreter) -> str | None:
    """The control sequence that is being defined: `\\x` or `{\\x}`."""
    argument = tex.argument()
    if argument is None:
        return None
    words = [token for token in argument if not token.isspace()]
    return words[0] if len(words) == 1 and words[0][0] == "\\" and type(words[0]) is str else None


def _count(argument: Sequence[str] | None) -> int | None:
    text = "0" if argument is None else "".join(argument).strip()
    return int(text) if text.isdecimal() and text.isascii() and int(text) <= MAX_PARAMETERS else None


def newcommand(tex: Interpreter, command: str) -> None:
    mark = tex.mark()
    tex.star()
    name = _name(tex)
    count = _count(tex.optional()) if name else None
    default = tex.optional() if count else None
    body = tex.argument() if count is not None else None
    if name is None or count is None or body is None:
        tex.leave(command, mark)
        return
    if "provide" in command and tex.is_known(name):
        tex.drop_line()
        return
    macro = Macro(tuple(body), (), ((),) * count, None if default is None else tuple(default))
    tex.assign(name, macro)


def define(tex: Interpreter, command: str) -> None:
    mark = tex.mark()
    tex.skip_blanks()
    name = tex.next()
    pattern: list[str] = []
    while name is not None and name[0] == "\\" and len(pattern) < 100:
        token = tex.next()
        if token is None or token == "}":
            break
        if token == "{":
            parameters = parameter_pattern(_trimmed(pattern, name))
            body = tex.group()
            if parameters is None or body is None:
                break
            if command[1] in "ex":
                body = tex.expanded(body)
            tex.assign(name, Macro(tuple(body), *parameters), everywhere=command[1] in "gx")
            return
        pattern.append(token)
    tex.leave(command, mark)


def _trimmed(pattern: list[str], name: str) -> list[str]:
    """A parameter text without the blanks that TeX skips behind the name."""
    if pattern and name[1:2].isalpha() and (first := pattern[0].lstrip()) != pattern[0]:
        return [first, *pattern[1:]] if first else pattern[1:]
    return pattern


def let(tex: Interpreter, command: str, everywhere: bool = False) -> None:
    mark = tex.mark()
    tex.skip_blanks()
    name = tex.next()
    tex.skip_blanks()
    value = tex.character()
    if value == "=":
        tex.skip_blanks()
        value = tex.character()
    if name is None or name[0] != "\\" or type(name) is not str or value is None:
        tex.leave(command, mark)
        return
    tex.assign(name, _meaning(tex, name, value), everywhere)


def _meaning(tex: Interpreter, name: str, value: str) -> Macro | None:
    """What \\let makes of a name: what its value now means."""
    if value[0] != "\\":
        return Macro((value,)) if value not in ("{", "}") else Macro(alias="\\bgroup" if value == "{" else "\\egroup")
    if value in tex.macros:
        return tex.macros[value]
    if value in tex.flags:
        tex.flags[name] = tex.flags[value]
        tex.conditionals.add(name)
        tex.commands[name] = flag
        return None
    return None if value == name or value in UNDEFINED else Macro(alias=value)


def prefix(tex: Interpreter, command: str) -> None:
    """\\global, \\long, \\outer, \\protected before a definition."""
    mark = tex.mark()
    everywhere = command == "\\global"
    for _ in range(4):
        tex.skip_blanks()
        token = tex.next()
        if token in ("\\long", "\\outer", "\\protected", "\\global"):
            everywhere = everywhere or token == "\\global"
        elif token in ("\\def", "\\edef", "\\gdef", "\\xdef"):
            define(tex, {"\\def": "\\gdef", "\\edef": "\\xdef"}.get(token, token) if everywhere else token)
            return
        elif token == "\\let":
            let(tex, token, everywhere)
            return
        else:
            break
    tex.leave(command, mark)


def math_operator(tex: Interpreter, command: str) -> None:
    mark = tex.mark()
    star = "*" if tex.star() else ""
    name = _name(tex)
    body = tex.argument() if name else None
    if name is None or body is None:
        tex.leave(command, mark)
        return
    tex.assign(name, Macro(("\\operatorname", *star, "{", *body, "}")))


def paired_delimiter(tex: Interpreter, command: str) -> None:
    """mathtools: \\abs{x}, \\abs*{x}, \\abs[\\big]{x}."""
    mark = tex.mark()
    name = _name(tex)
    left = tex.argument() if name else None
    right = tex.argument() if left is not None else None
    if name is None or left is None or right is None:
        tex.leave(command, mark)
        return
    starred, plain = f"{name} starred", f"{name} plain"  # no file can write a name with a blank
    tex.assign(starred, Macro(("\\left", *left, "#1", "\\right", *right), (), ((),)))
    tex.assign(plain, Macro(("#1", *left, "#2", "#1", *right), (), ((), ()), ()))
    tex.assign(name, Macro(("\\@ifstar", "{", starred, "}", "{", plain, "}")))


def document_command(tex: Interpreter, command: str) -> None:
    """xparse: mandatory arguments, the first one optional or not."""
    mark = tex.mark()
    name = _name(tex)
    given = tex.argument() if name else None
    body = tex.argument() if given is not None else None
    specification = re.sub(r"[+\s]", "", "".join(given or ()))
    match = re.fullmatch(r"(o|O\{?([^{}]*)\}?)?(m*)", specification)
    if name is None or body is None or match is None:
        tex.leave(command, mark)
        return
    default = None if match[1] is None else (_NO_VALUE,) if match[1] == "o" else tuple(filter(None, (match[2],)))
    count = len(match[3]) + (match[1] is not None)
    if "Provide" not in command or not tex.is_known(name):
        tex.assign(name, Macro(tuple(body), (), ((),) * count, default))


def no_value(tex: Interpreter, command: str) -> None:
    mark = tex.mark()
    value = tex.argument()
    branches = [tex.argument() for _ in range(2 if command.endswith("TF") else 1)]
    if value is None or None in branches:
        tex.leave(command, mark)
        return
    missing = value == [_NO_VALUE]
    if command.endswith("TF"):
        tex.push((branches[0] if missing == command.startswith("\\IfNo") else branches[1]) or ())
    elif (missing == command.startswith("\\IfNo")) == command.endswith("T"):
        tex.push(branches[0] or ())


def newenvironment(tex: Interpreter, command: str) -> None:
    mark = tex.mark()
    tex.star()
    name = tex.text()
    count = _count(tex.optional()) if name else None
    default = tex.optional() if count else None
    begin = tex.argument() if count is not None else None
    end = tex.argument() if begin is not None else None
    if name is None or count is None or begin is None or end is None:
        tex.leave(command, mark)
        return
    file = tex.file()
    if {"\\verbatim", "\\lstlisting", "\\Verbatim", "\\VerbatimEnvironment", "\\alltt"} & set(begin):
        tex.reading.verbatim.add(name)
    elif "\\comment" in begin:
        tex.reading.comments.add(name)
    elif name not in STRUCTURE_ENVIRONMENTS and not (file is not None and file.package):
        parameters = ((),) * count
        tex.environments[name] = (
            Macro(tuple(begin), (), parameters, None if default is None else tuple(default)),
            tuple(end),
        )
    tex.drop_line()


def newif(tex: Interpreter, command: str) -> None:
    mark = tex.mark()
    name = _name(tex)
    if name is None or not name.startswith("\\if") or len(name) < 4:
        tex.leave(command, mark)
        return
    tex.flags[name] = False
    tex.conditionals.add(name)
    tex.commands[name] = flag
    for value in ("true", "false"):
        tex.commands["\\" + name[3:] + value] = _set_flag
        tex.setters.add("\\" + name[3:] + value)
    tex.drop_line()


def _set_flag(tex: Interpreter, command: str) -> None:
    value = command.endswith("true")
    tex.flags["\\if" + command[1:].removesuffix("true" if value else "false")] = value
    tex.skip_blanks()
    tex.drop_line()


def futurelet(tex: Interpreter, command: str) -> None:
    mark = tex.mark()
    tex.skip_blanks()
    name = tex.next()
    tex.skip_blanks()
    then, ahead = tex.next(), tex.character()
    if name is None or then is None or ahead is None or name[0] != "\\":
        tex.leave(command, mark)
        return
    tex.push((ahead,))
    tex.assign(name, _meaning(tex, name, ahead))
    tex.push((then,))
