"""Documentation that every installation has: docstrings, topics, descriptions and licences of the standard library and
of the packages that the extras `pipeline`, `train` and `dev` bring.

Sources are parsed with `ast` and never imported, so nothing of what is read can run.
"""

import ast
import contextlib
import csv
import functools
import gc
import importlib.metadata
import inspect
import re
import sys
import sysconfig
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from pipelines.errors import UserError
from pipelines.sample.markup import Block, Kind, blocks

DISTRIBUTIONS = (
    "apache-beam", "beartype", "certifi", "cffi", "charset-normalizer", "click", "cryptography", "dnspython",
    "fastavro", "fasteners", "filelock", "fsspec", "grimp", "grpcio", "httplib2", "hypothesis", "identify", "idna",
    "import-linter", "jinja2", "jsonpickle", "lxml", "markdown-it-py", "mpmath", "mypy", "networkx", "numpy",
    "objsize", "packaging", "pathspec", "pluggy", "proto-plus", "protobuf", "psutil", "py7zr", "pyarrow", "pycparser",
    "pydantic", "pydantic-core", "pygments", "pymongo", "pyparsing", "pytest", "pytest-timeout", "python-dateutil",
    "pytz", "pyyaml", "requests", "rich", "ruamel-yaml", "setuptools", "six", "sortedcontainers",
    "sympy", "torch", "tqdm", "typer", "typing-extensions", "typing-inspection", "urllib3", "zstandard",
)  # fmt: skip
STANDARD_LIBRARY = "python"
_TOPICS = PurePosixPath("pydoc_data/topics.py")

# What some systems package apart, what is vendored or generated, and what is long and says little for its length.
_ELSEWHERE = {
    "test", "tests", "testing", "idlelib", "lib2to3", "ensurepip", "distutils", "tkinter", "turtledemo", "_vendor",
    "vendor", "site-packages", "dist-packages", "__pycache__", "_inductor",
    "pydoc_data",
}  # fmt: skip
_MINIMUM_DOCUMENTED = 600  # characters between triple quotes below which a file is not worth parsing
_MINIMUM_SHARE = 0.3  # and their share of the file: modules that are nearly all code cost time and give little


@dataclass(frozen=True, slots=True)
class Section:
    """What a module says about one name."""

    name: str
    signature: str
    body: list[Block]


@dataclass(frozen=True, slots=True)
class Module:
    """A documented module, a topic, a package's description or one of its licences."""

    package: str
    version: str
    name: str
    lead: list[Block]
    sections: list[Section] = field(default_factory=list)


def package_versions() -> dict[str, str]:
    """Version of each package the sample is built from, and of Python itself.

    Raises `UserError` naming what is not installed.
    """
    versions = {STANDARD_LIBRARY: ".".join(map(str, sys.version_info[:3]))}
    missing: list[str] = []
    for name in DISTRIBUTIONS:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        raise UserError(f"the sample needs packages that are not installed ({', '.join(missing)}): run `make setup`")
    return versions


def documented_modules() -> Iterator[Module]:
    """Every documented module of the standard library and of `DISTRIBUTIONS`, in a fixed order."""
    versions = package_versions()
    with _parsing():
        yield from _standard_library(versions[STANDARD_LIBRARY])
        for package in DISTRIBUTIONS:
            for path, file in _files(package, ".py"):
                if module := _read_module(package, versions[package], _module_name(path), file):
                    yield module


def topics() -> Iterator[Module]:
    """The language reference that `help()` shows, topic by topic, kept as a dictionary in a source file."""
    version = package_versions()[STANDARD_LIBRARY]
    path = Path(sysconfig.get_path("stdlib"), _TOPICS)
    if not path.exists():
        raise UserError(f"Python {version} has no {_TOPICS}: install the whole library, then `make setup`")
    for statement in ast.parse(path.read_bytes()).body:
        if isinstance(statement, ast.Assign):
            for topic, text in ast.literal_eval(statement.value).items():
                yield Module(STANDARD_LIBRARY, version, topic, blocks(text))


def descriptions() -> Iterator[Module]:
    """Each package's own description (the README in its metadata) and the guides it installs."""
    versions = package_versions()
    for package in DISTRIBUTIONS:
        body = importlib.metadata.metadata(package).json.get("description", "")
        if isinstance(body, str) and len(body) > _MINIMUM_DOCUMENTED:
            yield Module(package, versions[package], f"{package} overview", blocks(body))
        for path, file in _files(package, ".md", ".rst"):
            if "licenses" not in path.parts:
                body = file.read_text(encoding="utf-8", errors="replace")
                yield Module(package, versions[package], path.with_suffix("").as_posix(), blocks(body))


def licences() -> Iterator[Module]:
    """The licence files that packages install: real boilerplate, repeated from package to package."""
    versions = package_versions()
    for package in DISTRIBUTIONS:
        for path, file in _files(package):
            if ".dist-info" in path.parts[0] and re.match(r"(?:LICEN[CS]E|COPYING|NOTICE)", path.name):
                body = file.read_text(encoding="utf-8", errors="replace")
                yield Module(package, versions[package], "-".join([package, *path.parts[1:]]), blocks(body))


@contextlib.contextmanager
def _parsing() -> Iterator[None]:
    """Syntax trees make no cycles that matter here, and other people's escapes are not our warnings."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if collecting:
            gc.enable()


def _standard_library(version: str) -> Iterator[Module]:
    root = Path(sysconfig.get_path("stdlib"))
    for path in sorted(root.rglob("*.py")):
        relative = PurePosixPath(path.relative_to(root).as_posix())
        if _wanted(relative) and (module := _read_module(STANDARD_LIBRARY, version, _module_name(relative), path)):
            yield module


def _wanted(path: PurePosixPath) -> bool:
    return not _ELSEWHERE.intersection(path.parts) and not path.name.startswith("_sysconfigdata")


def installed_files(package: str) -> Iterator[tuple[PurePosixPath, Path]]:
    """What a package's distribution brought, apart from its metadata: names in the package, and where they lie."""
    for path, file in _installed(package):
        if not path.parts[0].endswith(".dist-info") and path.suffix != ".pyc":
            yield path, file


def _files(package: str, *suffixes: str) -> Iterator[tuple[PurePosixPath, Path]]:
    """A package's files that are documentation's, if they end in one of `suffixes`."""
    return ((path, file) for path, file in _installed(package, *suffixes) if _wanted(path))


def _installed(package: str, *suffixes: str) -> Iterator[tuple[PurePosixPath, Path]]:
    """Installed files of a package that end in one of `suffixes`: their names in the package, and where they lie."""
    distribution = importlib.metadata.distribution(package)
    root = Path(str(distribution.locate_file("")))
    for name in _record(package):
        if name.endswith(suffixes or "") and not name.startswith("..") and (file := root / name).is_file():
            yield PurePosixPath(name), file


@functools.cache
def _record(package: str) -> tuple[str, ...]:
    """A package's list of installed files, sorted. (`importlib.metadata.files` makes a path of each, which is slow.)"""
    record = importlib.metadata.distribution(package).read_text("RECORD")
    if not record:
        raise UserError(f"{package} is installed without a list of its files: run `make setup` in an empty folder")
    return tuple(sorted(row[0] for row in csv.reader(record.splitlines())))


def _module_name(path: PurePosixPath) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _read_module(package: str, version: str, name: str, path: Path) -> Module | None:
    source = path.read_bytes()
    documented = max(sum(map(len, source.split(quotes)[1::2])) for quotes in (b'"""', b"'''"))
    if documented < max(_MINIMUM_DOCUMENTED, _MINIMUM_SHARE * len(source)):
        return None
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a template for code generation
        return None
    sections: dict[str, Section] = {}
    for section in _sections(tree.body, ""):
        known = sections.get(section.name)  # overloads and platform branches: the one that says most stands
        if known is None or len(known.body) < len(section.body):
            sections[section.name] = section
    return Module(package, version, name, blocks(ast.get_docstring(tree) or ""), list(sections.values()))


def _sections(statements: Sequence[ast.stmt], prefix: str) -> Iterator[Section]:
    for node in statements:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield from _section(prefix + node.name, _signature(node.args), ast.get_docstring(node))
            case ast.ClassDef():
                yield from _section(prefix + node.name, "", ast.get_docstring(node))
                yield from _sections(node.body, f"{prefix}{node.name}.")
            case ast.If() | ast.Try():
                yield from _sections(node.body, prefix)
            case ast.Expr(value=ast.Call() as call) if not prefix:
                yield from _attached(call)


def _section(name: str, signature: str, text: str | None) -> Iterator[Section]:
    if text and (body := blocks(text)):
        yield Section(name, signature, body)


def _attached(call: ast.Call) -> Iterator[Section]:
    """A docstring given to compiled code by a call such as `add_newdoc("module", "name", text)`."""
    if len(call.args) < 2:
        return
    text = call.args[-1]
    *owners, last = call.args[1:-1] or call.args[:1]
    if isinstance(last, ast.Constant | ast.Attribute) and not owners:
        name = str(last.value) if isinstance(last, ast.Constant) else last.attr
        if isinstance(text, ast.Tuple) and len(text.elts) == 2 and isinstance(text.elts[0], ast.Constant):
            name, text = f"{name}.{text.elts[0].value!s}", text.elts[1]
        yield from _section(name, "", _string(text))


def _string(node: ast.expr) -> str | None:
    match node:
        case ast.Constant(value=str() as text):
            return inspect.cleandoc(text)
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str() as text), attr="format")):
            return inspect.cleandoc(re.sub(r"\{\w*\}", "", text).replace("{{", "{").replace("}}", "}"))
    return None


def _signature(arguments: ast.arguments) -> str:
    names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
    names = [name for name in names if name not in {"self", "cls"}]
    if arguments.vararg:
        names.append(f"*{arguments.vararg.arg}")
    elif arguments.kwonlyargs:
        names.append("*")
    names += [argument.arg for argument in arguments.kwonlyargs]
    if arguments.kwarg:
        names.append(f"**{arguments.kwarg.arg}")
    return f"({', '.join(names)})"


def size(parts: Sequence[Block]) -> int:
    """Characters in a run of blocks."""
    return sum(len(block.text) for block in parts)


def summary(parts: Sequence[Block]) -> str:
    """The first paragraph's first sentence."""
    first = next((block.text for block in parts if block.kind is Kind.PARAGRAPH), "")
    return re.split(r"(?<=[.!?])\s", first, maxsplit=1)[0]
