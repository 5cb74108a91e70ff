"""What a task's result depends on, as one hash: the code behind it, the packages that code imports, and its settings.

The code is followed symbol by symbol: the function itself, the names it uses in its own module, and what it imports
from the project's other modules, comments and docstrings apart. Editing one filter so redoes the tasks that call it,
and no others.
"""

import ast
import copy
import hashlib
import importlib.metadata
import json
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

OURS = ("pipelines", "filters", "tokenizer")
ROOT = Path(__file__).parent.parent


def canonical(value: object) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class _Module:
    """The top level of one source file: what each name is bound to, and what runs when it is imported."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        self.definitions: dict[str, list[ast.stmt]] = {}
        self.imports: dict[str, tuple[str, str | None]] = {}
        self.always: list[ast.stmt] = []
        for node in _without_docstrings(ast.parse(path.read_bytes())).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                self.imports.update(_bindings(node, package))
            elif names := list(_bound_names(node)):
                for bound in names:
                    self.definitions.setdefault(bound, []).append(node)
            elif not isinstance(node, ast.Pass):
                self.always.append(node)


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return tree


def _bound_names(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            yield from (n.id for n in ast.walk(target) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))


def _bindings(node: ast.Import | ast.ImportFrom, package: str) -> Iterator[tuple[str, tuple[str, str | None]]]:
    """Each name an import binds, with the module and, for `from` imports, the symbol behind it."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.asname or alias.name.partition(".")[0], (alias.name, None)
        return
    parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
    module = ".".join([*parents, *([node.module] if node.module else [])])
    for alias in node.names:
        yield alias.asname or alias.name, (module, alias.name)


@cache
def _source_path(module: str) -> Path | None:
    """Where a module of ours lies, found without importing anything; None for any other name."""
    if module.partition(".")[0] not in OURS:
        return None
    path = ROOT.joinpath(*module.split("."))
    return next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file()), None)


@cache
def _module(name: str) -> _Module:
    path = _source_path(name)
    assert path is not None, name
    return _Module(name, path)


class _Unannotated(ast.NodeTransformer):
    """Takes the annotations of parameters and results away."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.returns = None
        self.generic_visit(node)
        return node


class _Closure:
    """Everything that one function's result can depend on."""

    def __init__(self) -> None:
        self.code: set[tuple[str, str]] = set()
        self.packages: set[str] = set()
        self._seen: set[tuple[str, str | None]] = set()

    def follow(self, module: str, symbol: str | None) -> None:
        if (module, symbol) in self._seen:
            return
        self._seen.add((module, symbol))
        if symbol and _source_path(f"{module}.{symbol}"):  # `from package import module`
            module, symbol = f"{module}.{symbol}", None
        if not _source_path(module):
            self.packages.add(module.partition(".")[0])
            return
        top = _module(module)
        if symbol in top.imports:
            self.follow(*top.imports[symbol])
            return
        nodes = list(top.always)
        nodes += top.definitions.get(symbol, []) if symbol else [n for some in top.definitions.values() for n in some]
        for node in nodes:
            self._add(top, node)

    def _add(self, top: _Module, node: ast.stmt) -> None:
        node = _Unannotated().visit(copy.deepcopy(node))  # what a function is called with does not run
        text = ast.dump(node)
        if (top.name, text) in self.code:
            return
        self.code.add((top.name, text))
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name):
                if inner.id in top.imports:
                    self.follow(*top.imports[inner.id])
                elif inner.id in top.definitions:
                    self.follow(top.name, inner.id)
            elif isinstance(inner, ast.Import | ast.ImportFrom):  # an import inside a function
                for target in dict(_bindings(inner, top.name.rpartition(".")[0])).values():
                    self.follow(*target)


@cache
def _distributions() -> Mapping[str, list[str]]:
    return importlib.metadata.packages_distributions()


def package_versions(imports: set[str]) -> dict[str, str]:
    """The installed version of each distribution behind these top-level imports, the standard library as `python`."""
    versions = {"python": ".".join(map(str, sys.version_info[:2]))}
    for name in imports - set(sys.stdlib_module_names):
        for distribution in _distributions().get(name, []):
            versions[distribution] = importlib.metadata.version(distribution)
    return dict(sorted(versions.items()))


@cache
def code_fingerprint(function: str) -> str:
    """A hash of the code behind `module:function` and of the versions of the packages that code imports."""
    closure = _Closure()
    module, _, symbol = function.partition(":")
    closure.follow(module, symbol)
    return sha256(canonical([sorted(closure.code), package_versions(closure.packages)]))


def source_versions() -> dict[str, Any]:
    """A hash of this project's own source, and the version of every package it imports: what `versions` in a manifest
    says.
    """
    closure = _Closure()
    for package in OURS:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            closure.follow(name, None)
            for imported in _module(name).imports.values():
                closure.follow(*imported)
    return {"source": sha256(canonical(sorted(closure.code))), "packages": package_versions(closure.packages)}
