"""The comments that files begin with."""

import pytest
from pygments.lexers import LEXERS

from filters.comments import _BY_LANGUAGES, leading_comments


def said(text: str, language: str | None) -> list[str]:
    return [text[c.start : c.end] for c in leading_comments(text, language)]


def test_every_language_is_named_once_as_pygments_names_it():
    names = [name for _, names in _BY_LANGUAGES for name in names.split("|")]
    assert set(names) <= {name for _, name, *_ in LEXERS.values()}
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("language", "text", "comments"),
    [
        ("C", "/* a\n */\n\n// b\n// c\nint x;\n// d\n", ["/* a\n */\n", "// b\n// c\n"]),
        ("C", "# a\n", []),
        ("C", "#include <a>\n#define B 1\n// c\nint d;\n", ["// c\n"]),
        ("C", "#define B \\\n  1\n// c\n", []),
        ("C", "/* a */\n/* b */\n\n/* c\n */\n", ["/* a */\n/* b */\n", "/* c\n */\n"]),
        ("Lua", "--[==[ a\n]] ]==]\nb()\n", ["--[==[ a\n]] ]==]\n"]),
        ("Racket", "#lang racket\n; a\n(b)\n", ["; a\n"]),
        ("C", "#if !defined(A) && \\\n  B\n// c\n", []),
        ("C", "\ufeff// a\r\nint x;", ["// a\r\n"]),
        ("C", "/* a */ /* b */\n", []),
        ("Python", "#!/bin/python\n# a\n\n\n'''b\n'''\nx\n", ["# a\n", "'''b\n'''\n"]),
        ("Markdown", "# a\n<!-- b -->\n", []),
        ("Markdown", "---\ntitle: x\n---\n<!-- b\n-->\n# a\n", ["<!-- b\n-->\n"]),
        ("HTML", "<!DOCTYPE html>\n<!-- a -->\n<p>\n", ["<!-- a -->\n"]),
        ("Haskell", "{-# LANGUAGE X #-}\n-- a\nmodule A\n", ["-- a\n"]),
        ("CMake", "#[[ a\n]]\n# b\n", ["#[[ a\n]]\n", "# b\n"]),
        ("reStructuredText", ".. a\n   b\n\n.. note:: c\n", [".. a\n   b\n"]),
        ("reStructuredText", ".. _target:\n\nTitle\n", []),
        ("PHP", "<?php\n#define X\n", []),
        ("Batchfile", "@echo off\nREM a\nremove\n", ["REM a\n"]),
        (None, "# a\n", []),
        (None, "/* a */\n", ["/* a */\n"]),
        ("C", "", []),
    ],
)  # fmt: skip
def test_comments_before_the_first_statement(language, text, comments):
    assert said(text, language) == comments


def test_a_long_text_takes_time_in_proportion():
    for text in ("/*" * 200_000, "# \n" * 200_000, "<!-- " * 100_000, "\n" * 500_000, "---\n" + "a\n" * 200_000,
                 "/* a */\n" * 100_000, "#define a\n" * 100_000):  # fmt: skip
        for language in ("C", "Python", "Markdown", "CMake", "reStructuredText"):
            assert sum(len(comment) for comment in said(text, language)) <= len(text)
