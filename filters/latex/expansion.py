"""A small TeX: reads a submission from its main file on, follows its files, and replaces macros by what they stand for.

It executes what decides about text - definitions with TeX's scopes, arguments, conditionals it can decide, inputs - and
passes everything else through as it was written. It has no registers, boxes or fonts. What it cannot do it leaves as it
is: an argument that is missing, a conditional it cannot decide, a macro of a class that is machinery and no text.
"""

import re
from collections.abc import Mapping

from filters.latex.conditionals import (
    detokenize,
    else_,
    fi,
    if_,
    if_constant,
    ifblank,
    ifcase,
    ifdefined,
    ifmmode,
    ifnextchar,
    ifnum,
    ifodd,
    ifstar,
    ifthenelse,
    ifundefined,
    ifx,
    undecided,
)
from filters.latex.definitions import (
    define,
    document_command,
    futurelet,
    if_value,
    let,
    math_operator,
    newboolean,
    newcommand,
    newenvironment,
    newif,
    paired_delimiter,
    prefix,
    setboolean,
)
from filters.latex.inputs import (
    at_document,
    catcode,
    endinput,
    iffileexists,
    import_,
    input_,
    makeat,
    new_verbatim,
    short_verb,
    usepackage,
)
from filters.latex.interpreter import Budget, Expanded, Handler, Interpreter
from filters.latex.lexer import DELIMITED_COMMANDS
from filters.latex.names import BARE_ARGUMENTS, CONDITIONALS
from filters.latex.primitives import (
    bare_arguments,
    begin,
    begingroup,
    bye,
    close_math,
    csname,
    delimited_verbatim,
    end,
    end_scope,
    endgroup,
    expandafter,
    freeze_next,
    mathchoice,
    mathpalette,
    namedef,
    nameuse,
    open_math,
    xspace,
)

__all__ = ["Budget", "Expanded", "expand"]

_LOADS_AMSTEX = re.compile(r"\\input\s+amstex\b|\\documentstyle\s*\{amsppt")
PRELUDE = r"""
\long\def\@firstofone#1{#1}\long\def\@firstoftwo#1#2{#1}\long\def\@secondoftwo#1#2{#2}
\long\def\@gobble#1{}\long\def\@gobbletwo#1#2{}\def\@empty{}\def\empty{}
\def\@testopt#1#2{\@ifnextchar[{#1}{#1[{#2}]}}
\def\@dblarg#1{\@ifnextchar[{#1}{\@xdblarg{#1}}}\long\def\@xdblarg#1#2{#1[{#2}]{#2}}
"""


def expand(files: Mapping[str, str], main: str, budget: Budget | None = None) -> Expanded:
    """The body of the document `main`, with its files in place and its macros expanded.

    `files` are the submission's text files by path. Never raises, and ends within `budget` whatever the files hold.
    """
    commands = _COMMANDS | _AMSTEX if _LOADS_AMSTEX.search(files[main]) else _COMMANDS
    interpreter = Interpreter(files, main, budget or Budget.of(files), commands, frozenset(_EXECUTED))
    interpreter.document(PRELUDE)
    return interpreter.result


def _register(table: Mapping[Handler, str]) -> dict[str, Handler]:
    return {"\\" + name: handler for handler, names in table.items() for name in names.split()}


_EXECUTED: dict[str, Handler] = dict.fromkeys(CONDITIONALS, undecided) | _register(
    {
        newcommand: """newcommand renewcommand providecommand DeclareRobustCommand newrobustcmd renewrobustcmd
                        providerobustcmd""",
        define: "def gdef edef xdef",
        let: "let",
        prefix: "global long outer protected",
        math_operator: "DeclareMathOperator",
        paired_delimiter: "DeclarePairedDelimiter DeclarePairedDelimiterX",
        document_command: """NewDocumentCommand RenewDocumentCommand ProvideDocumentCommand DeclareDocumentCommand
                              NewExpandableDocumentCommand""",
        if_value: """IfNoValueTF IfNoValueT IfNoValueF IfValueTF IfValueT IfValueF IfBooleanTF IfBooleanT
                    IfBooleanF""",
        newenvironment: "newenvironment renewenvironment",
        newif: "newif",
        newboolean: "newboolean provideboolean newbool providebool newtoggle providetoggle",
        setboolean: "setboolean setbool booltrue boolfalse settoggle toggletrue togglefalse",
        if_constant: "iftrue iffalse",
        ifmmode: "ifmmode",
        ifx: "ifx",
        if_: "if",
        ifnum: "ifnum",
        ifodd: "ifodd",
        ifcase: "ifcase",
        ifdefined: "ifdefined",
        else_: "else or",
        fi: "fi",
        ifnextchar: "@ifnextchar kernel@ifnextchar @ifnext",
        ifstar: "@ifstar",
        ifthenelse: "ifthenelse ifbool iftoggle",
        ifblank: "ifblank ifstrempty @ifmtarg",
        ifundefined: "@ifundefined ifdef ifcsdef",
        futurelet: "futurelet",
        expandafter: "expandafter",
        csname: "csname",
        namedef: "@namedef",
        nameuse: "@nameuse",
        detokenize: "detokenize unexpanded",
        freeze_next: "string noexpand",
        begingroup: "begingroup bgroup",
        endgroup: "endgroup egroup",
        open_math: "( [",
        close_math: ") ]",
        begin: "begin",
        end: "end",
        end_scope: "end@scope",
        bye: "bye",
        input_: "input include subfile subfileinclude @input",
        import_: "import subimport includefrom inputfrom subincludefrom subinputfrom",
        iffileexists: "IfFileExists InputIfFileExists",
        usepackage: """usepackage RequirePackage documentclass documentstyle LoadClass RequirePackageWithOptions
                        LoadClassWithOptions""",
        endinput: "endinput",
        makeat: "makeatletter makeatother",
        catcode: "catcode",
        new_verbatim: """lstnewenvironment DefineVerbatimEnvironment newminted newverbatim newtcblisting excludecomment
                          includecomment""",
        short_verb: """MakeShortVerb DefineShortVerb lstMakeShortInline DeleteShortVerb UndefineShortVerb
                       lstDeleteShortInline""",
        at_document: "AtBeginDocument AtEndOfPackage AtEndOfClass AtEndPreamble",
    }
)  # fmt: skip
_COMMANDS = {
    **_EXECUTED,
    "\\xspace": xspace,
    "\\mathchoice": mathchoice,
    "\\mathpalette": mathpalette,
    **dict.fromkeys(DELIMITED_COMMANDS, delimited_verbatim),
    **dict.fromkeys(BARE_ARGUMENTS, bare_arguments),
}
_AMSTEX = _register({define: "define redefine", bye: "enddocument"})
