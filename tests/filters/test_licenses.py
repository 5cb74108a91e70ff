"""Licences: recognised, kept or not, and their headers taken out with nothing else."""

import re
import sys
from collections import Counter
from functools import cache
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from identify.vendor.licenses import LICENSES
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Whitespace

from filters import licenses
from filters.code import language_of
from filters.licenses import recognise, remove_header
from pipelines.documents import Batcher

MIT = dict(LICENSES)["MIT"]
APACHE = dict(LICENSES)["Apache-2.0"]
NOTICE = """\
Copyright 2020 The Example Authors

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License."""
BSD = """\
Redistribution and use in source and binary forms, with or without
modification, are permitted provided that the following conditions
are met:

1. Redistributions of source code must retain the above copyright
   notice, this list of conditions and the following disclaimer.
2. Redistributions in binary form must reproduce the above copyright
   notice, this list of conditions and the following disclaimer in the
   documentation and/or other materials provided with the distribution.

THIS SOFTWARE IS PROVIDED BY THE AUTHOR AND CONTRIBUTORS ``AS IS'' AND
ANY EXPRESS OR IMPLIED WARRANTIES ARE DISCLAIMED."""


def commented(text: str, mark: str) -> str:
    return "".join(f"{mark} {line}".rstrip() + "\n" for line in text.split("\n"))


def block(text: str) -> str:
    return "/*\n" + commented(text, " *") + " */\n"


# ---- real files


def real_files(suffixes: tuple[str, ...]) -> list[Path]:
    """Files of the packages and system headers that this machine has."""
    roots = (f"{sys.prefix}/lib/python3.11/site-packages", f"{sys.base_prefix}/lib", f"{sys.base_prefix}/include",
             "/usr/include", "/usr/share/doc", "/usr/lib/node_modules", "/usr/local/lib/node_modules",
             "/usr/local/go")  # fmt: skip
    found: list[Path] = []
    for root in map(Path, roots):
        here = (p for suffix in suffixes for p in root.rglob(f"*{suffix}"))
        found += sorted(p for p in here if p.is_file() and not p.is_symlink() and p.stat().st_size < 60_000)
    return found


@cache
def texts(*suffixes: str) -> list[tuple[Path, str]]:
    """Distinct texts of every n-th file: some 900, spread over all there are."""
    files, seen = real_files(suffixes), set[str]()
    chosen: list[tuple[Path, str]] = []
    for path in files[:: max(1, len(files) // 900)]:
        try:
            text = path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, OSError):
            continue
        if text not in seen:
            seen.add(text)
            chosen.append((path, text))
    return chosen


def test_no_preprocessor_line_of_a_real_header_is_removed_while_its_licence_is():
    lines = re.compile(r"^[ \t]*#[ \t]*(?:include|define|if|ifdef|ifndef|endif|pragma)\b.*$", re.MULTILINE)
    stated = re.compile(r"\A\s*(?:/\*|//)[\s\S]{0,200}?copyright (?:\(c\)|\d{4})", re.IGNORECASE)
    files = texts(".h", ".hpp", ".c", ".cpp", ".cc")
    counts: Counter[str] = Counter()
    for path, text in files:
        cleaned = remove_header(text, language_of(path.name))
        assert lines.findall(cleaned) == lines.findall(text), path
        counts["preprocessor"] += len(lines.findall(text))
        if stated.match(text):
            counts["headers"] += 1
            counts["gone"] += not stated.match(cleaned)
    assert len(files) >= 500
    assert counts["preprocessor"] >= 10_000
    assert counts["headers"] >= 100
    assert counts["gone"] >= 0.99 * counts["headers"]


def test_no_heading_of_a_real_markdown_file_is_removed():
    heading = re.compile(r"^#{1,6} .*$", re.MULTILINE)
    files = [(path, text) for path, text in texts(".md") if heading.search(text)]
    if len(files) < 100:
        pytest.skip(f"this machine has {len(files)} Markdown files with headings, and 100 are needed")
    for path, text in files:
        for said in (text, f"<!--\n{NOTICE}\n-->\n\n{text}", f"<!-- {MIT} -->\n{text}"):
            assert heading.findall(remove_header(said, "Markdown")) == heading.findall(text), path
        assert (
            remove_header(f"<!--\n{NOTICE}\n-->\n\n{text}", "Markdown").strip()
            == remove_header(text, "Markdown").strip()
        )


def test_no_shebang_of_a_real_script_is_removed():
    files = (path for path in real_files((".py", ".sh")) if path.open("rb").read(2) == b"#!")
    scripts = [(path, path.read_text(encoding="utf-8")) for path in islice(files, 200)]
    assert len(scripts) >= 100
    for path, text in scripts:
        noted = text.replace("\n", "\n" + commented(NOTICE, "#") + "\n", 1)
        for said in (text, noted):
            assert remove_header(said, language_of(path.name)).split("\n")[0] == text.split("\n")[0], path
        assert "Apache License" not in remove_header(noted, language_of(path.name))[:600], path


@pytest.mark.parametrize(("suffix", "lexer"), [(".h", "c"), (".py", "python")])
def test_what_is_no_comment_stays_as_it_is(suffix, lexer):
    """By Pygments' account of what a comment is."""
    changed = [(t, c) for p, t in texts(suffix) if len(t) < 8_000 and (c := remove_header(t, language_of(p.name))) != t]
    assert len(changed) >= 100
    tokens = get_lexer_by_name(lexer, stripnl=False)
    for before, after in changed[:150]:
        assert code(tokens, before) == code(tokens, after)


def code(lexer, text: str) -> str:
    """The text without comments (in Python without a first docstring) and space."""
    said = [
        value
        for kind, value in lexer.get_tokens(text)
        if (kind not in Comment or kind in Comment.Preproc or kind in Comment.PreprocFile) and kind not in Whitespace
    ]
    return re.sub(r"\A(?:\"\"\"[\s\S]*?\"\"\"|'''[\s\S]*?''')|\s+", "", "".join(said).strip())


# ---- headers


@pytest.mark.parametrize(
    "notice", [NOTICE, MIT, f"Copyright (c) 1999 A\nAll rights reserved.\n\n{BSD}"], ids=["apache", "mit", "bsd"]
)
@pytest.mark.parametrize(
    ("language", "header", "body"),
    [
        ("C", block, "#include <stdio.h>\n#define A 1\n"),
        ("C", lambda n: commented(n, "//"), "#pragma once\n"),
        ("Python", lambda n: commented(n, "#"), "import os\n"),
        ("Python", lambda n: f'"""\n{n}\n"""\n', "import os\n"),
        ("Markdown", lambda n: f"<!--\n{n}\n-->\n", "# Heading\n\nText.\n"),
        ("HTML", lambda n: f"<!--\n{n}\n-->\n", "<p>x</p>\n"),
        ("Lua", lambda n: commented(n, "--"), "return 1\n"),
        ("SQL", lambda n: commented(n, "--"), "SELECT 1;\n"),
        ("TeX", lambda n: commented(n, "%"), "\\section{A}\n"),
        ("Common Lisp", lambda n: commented(n, ";;"), "(a)\n"),
        ("OCaml", lambda n: f"(*\n{n}\n*)\n", "let a = 1\n"),
        ("Batchfile", lambda n: commented(n, "REM"), "dir\n"),
        ("reStructuredText", lambda n: "..\n" + commented(n, "  "), "Title\n=====\n"),
        ("HTML+Handlebars", lambda n: "{{!--\n" + n + "\n--}}\n", "<p>{{x}}</p>\n"),
    ],
)  # fmt: skip
def test_a_header_goes_whole_and_the_rest_stays(language, header, body, notice):
    assert remove_header(header(notice) + "\n" + body, language) == body
    assert remove_header(body, language) == body


def test_what_may_stand_before_a_header_stays():
    for language, first, mark, body in [
        ("Python", "#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n", "#", "import a\n"),
        ("C", "#ifndef A_H\n#define A_H\n", "//", "int a;\n"),
        ("PHP", "<?php\n", "//", "echo 1;\n"),
        ("Java", "package a.b;\n", "//", "class A {}\n"),
        ("JavaScript", "'use strict';\n", "//", "a();\n"),
    ]:
        assert remove_header(first + commented(NOTICE, mark) + body, language).replace("\n\n", "\n") == first + body


def test_other_words_of_the_same_comment_stay_word_for_word():
    said = block(
        "parser.c - reads rows\n\nCopyright (C) 2001, 2002 by\n    A. Person <a@example.org>\n"
        "This file is licensed under the MIT license. It reads rows from a file.\n\nAuthor: A. Person\n@see rows.h"
    )
    assert remove_header(said + "int a;\n", "C") == (
        "/*\n * parser.c - reads rows\n *\n * It reads rows from a file.\n *\n"
        " * Author: A. Person\n * @see rows.h\n */\nint a;\n"
    )


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("Markdown", "# License\n\nThis project is licensed under the MIT license.\n\nCopyright 2020 A\n"),
        ("C", '#define LICENSE "MIT License"\n#include "copyright.h"\n'),
        ("PHP", '<?php\n#define LICENSE "MIT License"\n'),
        ("Python", '__license__ = "MIT"\n__copyright__ = "Copyright 2020"\n'),
        ("Python", "# Checks that each driver's licence plate can be read.\nimport a\n"),
        ("Python", 'x = 1\n# Copyright 2020 A\n# Licensed under the MIT license.\n'),
        ("C", "int a; /* Copyright 2020 A */\n"),
        ("C", "/* Copyright 2020 A */ int a;\n"),
        ("C", "/* never closed\n * Copyright 2020 A\n"),
        (None, "# Copyright 2020 A: a heading, for all we know\n"),
    ],
)  # fmt: skip
def test_what_is_no_header_stays(language, text):
    assert remove_header(text, language) == text


LICENSED = "Licensed under the MIT License. See LICENSE in the project root."


@pytest.mark.parametrize(
    ("language", "header", "rest"),
    [
        ("C++", "# /* Copyright (C) 2001\n#  * Foo\n#  */\n", "# define A 1\n"),
        ("C", "/* Copyright 2020 Foo and */\n/*     others. */\n/* Use of this source is governed */\n"
              "/* by the MIT license. */\n", "int a;\n"),
        ("OCaml", "(*  Copyright 1996 Institut de   *)\n(*    Foo.   *)\n", "let a = 1\n"),
        ("C", "#include <a.h>\nextern \"C\" {\n// " + LICENSED + "\n", "int a;\n"),
        ("C", "// Copyright (C) 2002, Foo Machines Corporation\n// and others. All Rights Reserved.\n", "int a;\n"),
        ("C", "// Portions Copyright 2002 Foo\n// Revisions copyright 2003 Foo\n", "int a;\n"),
        ("C", "/* SGI FREE SOFTWARE LICENSE B (Version 2.0)\n * Copyright 2000 Foo\n */\n", "int a;\n"),
        ("Python", "# Copyright 2020 Foo\n# This program comes WITHOUT ANY WARRANTY.  See the\n"
                   "# GNU General Public License for more details.\n", "import a\n"),
        ("Python", 'u"""\n' + LICENSED + '\n"""\n', "import a\n"),
        ("Python", "# See the README file for information on usage and redistribution.\n", "import a\n"),
        ("Perl", "package A;\n# " + LICENSED + "\n", "use A;\n"),
        ("YAML", "---\n# " + LICENSED + "\n", "a: 1\n"),
        ("PHP", "<?php declare(strict_types=1);\n/* " + LICENSED + " */\n", "echo 1;\n"),
        ("Common Lisp", "#|\n" + LICENSED + "\n|#\n", "(a)\n"),
        ("GAS", "# " + LICENSED + "\n", "#include <a.h>\n"),
        ("Objective-C", "% " + LICENSED + "\n", "x = 1\n"),
        ("VimL", "vim9script\n# " + LICENSED + "\n", "var a = 1\n"),
        ("C", "/* (c) 2020 Foo. Tous droits réservés. */\n", "int a;\n"),
    ],
)  # fmt: skip
def test_headers_of_many_kinds_go(language, header, rest):
    cleaned = remove_header(header + rest, language)
    assert cleaned.endswith(rest)
    said = cleaned.removesuffix(rest)
    assert not said or header.startswith(said)  # what stands before a header
    assert not re.search(r"(?i)copyright|licen|rights|droits|foo|usage", said)


@pytest.mark.parametrize(
    ("language", "header", "rest"),
    [
        ("C", "// Copyright 2020 Foo\n", "/// Adds two numbers.\nint add();\n"),
        ("Haskell", "-- Copyright 2020 Foo\n", "-- | Reads rows.\nmodule A where\n"),
        ("Fortran", "! Copyright 2020\n", "!> Reads rows.\nmodule a\n"),
        ("Python", "# Copyright 2020 Foo\n", "# Gathers license information, usage and distribution.\nimport a\n"),
        ("Python", "# Copyright 2020\n", "# Reads rows from the disk and sorts them.\nimport a\n"),
        ("C", "/* Public domain. */\n\n", "/* This also contains public domain code from B. */\nint a;\n"),
    ],
)  # fmt: skip
def test_what_a_file_says_of_itself_below_its_header_stays(language, header, rest):
    assert remove_header(header + rest, language) == rest


@given(
    st.sampled_from(["C", "Python", "Markdown", "HTML", "Lua", "PHP", "reStructuredText", "CMake", "OCaml", "VimL",
    None]),
    st.lists(st.sampled_from([
        "/*", "*/", "//", "#", "#!", "<!--", "-->", "--", '"""', "..", "\n", "\r\n", " ", "*",
        "Copyright 2020 A.", "(c) 1999",
        "MIT License", "Licensed under", "all rights reserved", "int a;", "#include <a>", "# Heading", "\ufeff", "é",
        "\x85", "\u2028",
    ]), max_size=40),
)  # fmt: skip
@example("C", ["/*", "\r\n", "Copyright 2020 A.", "\r\n", "*/"])
def test_any_text_only_loses_characters_and_once_is_enough_for_code(language, pieces):
    text = "".join(pieces)
    cleaned = remove_header(text, language)
    assert len(cleaned) <= len(text)
    letters = iter(text)
    assert all(character in letters for character in cleaned if not character.isspace())
    for kept in ("int a;", "#include <a>") if language == "C" else ():
        lines = [line for line in text.split("\n") if line.strip() == kept]
        assert [line for line in cleaned.split("\n") if line.strip() == kept] == lines or "/*" in text


def test_a_batch_counts_what_went_and_leaves_dropped_files_alone():
    batcher = Batcher("github")
    rows = [(commented(NOTICE, "#") + "a = 1\n", None), ("a = 2\n", None), (commented(NOTICE, "#"), "binary")]
    for number, (text, dropped) in enumerate(rows):
        list(batcher.add(str(number), text, {"language": "Python"}, dropped))
    (batch,) = batcher.flush()
    cleaned = licenses.remove_headers(batch)
    assert cleaned["text"].to_pylist() == ["a = 1\n", "a = 2\n", rows[2][0]]
    assert cleaned["header_removed"].to_pylist() == [len(rows[0][0]) - 6, 0, 0]


# ---- licences


@pytest.mark.parametrize("key", [key for key, _ in LICENSES])
def test_every_licence_is_recognised_wrapped_anew_and_with_a_holder(key):
    text = dict(LICENSES)[key]
    wrapped = re.sub(r"(?<=[a-z,])\n(?=[a-z])", " ", text)
    assert recognise(text) == key.lower()
    assert recognise("Copyright (c) 2020, Somebody Else\n\n" + wrapped) == key.lower()


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (MIT.partition("\n\n")[2], "mit"),
        ("The MIT License (MIT)\n\n" + MIT.partition("\n\n")[2].replace("\nCOPYRIGHT", " \n   COPYRIGHT"), "mit"),
        (APACHE[: APACHE.index("APPENDIX")], "apache-2.0"),
        (NOTICE, "apache-2.0"),
        (MIT + "\n" + BSD, None),
        (APACHE + "\n" + MIT, None),
        ("All rights reserved.", None),
        ("", None),
        ("x" * 1_000_000, None),
    ],
)
def test_a_text_that_is_not_a_licence_alone_is_unknown(text, key):
    assert recognise(text) == key


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("mit", None), ("MIT", None), ("bsd-2-clause", None), ("bsd-3-clause-clear", None), ("apache-2.0", None),
        ("apache-2.0 and mit", None), ("mit and gpl-3.0", "license"), ("gpl-3.0", "license"), ("agpl-3.0", "license"),
        ("isc", "license"), ("bsd-4-clause", "license"), ("limit", "license"), (None, "license_unknown"),
    ],
)  # fmt: skip
def test_the_gate(key, reason):
    batcher = Batcher("github")
    list(batcher.add("1", "x", {"license": key} if key else {}))
    (batch,) = batcher.flush()
    assert licenses.keep_licenses(batch)["dropped"].to_pylist() == [reason]
