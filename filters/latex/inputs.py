"""What reads other files, and what changes how a file is read."""

import posixpath
import re

from filters.latex.conditionals import number_text
from filters.latex.interpreter import Interpreter
from filters.latex.reading import USE_TOKENS

_BARE_NAME = re.compile(r"[^\s\\{}]+ ?")
_LETTER_OR_OTHER = re.compile(r"\s*=?\s*(1[12]) ?")


def input_(tex: Interpreter, command: str) -> None:
    mark = tex.mark()
    name = tex.text()
    if name is None and command == "\\input":
        tex.skip_blanks()
        token = tex.next()
        match = _BARE_NAME.match(token) if token is not None and type(token) is str else None
        if token is not None and match is not None:
            name = match[0].strip()
            if match.end() < len(token):
                tex.back(token[match.end() :])
    if name is None or "#" in name:
        tex.leave(command, mark)
        return
    _read(tex, name)


def import_(tex: Interpreter, command: str) -> None:
    """import: a folder and a file in it."""
    mark = tex.mark()
    tex.star()
    folder, name = tex.text(), tex.text()
    if folder is None or name is None:
        tex.leave(command, mark)
        return
    _read(tex, posixpath.join(folder, name))


def _read(tex: Interpreter, name: str) -> None:
    path = tex.find(name, (".tex", "", ".ltx"))
    if path is None:
        if not name.lower().endswith(".bbl"):
            tex.result.missing += 1
        tex.drop_line()
    elif not path.lower().endswith(".bbl"):
        tex.read_file(path)


def iffileexists(tex: Interpreter, command: str) -> None:
    mark = tex.mark()
    name, yes, no = tex.text(), tex.argument(), tex.argument()
    if name is None or yes is None:
        tex.leave(command, mark)
        return
    path = tex.find(name, ("", ".tex"))
    tex.push(yes if path is not None else no or ())
    if path is not None and command.startswith("\\Input"):
        tex.read_file(path)


def usepackage(tex: Interpreter, command: str) -> None:
    mark = tex.mark()
    options = tex.optional()
    names = tex.text()
    if names is None:
        tex.leave(command, mark)
        return
    endings = (".cls", ".sty") if "lass" in command else (".sty",)
    wanted = names.split(",")
    if command == "\\documentstyle":
        wanted += "".join(options or ()).split(",")  # LaTeX 2.09 gives styles as options
    tex.optional()
    for name in reversed(wanted[:200]):
        path = tex.find(name, endings) if name.strip() else None
        if path is not None and path not in tex.result.reached and not tex.in_body:
            tex.read_file(path, package=True)


def endinput(tex: Interpreter, command: str) -> None:
    file = tex.file()
    if file is not None:
        file.position = len(file.source)


def makeat(tex: Interpreter, command: str) -> None:
    file = tex.file()
    if file is not None:
        file.at_letter = command == "\\makeatletter"
    tex.drop_line()


def catcode(tex: Interpreter, command: str) -> None:
    """\\catcode`\\@=11 and 12; others change nothing here."""
    tex.emit(command)
    mark = tex.mark()
    if tex.character() == "`" and tex.next() in ("\\@", "@"):
        match = number_text(tex, _LETTER_OR_OTHER)
        file = tex.file()
        if match is not None and file is not None:
            file.at_letter = match[1] == "11"
    tex.reset(mark)


def new_verbatim(tex: Interpreter, command: str) -> None:
    mark = tex.mark()
    options = tex.optional() if command == "\\newminted" else None
    name = tex.text()
    if name is None:
        tex.leave(command, mark)
        return
    if command == "\\newminted":
        name = "".join(options) if options else f"{name}code"
    target = tex.reading.comments if command == "\\excludecomment" else tex.reading.verbatim
    for name_ in (name, f"{name}*"):
        target.discard(name_) if command == "\\includecomment" else target.add(name_)
    if command == "\\includecomment":
        tex.reading.comments.discard(name)


def short_verb(tex: Interpreter, command: str) -> None:
    tex.star()
    tex.optional()
    argument = tex.argument()
    character = (argument or [""])[0].removeprefix("\\")
    if len(character) == 1 and not character.isspace() and character not in "\\{}%$#":
        tex.reading.short_verb(character, not command.startswith("\\Delete"))


def at_document(tex: Interpreter, command: str) -> None:
    mark = tex.mark()
    code = tex.argument()
    if code is None:
        tex.leave(command, mark)
    elif command == "\\AtBeginDocument" and not tex.in_body:
        if len(tex.at_document) < USE_TOKENS:
            tex.at_document += code
    else:
        tex.push(code)
