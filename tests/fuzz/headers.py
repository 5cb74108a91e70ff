"""Licence headers: any text in any language."""

from collections.abc import Iterator

from filters.licenses import recognise, remove_header

_LANGUAGES = (
    "C", "Python", "Markdown", "HTML", "reStructuredText", "Lua", "CMake", "OCaml", "PHP", "Batchfile", "Ruby", "TeX",
    None,
)  # fmt: skip


def seeds() -> Iterator[bytes]:
    """Comments of several kinds; the first byte picks the language."""
    notice = b"Copyright (c) 2020 The Authors.\nLicensed under the MIT License: see LICENSE.\n\nOther words.\n"
    yield b"\x00/* " + notice.replace(b"\n", b"\n * ") + b"*/\n#include <a.h>\n"
    yield b"\x01#!/usr/bin/env python\n# " + notice.replace(b"\n", b"\n# ") + b"\nimport a\n"
    yield b"\x02<!-- " + notice + b"-->\n# Heading\n"
    yield b"\x04.. " + notice.replace(b"\n", b"\n   ") + b"\nTitle\n=====\n"


def one_input(data: bytes) -> None:
    """Nothing is added, and what is no comment stays."""
    text = data[1:].decode(errors="replace")
    cleaned = remove_header(text, _LANGUAGES[data[0] % len(_LANGUAGES)] if data else None)
    assert len(cleaned) <= len(text)
    recognise(text)
