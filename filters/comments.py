"""The comments that a source file begins with, by the language it is in.

Only comments that have their lines for themselves count, and only what may stand before a program's first statement is
passed over: a shebang, an include guard, a package clause, an XML declaration. What is a comment in one language is
code in another (`#` in C, a heading in Markdown), so a language that is not listed has only the comments that no
language uses for something else.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

MAX_HEAD = 200_000  # characters searched for the end of a block comment


@dataclass(frozen=True)
class Syntax:
    """`line` matches what begins a comment line, `blocks` are openings and closings, `passed` matches code lines that
    may stand before a header.
    """

    line: str | None
    blocks: tuple[tuple[str, str], ...] = ()
    passed: str = r"(?!)"


@dataclass(frozen=True)
class Comment:
    """Whole lines of a text, from `start` to `end`; `opening` and `closing` are empty for comment lines, and for block
    comments of a line each, one below the other.
    """

    start: int
    end: int
    line: str | None
    opening: str = ""
    closing: str = ""


_C_BLOCK = (("/*", "*/"),)
_MARKUP_BLOCK = (("<!--", "-->"),)
_PREPROCESSOR = r"\s*(?:include|define|if|ifdef|ifndef|else|elif|endif|pragma|undef|error|import)\b"
_DOCSTRINGS = tuple((prefix + quotes, quotes) for quotes in ('"""', "'''") for prefix in ("", "r", "R", "u", "U"))
_DIRECTIVE = (
    r"#\s*(?:pragma\b|if|el(?:se|if)\b|endif\b|define\b|include\b|undef\b|region\b)(?:[^\n]*[^\\\n])?$"
    r'|extern "C" \{\s*$'
)
_NULL_DIRECTIVE = (("# /*", "*/"),)  # how Boost comments, and takes a comment for a directive
_C_LIKE = Syntax(
    r"//+",
    _C_BLOCK + _NULL_DIRECTIVE,
    rf"{_DIRECTIVE}|package\s+[\w.]+\s*;?\s*$|(['\"])use strict\1;?\s*$|@charset\b.*$|syntax = .*$|`\w.*$",
)
_HASH = Syntax(
    r"#+(?!!)", (), r"(?:package [\w:]+|use (?:strict|warnings|utf8)\b.*);\s*$|set [-+]\w.*$|---\s*$|%YAML.*$"
)
_DASH = Syntax(r"--+")
_SEMICOLON = Syntax(r";+", (("#|", "|#"),), r"#lang\b.*$|!#\s*$")
_MARKUP = Syntax(None, _MARKUP_BLOCK, r"<(?:\?|!(?!--))[^<>]*>\s*$")

_BY_LANGUAGES: tuple[tuple[Syntax, str], ...] = (
    (_C_LIKE, "C|C++|CUDA|SWIG|Ragel in C Host|C#|D|Java|AspectJ|JavaScript|"
              "TypeScript|TSX|JSX|Go|Rust|Swift|Kotlin|Scala|"
              "Dart|Groovy|Haxe|Vala|Zig|ODIN|ActionScript|ActionScript 3|Arduino|Solidity|QML|Protocol Buffer|"
              "Thrift|Cap'n Proto|ANTLR|Web IDL|"
              "OMG Interface Definition Language|GLSL|HLSL|WebGPU Shading Language|verilog|systemverilog|CSS|"
              "SCSS|Sass|LessCss|JSON5|Jsonnet|"
              "Devicetree|Pike|Chapel|X10|Ceylon|Xtend|Ooc|Mojo|ReasonML|Smithy|nesC|Logos|MQL|"
              "SuperCollider|OpenSCAD|Asymptote|Stata"),
    (Syntax(rf"(?://+|#+(?!!|{_PREPROCESSOR})|@(?=\s))", _C_BLOCK, _DIRECTIVE), "GAS"),
    (Syntax(r"(?://+|%+)", _C_BLOCK, _DIRECTIVE), "Objective-C|Objective-C++"),  # whose extension Matlab shares
    (Syntax(rf"//+|#+(?![!\[]|{_PREPROCESSOR})", _C_BLOCK,
            r"(?:<\?(?:php|=)?\s*)?(?:declare\(.*)?$|namespace\s+[\w\\]+;\s*$"), "PHP|HTML+PHP"),
    (Syntax(r"#+(?!!)", _DOCSTRINGS, r"from __future__ .*$"),
    "Python|Python 2.x|Cython|NumPy"),
    (_HASH, "Bash|Tcsh|Fish|Perl|Perl6|YAML|YAML+Jinja|TOML|Makefile|Base Makefile|Docker|S|Tcl|Awk|Sed|Nimrod|"
            "Elixir|Crystal|GraphQL|Meson|BitBake|"
            "Puppet|Gherkin|Properties|Nix|Stan|Nginx configuration file|ApacheConf|GDScript|RobotFramework|"
            "YANG|SPARQL|Turtle|Cypher|PkgConfig|"
            "Desktop file|Singularity|Debian Control file|Debian Sourcelist|Kconfig|SquidConf|Gnuplot|GAP|Janet|"
            "RPMSpec|Slurm|Rego|Snobol"),
    (Syntax(r"#+(?!!)", (("=begin", "=end"),)), "Ruby"),
    (Syntax(r"#+(?!!|=*\[)", (("#[[", "]]"), ("#[=[", "]=]"))), "CMake"),
    (Syntax(r"#+(?![!=])", (("#=", "=#"),)), "Julia"),
    (Syntax(r"#+(?![!>])", (("<#", "#>"),)), "PowerShell"),
    (Syntax(r"#+(?!!)", (("###", "###"),)), "CoffeeScript"),
    (Syntax(r"#+(?!!)|//+", _C_BLOCK), "Terraform"),
    (Syntax(r"--+", _C_BLOCK), "SQL|MySQL|PostgreSQL SQL dialect|Transact-SQL|PL/pgSQL|GoogleSQL"),
    (Syntax(r"--+(?!\[=*\[)", (("--[[", "]]"), ("--[=[", "]=]"), ("--[==[", "]==]"))), "Lua|Luau|MoonScript"),
    (Syntax(r"--+(?![!|])", (("{-", "-}"),), r"\{-#.*#-\}\s*$"), "Haskell|Literate Haskell|Elm|Idris|Agda|PureScript"),
    (_DASH, "Ada|vhdl|AppleScript|Eiffel|ASN.1"),
    (_SEMICOLON, "Common Lisp|EmacsLisp|Scheme|Clojure|ClojureScript|Racket|Hy|Fennel|NewLisp|Shen|autohotkey|"
                 "AutoIt|NASM|TASM|LLVM|REBOL|Red"),
    (Syntax(r"[;#]+(?!!)"), "INI|NSIS"),
    (Syntax(r"%+", _C_BLOCK), "TeX|Erlang|BibTeX|PostScript|Prolog|Visual Prolog|Logtalk"),
    (Syntax(r"%+|//+", (("%{", "%}"), *_C_BLOCK)), "Matlab|Octave|Scilab|Mason"),
    (Syntax(r"!+"), "Fortran"),
    (Syntax(r"!+|[cC*](?=\s)"), "FortranFixed"),
    (Syntax(r"'+|(?i:rem\b)"), "VB.net|VBScript|QBasic|BlitzBasic"),
    (Syntax(r"::+|(?i:@?rem\b)", (), r"(?i:@?echo\s+off)\s*$"), "Batchfile"),
    (Syntax(r'(?:"+|#(?=\s))', (), r"vim9script\b.*$"), "VimL"),
    (Syntax(r"//+", (("(*", "*)"),)), "OCaml|Standard ML|Rocq Prover|F#|Isabelle|Mathematica"),
    (Syntax(r"//+", (("{", "}"), ("(*", "*)"))), "Delphi|Component Pascal"),
    (Syntax(None, _MARKUP_BLOCK, r"---[ \t]*\n(?:[^\n]*\n){0,80}?---[ \t]*$"), "Markdown"),  # after its YAML
    (_MARKUP, "HTML|XML|XSLT|Vue|DTD|MXML|Coldfusion HTML"),
    (Syntax(None, (*_MARKUP_BLOCK, ("{#", "#}"))), "HTML+Django/Jinja|HTML+Twig|XML+Django/Jinja|Django/Jinja|Twig"),
    (Syntax(None, (*_MARKUP_BLOCK, ("<%--", "--%>"))), "Java Server Page|RHTML|ERB|aspx-cs|aspx-vb"),
    (Syntax(None, (*_MARKUP_BLOCK, ("{{!--", "--}}"))), "HTML+Handlebars|Handlebars"),
    (Syntax(r"\.\.(?=\s)(?![ \t]*(?:[\w:.+-]+::|_|\[|\|))[^\n]*(?:\n(?:[ ]{2,}\S[^\n]*|[ \t]*(?=\n[ ]{2,}\S)))*"),
    "reStructuredText"),
)  # fmt: skip
_OTHERS = Syntax(r"//+", (*_C_BLOCK, *_MARKUP_BLOCK))


@cache
def _syntaxes() -> dict[str, Syntax]:
    return {name: syntax for syntax, names in _BY_LANGUAGES for name in names.split("|")}


@dataclass(frozen=True)
class _Patterns:
    line: re.Pattern[str]
    boxes: re.Pattern[str]
    opening: re.Pattern[str]
    passed: re.Pattern[str]


@cache
def _patterns(syntax: Syntax) -> _Patterns:
    openings = "|".join(re.escape(opening) for opening, _ in syntax.blocks) or "(?!)"
    line = rf"(?:[ \t]*(?:{syntax.line})[^\n]*(?:\n|\Z))+" if syntax.line else "(?!)"
    passed = rf"(?:#![^\n]*|[ \t]*(?:{syntax.passed}))(?:\n|\Z)".replace("$", r"(?=\n|\Z)")
    box = "|".join(rf"{re.escape(o)}(?:(?!{re.escape(c)})[^\n])*{re.escape(c)}" for o, c in syntax.blocks) or "(?!)"
    boxes = rf"(?:[ \t]*(?:{box})[ \t\r]*(?:\n|\Z)){{2,}}"
    return _Patterns(re.compile(line), re.compile(boxes), re.compile(rf"[ \t]*({openings})"), re.compile(passed))


def leading_comments(text: str, language: str | None) -> Iterator[Comment]:
    """The comments before a text's first statement, in order. `language` is what `code.language_of` names it."""
    syntax = _syntaxes().get(language or "", _OTHERS)
    patterns = _patterns(syntax)
    position, end = 0, len(text)
    if text.startswith("\ufeff"):
        position = 1
    while position < end:
        if blank := _BLANK.match(text, position):
            position = blank.end()
        elif (code := patterns.passed.match(text, position)) and code.end() > position:
            position = code.end()
        elif lines := patterns.boxes.match(text, position, position + MAX_HEAD):
            opening = patterns.opening.match(text, position)
            yield Comment(position, lines.end(), re.escape(opening[1]) if opening else "")
            position = lines.end()
        elif (opened := patterns.opening.match(text, position)) and (found := _block(text, opened, syntax)):
            yield found
            position = found.end
        elif lines := patterns.line.match(text, position):
            yield Comment(position, lines.end(), syntax.line)
            position = lines.end()
        else:
            return


_BLANK = re.compile(r"[ \t\r\f\v]*\n")


def _block(text: str, opened: re.Match[str], syntax: Syntax) -> Comment | None:
    """The block comment that is opened, if nothing else stands on its lines."""
    ends = []
    for opening, closing in syntax.blocks:
        if opening == opened[1]:
            found = text.find(closing, opened.end(), opened.end() + MAX_HEAD)
            if found >= 0:
                ends.append((found + len(closing), closing))
    if not ends:
        return None
    end, closing = min(ends, key=lambda e: (e[0], -len(e[1])))
    rest = _REST.match(text, end)
    return Comment(opened.start(), rest.end(), None, opened[1], closing) if rest else None


_REST = re.compile(r"[ \t\r]*(?:\n|\Z)")
