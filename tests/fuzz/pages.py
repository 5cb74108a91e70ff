"""Pages by C4's rules, and their addresses."""

from collections.abc import Iterator
from pathlib import Path

from filters.c4 import BadWords, clean_pages, line_keys, normal_url
from tests.fuzz._inputs import batch, heads

_BAD_WORDS = BadWords(["bad word", "x\\y[", "é"])
SEEDS = (
    b"https://www.Example.com:80/a/#b\nThis is a line. It has [1] two sentences.\nAnd one more with Mr. Who in it!\n"
    b"Please enable Javascript to see this page.\nRead our privacy policy, which nobody reads.\nlorem ipsum a b c.\n",
    b"http://[::1]:99999/\nfunction () { return; } is what they said.\nA bad word stands in this line...\n\xc3\xa9.",
)
WORDS = (b"javascript", b"lorem ipsum", b"cookie policy", b"[citation needed]", b"...", b'."', b" Mr. ", b"bad word")


def real(folder: Path) -> Iterator[bytes]:
    yield from (b"http://a.example/\n" + head for head in heads(folder, "c4/*.jsonl", 4_000))


def one_input(data: bytes) -> None:
    """Any address has a normal form; no line is counted twice."""
    url, _, text = data.decode(errors="replace").partition("\n")
    normal_url(url)
    cleaned = clean_pages(batch(text, {"url": url}), bad_words=_BAD_WORDS)
    keys, _ = line_keys(cleaned)
    [row] = cleaned.to_pylist()
    assert row["dropped"] or len(keys) == row["lines_kept"]
    seen = sum(value for name, value in row.items() if name.startswith("lines_") and value)
    assert seen <= sum(bool(line.strip()) for line in text.split("\n"))
