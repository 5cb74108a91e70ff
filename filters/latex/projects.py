"""Which file of a submission is its main one, found by looking at what each file inputs; nothing is expanded here."""

import json
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Project", "project", "tex_files", "without_comments"]

MAX_FILES = 2_000  # of a submission that are looked at

_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%[^\n]*")
_INPUT = re.compile(r"\\(?:input|include|subfile|subfileinclude)\b\s*(?:\{([^{}\n]{1,500})\}|([^\s\\{}%]+))")
_IMPORT = re.compile(r"\\(?:sub)?(?:import|includefrom|inputfrom)\*?\s*\{([^{}\n]{0,500})\}\s*\{([^{}\n]{1,500})\}")
_CLASS = re.compile(r"\\document(?:class|style)\b(?:\s*\[[^\]]{0,2000}\])?\s*\{\s*([^{}\s]*)")
_BEGIN = re.compile(r"\\begin\s*\{document\}")
_END = re.compile(r"\\end\s*\{document\}")
_PARTS_OF_DOCUMENTS = ("subfiles", "standalone")
_README = re.compile(r"^\s*(\S+)\s+toplevelfile\b", re.MULTILINE | re.IGNORECASE)


def tex_files(files: Mapping[str, str]) -> list[str]:
    """The files that may hold a document's text: not packages, classes or bibliographies."""
    return sorted(name for name in files if posixpath.splitext(name)[1].lower() in ("", ".tex", ".ltx", ".latex"))


def without_comments(source: str) -> str:
    """The source without TeX's comments, looked for line by line: verbatim text is not told apart."""
    return _COMMENT.sub(r"\1", source)


@dataclass(frozen=True)
class Project:
    """Where a submission starts: its `main` file, and the `root` that reading begins with, which may only wrap it."""

    main: str
    root: str


def project(files: Mapping[str, str]) -> Project | None:
    """The main file of a submission; None if no file can be one.

    It is the one that the submission's 00README names; else the one that reaches most text, itself included, of the
    files that reach a \\documentclass and a \\begin{document}; else of those that reach either; else of all. Equal
    ones go by name. Where that one only sets options and inputs a whole document, the document is the main file, and
    the other its root.
    """
    if (declared := _declared(files)) is not None:
        return Project(declared, declared)
    names = tex_files(files)[:MAX_FILES]
    sources = {name: without_comments(files[name]) for name in names}
    inputs = {name: _inputs(name, sources) for name in names}
    lengths = {name: len("".join(sources[name].split())) for name in names}
    classes = {n for n in names if (m := _CLASS.search(sources[n])) is not None and m[1] not in _PARTS_OF_DOCUMENTS}
    begins = {name for name in names if _BEGIN.search(sources[name])}

    def rank(name: str) -> tuple[int, int, int, str]:
        reached = _closure(name, inputs)
        signs = bool(reached & classes) + bool(reached & begins)
        return -signs, -sum(lengths[part] for part in reached), name.count("/"), name

    ranks = {name: rank(name) for name in names}
    best = min(names, key=ranks.__getitem__, default=None)
    if best is None:
        return None
    if best in classes or best in begins:
        return Project(best, best)
    whole = {n for n in _closure(best, inputs) & classes & begins if _END.search(sources[n])}
    return Project(min(whole, key=ranks.__getitem__, default=best), best)


def _declared(files: Mapping[str, str]) -> str | None:
    for name, text in sorted(files.items()):
        base = posixpath.basename(name).lower()
        if base in ("00readme.xxx", "00readme"):
            match = _README.search(text)
            if match is not None and match[1] in files:
                return match[1]
        elif base == "00readme.json":
            try:
                found = json.loads(text)["sources"]
                names = [s["filename"] for s in found if s.get("usage") == "toplevel"]
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                continue
            if names and names[0] in files:
                return str(names[0])
    return None


def _inputs(name: str, sources: Mapping[str, str]) -> set[str]:
    found = set()
    wanted = [(match[1] or match[2]).strip() for match in _INPUT.finditer(sources[name])]
    wanted += [posixpath.join(match[1].strip(), match[2].strip()) for match in _IMPORT.finditer(sources[name])]
    for target in set(wanted):
        for folder in ("", posixpath.dirname(name)):
            for extension in (".tex", "", ".ltx"):
                path = posixpath.normpath(posixpath.join(folder, target.strip('"') + extension))
                if path in sources:
                    found.add(path)
    return found - {name}


def _closure(name: str, reaches: Mapping[str, set[str]]) -> set[str]:
    seen, waiting = {name}, [name]
    while waiting:
        new = reaches[waiting.pop()] - seen
        seen |= new
        waiting += new
    return seen
