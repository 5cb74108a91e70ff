"""The state of a document that is being expanded, and the loop that reads it.

A use in the text that asks for too much is taken back and stays as it was written, as do further uses of that macro;
when the document's budget is spent, the rest of it is copied.
"""

import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from filters.latex.lexer import Lexer, Reading, Verbatim
from filters.latex.macros import Macro, halved, replacement_length, substituted
from filters.latex.names import CONDITIONALS, LOOKED_AT, MACHINERY, STANDARD, SYMBOLS, TEXT_BOXES, UNDEFINED
from filters.latex.reading import MAX_HEIGHT, UNLIMITED, USE_TOKENS, Mark, Reader, RunawayError, SpentError

__all__ = ["Budget", "Expanded", "Handler", "Interpreter", "merged"]

MAX_NESTED_RUNS = 8
MAX_SCOPES = 10_000  # groups that are open at once; deeper ones are only counted
MANY_PIECES = 1 << 16

Handler = Callable[["Interpreter", str], None]

_BEGIN = re.compile(r"^[^%\n]*?\\begin\s*\{document\}", re.MULTILINE)
_END = re.compile(r"^[^%\n]*?(\\end\s*\{document\})", re.MULTILINE)
_INPUT = re.compile(r"\\(?:input|include)\b\s*\{?\s*([^\s{}%]+)")
_REST_OF_LINE = re.compile(r"[ \t]*\n")
_BRACES = frozenset((("\\bgroup", "{"), ("{", "\\bgroup"), ("\\egroup", "}"), ("}", "\\egroup")))


@dataclass(frozen=True)
class Budget:
    """How much one document may take: tokens read, and characters of files, counted each time they are input."""

    tokens: int
    characters: int

    @classmethod
    def of(cls, files: Mapping[str, str]) -> "Budget":
        size = sum(map(len, files.values()))
        return cls(2_000_000 + 2 * size, (8 << 20) + 2 * size)


@dataclass
class Expanded:
    """What `expand` gives: the body in pieces, those of type `Verbatim` being source as it was written."""

    pieces: list[str]
    reached: set[str] = field(default_factory=set)  # files that were read
    missing: int = 0  # inputs that the submission does not have
    expanded: int = 0  # macros replaced, those inside of macros too
    refused: int = 0  # uses taken back because they did not end within their budget
    spent: bool = False  # the budget ran out: the rest is unexpanded


@dataclass
class _Use:
    """A command's use in a file: where reading was behind its name, so that it can be taken back."""

    name: str
    mark: Mark
    pieces: int
    scopes: int
    conditions: int
    mode: str | None


@dataclass(slots=True)
class _Scope:
    """What a group changed: macros as they were before it, and the mode around it."""

    mode: str | None
    environment: str | None = None
    before: dict[str, Macro | None] = field(default_factory=dict)
    closing: tuple[str, ...] = ()


class Interpreter(Reader):
    """Reads a document from its main file on. `commands` are the control sequences it executes, by handlers that are
    called with the interpreter and the name; `protected` are those of them that a file cannot define again.
    """

    def __init__(
        self,
        files: Mapping[str, str],
        main: str,
        budget: Budget,
        commands: Mapping[str, Handler],
        protected: frozenset[str],
    ) -> None:
        super().__init__(budget.tokens)
        self.files = dict(files)  # and what the document writes
        self.folded = {posixpath.normpath(name).lower(): name for name in sorted(files, reverse=True)}
        self.main = main
        self.reading = Reading()
        self.macros: dict[str, Macro] = {}
        self.environments: dict[str, tuple[Macro, tuple[str, ...]]] = {}
        self.flags: dict[str, bool] = {}
        self.setters: set[str] = set()  # what sets the flags
        self.commands: dict[str, Handler] = dict(commands)
        self.protected = protected
        self.conditionals = set(CONDITIONALS)
        self.scopes: list[_Scope] = []
        self.deeper = 0  # groups beyond `MAX_SCOPES`
        self.conditions: list[str] = []  # that are open: decided or undecided
        self.mode: str | None = None  # inline or display inside of a formula
        self.pieces: list[str] = []
        self.last = ""
        self.result = Expanded(self.pieces)
        self.emitting = False
        self.in_body = False
        self.plain = False  # no LaTeX: the text starts at once, and ends at \\end or \\bye
        self.at_document: list[str] = []
        self.use: _Use | None = None
        self.runs = 0  # of `expanded`, one inside the other
        self.characters = budget.characters
        self.textual: dict[Macro, bool] = {}

    # What the document is

    def document(self, prelude: str) -> None:
        """Read all of it; `prelude` is TeX source that comes first, read as a package is."""
        self.stack = [Lexer("", prelude, self.reading, at_letter=True)]
        self.run()
        self.result.expanded = self.steps = 0
        self.result.reached.add(self.main)
        self.stack = [Lexer(self.main, self.files[self.main], self.reading)]
        if not self._begins():
            self.plain = True
            self.start_body()
        self.run()

    def _begins(self) -> bool:
        """Whether the main file has a \\begin{document}, or one that it inputs."""
        source = self.files[self.main]
        inputs = [self.find(name, (".tex", "")) for name in _INPUT.findall(source)[:100]]
        return any(_BEGIN.search(self.files[name]) for name in (self.main, *inputs) if name)

    def start_body(self) -> None:
        """From here on everything is text."""
        self.emitting = self.in_body = True
        self.scopes.clear()

    def run(self) -> None:
        """Read to the end of everything that is on the stack."""
        while True:
            try:
                self._run()
                return
            except RunawayError:
                self._take_back()
            except SpentError:
                self._copy_the_rest()

    def _take_back(self) -> None:
        use, self.use, self.limit = self.use, None, self.total
        if use is None:
            return
        self.reset(use.mark)
        del self.pieces[use.pieces :]
        del self.conditions[use.conditions :]
        del self.scopes[use.scopes :]
        self.scopes.extend(_Scope(self.mode) for _ in range(use.scopes - len(self.scopes)))
        self.mode = use.mode
        self.macros.pop(use.name, None)
        self.result.refused += 1
        self.last = self.pieces[-1] if self.pieces else ""
        self.emit(use.name)

    def _copy_the_rest(self) -> None:
        """The budget is spent: no macro is known any more, and only the ends of the document are still looked for."""
        self._take_back()
        self.result.spent = True
        self.macros.clear()
        for scope in self.scopes:
            scope.before.clear()  # the end of a group brings none back
        self.environments.clear()
        self.conditions.clear()
        ends = ("\\end",) if self.in_body else ("\\begin", "\\end")
        self.commands = {name: self.commands[name] for name in ends if name in self.commands}
        self.limit = self.total = UNLIMITED

    def _run(self) -> None:
        macros, stack = self.macros, self.stack
        while True:
            self.drop_exhausted()
            from_file = bool(stack) and type(stack[-1]) is Lexer
            if from_file:
                if self.use is not None:
                    self.use, self.limit = None, self.total
                if len(self.pieces) > MANY_PIECES and not self.runs:
                    self.pieces[:] = merged(self.pieces)
            token = self.next()
            if token is None:
                return
            if type(token) is not str:
                self.emit(token)
                continue
            first = token[0]
            if first == "\\":
                macro = macros.get(token)
                handler = self.commands.get(token) if macro is None else None
                if macro is None and handler is None:
                    self.emit(token)
                    continue
                if from_file and not self.runs:
                    self._open_use(token)
                if macro is not None:
                    self.expand(token, macro)
                elif handler is not None:
                    handler(self, token)
            elif first == "{":
                self._open_group()
            elif first == "}":
                self.close_scope()
                self.emit(token)
            elif first == "$":
                self._dollar(token)
            else:
                self.emit(token)

    def _open_use(self, name: str) -> None:
        self.use = _Use(name, self.mark(), len(self.pieces), len(self.scopes), len(self.conditions), self.mode)
        self.limit = min(self.total, self.steps + USE_TOKENS)

    # Expanding

    def expand(self, name: str, macro: Macro) -> None:
        """Replace a macro whose name was just read by what it stands for, or leave its name."""
        if macro.alias is not None:
            handler = self.commands.get(macro.alias)
            if handler is not None:
                handler(self, macro.alias)
            else:
                self.emit(name if macro.package and "@" in macro.alias[2:] else macro.alias)
            return
        if macro.package and not self.is_textual(macro):
            self.emit(name)
            return
        if macro.prefix or macro.delimiters:
            mark = self.mark()
            self.skip_behind(name)
            arguments = self.arguments(macro)
            if arguments is None:
                self.reset(mark)
                self.emit(name)
                return
            if replacement_length(macro.body, arguments) > USE_TOKENS:
                raise RunawayError
            body: Sequence[str] = substituted(macro.body, arguments)
        else:
            self.skip_behind(name)
            body = substituted(macro.body, ()) if halved(macro.body) else macro.body
        self.result.expanded += 1
        self.push(body)

    def arguments(self, macro: Macro) -> list[list[str]] | None:
        """What stands behind a macro's name as its arguments, or None where they do not fit."""
        if macro.prefix and not self._follows(macro.prefix):
            return None
        arguments: list[list[str]] = []
        missing: list[int] = []
        argument: list[str] | None
        for number, delimiter in enumerate(macro.delimiters):
            form = macro.optional[number] if number < len(macro.optional) else None
            if form is not None:
                given = self.optional(form.opening, form.closing)
                if given is None:
                    missing.append(number)
                argument = list(form.default) if given is None else given if form.closing else list(form.given)
            else:
                argument = self.delimited(delimiter) if delimiter else self.argument()
            if argument is None:
                return None
            arguments.append(argument)
        spoken = [number for number in missing if any(token[0] == "#" for token in arguments[number])]
        if spoken:  # a default may speak of the arguments that were given
            others = [[] if number in missing else argument for number, argument in enumerate(arguments)]
            if sum(replacement_length(arguments[number], others) for number in spoken) > USE_TOKENS:
                raise RunawayError
            for number in spoken:
                arguments[number] = substituted(arguments[number], others)
        return arguments

    def is_textual(self, macro: Macro, depth: int = 0) -> bool:
        """Whether a class's macro stands for text: it holds no machinery, and no internal that only LaTeX knows."""
        known = self.textual.get(macro)
        if known is None:
            self.textual[macro] = depth < MAX_HEIGHT // 3  # while its own parts are looked at
            known = self.textual[macro] = self.textual[macro] and all(
                self._is_textual_token(token, depth) for token in macro.body
            )
        return known

    def _is_textual_token(self, token: str, depth: int) -> bool:
        if token[0] != "\\" or type(token) is not str:
            return True
        if token in MACHINERY or token in self.setters:
            return False
        inner = self.macros.get(token)
        if inner is not None:
            return inner.alias is not None or self.is_textual(inner, depth + 1)
        known = token in self.commands or token in self.flags or token in LOOKED_AT
        return known or "@" not in token[2:]

    def expanded(self, tokens: Sequence[str]) -> list[str]:
        """`tokens` with everything expanded that can be: the replacement of an \\edef."""
        if self.runs == MAX_NESTED_RUNS:
            return list(tokens)
        saved = self.stack, self.pieces, self.last, self.emitting, self.scopes, self.conditions
        self.stack, self.pieces, self.last, self.emitting, self.scopes, self.conditions = [], [], "", True, [], []
        self.push(tokens)
        self.runs += 1
        try:
            self._run()
            return self.pieces
        finally:
            self.runs -= 1
            self.stack, self.pieces, self.last, self.emitting, self.scopes, self.conditions = saved

    def assign(self, name: str, macro: Macro | None, everywhere: bool = False) -> None:
        """Define `name`, in this group only, or take its definition away."""
        file = self.file()
        package = file.name if file is not None and file.package else ""
        if name in self.protected:
            return
        if package and name in STANDARD and (name not in SYMBOLS or package.endswith(".cls")):
            return
        if macro is not None and name in STANDARD and "\\@startsection" in macro.body:
            return  # a heading's new looks
        if macro is not None and package:
            macro = replace(macro, package=True)
        if everywhere:
            for scope in self.scopes:
                scope.before.pop(name, None)
        elif self.scopes:
            self.scopes[-1].before.setdefault(name, self.macros.get(name))
        if macro is None:
            self.macros.pop(name, None)
        else:
            self.macros[name] = macro
        self.drop_line()

    def drop_line(self) -> bool:
        """Forget the rest of a line that held nothing but a definition; whether this was one."""
        if self.emitting and next(filter(None, (p.rstrip(" \t") for p in self.pieces[:-9:-1])), "\n")[-1] != "\n":
            return False
        self.drop_exhausted()
        top = self.stack[-1] if self.stack else None
        match = _REST_OF_LINE.match(top.source, top.position) if type(top) is Lexer else None
        if match is None or type(top) is not Lexer:
            return False
        top.position = match.end()
        return True

    # Groups and modes

    def _open_group(self) -> None:
        self.open_scope()
        if self.last in TEXT_BOXES:
            self.mode = None
        elif self.last == "\\ensuremath" and self.mode is None:
            self.mode = "inline"
        self.emit("{")

    def open_scope(self, environment: str | None = None) -> _Scope:
        """Begin a group, or an environment: what is defined in it ends with it."""
        scope = _Scope(self.mode, environment)
        if len(self.scopes) < MAX_SCOPES:
            self.scopes.append(scope)
        else:
            self.deeper += 1
        return scope

    def close_scope(self) -> None:
        if self.deeper:
            self.deeper -= 1
            return
        if not self.scopes:
            return
        scope = self.scopes.pop()
        self.mode = scope.mode
        for name, macro in scope.before.items():
            if macro is None:
                self.macros.pop(name, None)
            else:
                self.macros[name] = macro

    def _dollar(self, token: str) -> None:
        if token == "$$" and self.mode != "inline":
            self.mode = None if self.mode == "display" else "display"
        elif token == "$":
            self.mode = None if self.mode else "inline"
        self.emit(token)

    # Writing

    def emit(self, token: str) -> None:
        """Write a token; a control word and a letter behind it keep apart."""
        if self.emitting:
            last = self.last
            if last[:1] == "\\" and token[0].isalpha() and last[-1].isalpha() and type(last) is not Verbatim:
                self.pieces.append(" ")
            self.pieces.append(token)
            self.last = token

    def leave(self, name: str, mark: Mark) -> None:
        """What `name` starts is not well-formed: write the name, and read on behind it."""
        self.reset(mark)
        self.emit(name)

    # Conditionals

    def decide(self, name: str, value: bool | None, mark: Mark) -> None:
        """Enter a conditional: read the branch that holds, or both as they are where nobody can tell."""
        if value is None:
            self.reset(mark)
            self.conditions.append("undecided")
            self.emit(name)
            if name in ("\\ifx", "\\ifdefined", "\\if", "\\ifcat"):
                for _ in range(1 if name == "\\ifdefined" else 2):
                    token = self.character()
                    if token is not None:
                        self.emit(token)
            return
        end = "" if value else self.skip_branch()
        if end is None:
            self.decide(name, None, mark)
            return
        if end != "\\fi":
            self.conditions.append("decided")
        self.skip_blanks()

    def skip_branch(self, stops: Sequence[str] = ("\\else", "\\fi")) -> str | None:
        """Skip to the end of this branch; gives the word that ends it, or None if nothing does."""
        depth = 0
        while (token := self.next()) is not None:
            if token[0] != "\\" or type(token) is not str:
                continue
            if token in self.conditionals:
                depth += 1
            elif depth == 0 and token in stops:
                return token
            elif token == "\\fi":
                depth -= 1
        return None

    def same_meaning(self, one: str, other: str) -> bool | None:
        """Whether \\ifx finds two tokens equal; None where that depends on what only LaTeX knows."""
        if one == other:
            return True
        if one[0] != "\\" and other[0] != "\\":
            return False
        first, second = self.macros.get(one), self.macros.get(other)
        if first is not None and second is not None:
            return first.same(second)
        if first is None and second is None:
            if one[0] != "\\" or other[0] != "\\":
                return (one, other) in _BRACES
            if one not in UNDEFINED and other not in UNDEFINED:
                return None
            word = other if one in UNDEFINED else one
            return False if self.is_known(word) else None
        macro, word = (first, other) if first is not None else (second, one)
        assert macro is not None
        return macro.alias == word or (word[0] != "\\" and macro.body == (word,) and not macro.delimiters)

    def is_known(self, name: str) -> bool:
        """Whether a control sequence is defined, here or in LaTeX."""
        return name in self.macros or name in self.commands or name in self.flags or name in STANDARD

    # Files

    def find(self, name: str, extensions: Sequence[str]) -> str | None:
        """The submission's file that `name` means, from its top folder or from the folder of the file being read."""
        name = name.strip().strip('"')
        here = posixpath.dirname(file.name) if (file := self.file()) is not None else ""
        for folder in dict.fromkeys((posixpath.dirname(self.main), here, "")):
            for extension in extensions:
                path = posixpath.normpath(posixpath.join(folder, name + extension))
                if path in self.files:
                    return path
                if (found := self.folded.get(path.lower())) is not None:
                    return found
                if (written := self.reading.written.get(path)) is not None:
                    self.files[path] = written
                    self.folded[path.lower()] = path
                    return path
        return None

    def read_file(self, path: str, package: bool = False) -> None:
        """Go on with another file; one that is being read already is not read inside itself."""
        if any(type(frame) is Lexer and frame.name == path for frame in self.stack):
            return
        source = self.files[path]
        self.characters -= len(source)
        if self.characters < 0 or sum(type(frame) is Lexer for frame in self.stack) > MAX_HEIGHT // 4:
            raise self.refuse()
        if not package and self.in_body:
            source = _own_body(source)
        self.result.reached.add(path)
        if self.drop_line() and not source.endswith("\n"):
            source += "\n"
        self.stack.append(Lexer(path, source, self.reading, package=package, at_letter=package))


def merged(pieces: Sequence[str]) -> list[str]:
    """The same text in fewer pieces: each `Verbatim` alone, all that stands between two of them together."""
    groups = groupby(pieces, key=lambda piece: type(piece) is Verbatim)
    return [piece for verbatim, group in groups for piece in (group if verbatim else ("".join(group),))]


def _own_body(source: str) -> str:
    """A file that is a document of its own (subfiles, standalone) without its preamble."""
    begin = _BEGIN.search(source)
    if begin is None:
        return source
    body = source[begin.end() :]
    end = _END.search(body)
    return body if end is None else body[: end.start(1)]
