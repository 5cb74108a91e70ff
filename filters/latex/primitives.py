"""What changes the order of expansion, and groups, formulas and environments."""

from filters.latex.interpreter import Interpreter
from filters.latex.lexer import Frozen, Lexer
from filters.latex.macros import replacement_length, substituted
from filters.latex.names import BARE_ARGUMENTS, MATH_ENVIRONMENTS
from filters.latex.reading import USE_TOKENS, RunawayError

MAX_ARGUMENT_STEPS = 1_000  # tokens that are looked at for another command's arguments
MAX_WAITING = 50  # tokens in front of which \\expandafter expands another
MAX_OPEN = 50  # groups that an \\end looks through for the \\begin of the author's environment
_NO_SPACE_BEFORE = frozenset("{}~.,:;?/'!)-") | {"\\/", "\\ ", "\\\\", "\\footnote", "\\footnotemark", "\\xspace"}


def expandafter(tex: Interpreter, command: str) -> None:
    mark = tex.mark()
    waiting: list[str] = []
    second: str | None = command
    while second == "\\expandafter" and len(waiting) < MAX_WAITING:
        first, second = tex.next(), tex.next()
        if first is None or second is None:
            break
        waiting.append(first)
    if second is None or second == "\\expandafter":
        tex.leave(command, mark)
        return
    macro = tex.macros.get(second)
    if second == "\\csname":
        csname(tex, second)
    elif second in ("\\else", "\\fi") and tex.conditions and tex.conditions[-1] == "decided":
        tex.commands[second](tex, second)
    elif macro is not None and macro.alias is None and not (macro.package and not tex.is_textual(macro)):
        tex.expand(second, macro)
    else:
        tex.push((second,))
    tex.push(waiting)


def csname(tex: Interpreter, command: str) -> None:
    mark = tex.mark()
    tex.skip_blanks()
    tokens = tex.delimited(("\\endcsname",))
    name = None if tokens is None else "".join(tex.expanded(tokens))
    if not name or len(name) > 200 or "\\" in name:
        tex.leave(command, mark)
        return
    tex.push(("\\" + name,))


def namedef(tex: Interpreter, command: str) -> None:
    mark = tex.mark()
    name = tex.argument()
    if not name or any(token[0] == "\\" for token in name):
        tex.leave(command, mark)
        return
    tex.push(("\\def", "\\" + "".join(name)))


def nameuse(tex: Interpreter, command: str) -> None:
    mark = tex.mark()
    name = tex.argument()
    word = "\\" + "".join(name or ())
    if word not in tex.macros:
        tex.leave(command, mark)
        return
    tex.push((word,))


def freeze_next(tex: Interpreter, command: str) -> None:
    """\\string, \\noexpand: what follows stays as it is."""
    tex.emit(command)
    token = tex.next()
    if token is not None:
        tex.push((Frozen(token) if token[0] == "\\" else token,))


def mathchoice(tex: Interpreter, command: str) -> None:
    mark = tex.mark()
    styles = [tex.argument() for _ in range(4)]
    if None in styles:
        tex.leave(command, mark)
        return
    tex.push(styles[0 if tex.mode == "display" else 1] or ())


def delimited_verbatim(tex: Interpreter, command: str) -> None:
    """A \\verb or \\lstinline that a macro stands for: its argument is read as it was written."""
    tex.emit(command)
    tex.drop_exhausted()
    top = tex.stack[-1] if tex.stack else None
    if type(top) is Lexer and (argument := top.raw_argument(command)) is not None:
        tex.emit(argument)


def mathpalette(tex: Interpreter, command: str) -> None:
    mark = tex.mark()
    inner, symbol = tex.argument(), tex.argument()
    if inner is None or symbol is None:
        tex.leave(command, mark)
        return
    tex.push((*inner, "\\displaystyle" if tex.mode == "display" else "\\textstyle", "{", *symbol, "}"))


def bare_arguments(tex: Interpreter, command: str) -> None:
    """A macro that is another command's whole argument becomes a group: \\frac\\a\\b would fall apart."""
    tex.emit(command)
    mark, steps = tex.mark(), tex.steps
    tokens: list[str] = []
    grouped = False
    for _ in range(BARE_ARGUMENTS[command]):
        tex.skip_blanks()
        braced = tex.peek() == "{"
        argument = None if braced and BARE_ARGUMENTS[command] == 1 else tex.argument()
        if argument is None or tex.steps - steps > MAX_ARGUMENT_STEPS:
            tex.reset(mark)
            return
        macro = None if braced else tex.macros.get(argument[0])
        if macro is not None and (macro.delimiters or macro.prefix):
            tex.reset(mark)
            return
        grouped = grouped or macro is not None
        tokens += ["{", *argument, "}"] if braced or macro is not None else argument
    if grouped:
        tex.push(tokens)
    else:
        tex.reset(mark)


def begingroup(tex: Interpreter, command: str) -> None:
    tex.open_scope()
    tex.emit(command)


def endgroup(tex: Interpreter, command: str) -> None:
    tex.close_scope()
    tex.emit(command)


def open_math(tex: Interpreter, command: str) -> None:
    tex.mode = "inline" if command == "\\(" else "display"
    tex.emit(command)


def close_math(tex: Interpreter, command: str) -> None:
    tex.mode = None
    tex.emit(command)


def begin(tex: Interpreter, command: str) -> None:
    name = tex.text()
    if name is None:
        tex.emit(command)
    elif name == "document":
        if not tex.in_body:
            tex.scopes.clear()
            hooks, tex.at_document = tex.at_document, []
            tex.push((*hooks, "\\begin", "{", " document", "}"))  # the hooks still belong to the preamble
            tex.commands["\\begin"] = _begin_body
    else:
        _begin_environment(tex, name)


def _begin_body(tex: Interpreter, command: str) -> None:
    tex.commands["\\begin"] = begin
    name = tex.text()
    if name == "document":
        tex.start_body()
    elif name is not None:
        _begin_environment(tex, name)


def _begin_environment(tex: Interpreter, name: str) -> None:
    own = tex.environments.get(name)
    arguments = None
    if own is not None and tex.emitting:
        mark = tex.mark()
        arguments = tex.arguments(own[0])
        if arguments is None:
            tex.reset(mark)
    scope = tex.open_scope(name)
    if own is not None and arguments is not None:
        if replacement_length(own[0].body, arguments) > USE_TOKENS:
            raise RunawayError
        scope.closing = own[1] or ("",)
        tex.result.expanded += 1
        tex.push(substituted(own[0].body, arguments))
        return
    tex.mode = MATH_ENVIRONMENTS.get(name, tex.mode)
    _write_environment(tex, "\\begin", name)


def _write_environment(tex: Interpreter, command: str, name: str) -> None:
    if tex.emitting:
        tex.emit(command)
        tex.emit(Frozen(f"{{{name}}}"))


def end(tex: Interpreter, command: str) -> None:
    name = tex.text()
    if name == "document" or (name is None and tex.plain):
        tex.stack.clear()
        return
    if name is None:
        tex.emit(command)
        return
    own = next((s for s in reversed(tex.scopes[-MAX_OPEN:]) if s.closing and s.environment == name), None)
    if own is not None:
        closing, own.closing = own.closing, ()
        tex.push((*filter(None, closing), "\\end@scope"))
        return
    tex.close_scope()
    _write_environment(tex, command, name)


def bye(tex: Interpreter, command: str) -> None:
    tex.stack.clear() if tex.plain else tex.emit(command)


def end_scope(tex: Interpreter, command: str) -> None:
    tex.close_scope()


def xspace(tex: Interpreter, command: str) -> None:
    token = tex.peek()
    if token is None:
        return
    first = token if token[0] == "\\" else token[0]
    if first not in _NO_SPACE_BEFORE and not first.isspace():
        tex.emit("\n" if tex.line_ended else " ")
