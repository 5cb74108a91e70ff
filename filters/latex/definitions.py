"""\\def, \\newcommand and the like: what defines a macro, an environment, a conditional.

What is not well-formed is left as it is: the command is written, and reading goes on behind it.
"""

from collections.abc import Iterator, Sequence

from filters.latex.conditionals import flag
from filters.latex.interpreter import Interpreter
from filters.latex.lexer import Frozen
from filters.latex.macros import MAX_PARAMETERS, Macro, Optional, parameter_pattern, substituted
from filters.latex.names import STRUCTURE_ENVIRONMENTS, UNDEFINED

_NO_VALUE, _TRUE, _FALSE = map(Frozen, ("-NoValue-", "-BooleanTrue-", "-BooleanFalse-"))


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
    tex.assign(name, _macro(body, count, default))


def _macro(body: Sequence[str], count: int, default: Sequence[str] | None = None) -> Macro:
    """With `count` parameters, as LaTeX gives them: the first has a default where it is optional."""
    return Macro(tuple(body), (), ((),) * count, () if default is None else (Optional(tuple(default)),))


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
    """mathtools: \\abs{x}, \\abs*{x}, \\abs[\\big]{x}; the X form says itself what stands between its delimiters."""
    mark = tex.mark()
    name = _name(tex)
    count = (_count(tex.optional()) if command.endswith("X") else 1) if name else None
    left = tex.argument() if count else None
    right = tex.argument() if left is not None else None
    body = (tex.argument() if command.endswith("X") else ["#1"]) if right is not None else None
    if name is None or not count or count == MAX_PARAMETERS or left is None or right is None or body is None:
        tex.leave(command, mark)
        return
    starred, plain = f"{name} starred", f"{name} plain"  # no file can write a name with a blank
    stretched = ["\\middle" if token == "\\delimsize" else token for token in body]
    moved = substituted(body, [[f"#{number + 2}"] for number in range(count)])
    sized = ["#1" if token == "\\delimsize" else token for token in moved]
    tex.assign(starred, _macro(["\\left", *left, *stretched, "\\right", *right], count))
    tex.assign(plain, _macro(["#1", *left, *sized, "#1", *right], count + 1, ()))
    tex.assign(name, _macro(["\\@ifstar", "{", starred, "}", "{", plain, "}"], 0))


def document_command(tex: Interpreter, command: str) -> None:
    """xparse: stars, arguments in braces, brackets or other pairs, with defaults or without."""
    mark = tex.mark()
    name = _name(tex)
    given = tex.argument() if name else None
    body = tex.argument() if given is not None else None
    forms = None if given is None else _forms(given)
    if name is None or body is None or forms is None or len(forms) > MAX_PARAMETERS:
        tex.leave(command, mark)
        return
    if "Provide" not in command or not tex.is_known(name):
        tex.assign(name, Macro(tuple(body), (), ((),) * len(forms), tuple(forms)))


def _forms(specification: Sequence[str]) -> list[Optional | None] | None:
    """The parameters of an xparse specification; None where one is of a kind that is not known here."""
    single = iter([c for token in specification for c in ((token,) if token[0] == "\\" else token)])
    forms: list[Optional | None] = []
    for kind in single:
        if kind in "+!" or kind.isspace():
            continue
        if kind == "m":
            forms.append(None)
        elif kind in "st":
            forms.append(Optional((_FALSE,), "*" if kind == "s" else next(single, ""), "", (_TRUE,)))
        elif kind in "oOgGdDrR":
            pair = {"o": "[]", "g": "{}"}.get(kind.lower()) or (next(single, ""), next(single, ""))
            forms.append(Optional(_default(single) if kind.isupper() else (_NO_VALUE,), pair[0], pair[1]))
        else:
            return None
    return forms


def _default(specification: Iterator[str]) -> tuple[str, ...]:
    """The group that comes next."""
    tokens: list[str] = []
    depth = 0
    for token in specification:
        depth += (token == "{") - (token == "}")
        if tokens and tokens[-1] == "#" and token.isdecimal():
            tokens[-1] += token
        else:
            tokens.append(token)
        if not depth:
            break
    return tuple(tokens[1:-1])


def if_value(tex: Interpreter, command: str) -> None:
    """\\IfNoValueTF, \\IfValueTF, \\IfBooleanTF: of what an xparse argument was."""
    mark = tex.mark()
    value = tex.argument()
    both = command.endswith("TF")
    branches = [tex.argument() for _ in range(2 if both else 1)]
    if value is None or None in branches:
        tex.leave(command, mark)
        return
    holds = value == [_TRUE] if "Boolean" in command else (value == [_NO_VALUE]) == command.startswith("\\IfNo")
    if both:
        tex.push(branches[not holds] or ())
    elif holds == command.endswith("T"):
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
        tex.environments[name] = (_macro(begin, count, default), tuple(end))
    tex.drop_line()


def newif(tex: Interpreter, command: str) -> None:
    mark = tex.mark()
    name = _name(tex)
    if name is None or not name.startswith("\\if") or len(name) < 4:
        tex.leave(command, mark)
        return
    _new_flag(tex, name)


def newboolean(tex: Interpreter, command: str) -> None:
    """ifthen's and etoolbox's own: \\newboolean{x} is \\newif\\ifx."""
    name = tex.text()
    if name:
        _new_flag(tex, f"\\if{name}")


def setboolean(tex: Interpreter, command: str) -> None:
    mark = tex.mark()
    name = tex.text()
    value = tex.text() if command.startswith("\\set") else command.removeprefix("\\bool").removeprefix("\\toggle")
    if f"\\if{name}" not in tex.flags or value not in ("true", "false"):
        tex.leave(command, mark)
        return
    tex.flags[f"\\if{name}"] = value == "true"
    tex.drop_line()


def _new_flag(tex: Interpreter, name: str) -> None:
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
