"""Bodies of tasks that behave, and of tasks that do not: what the engine must survive."""

import ctypes
import time

import numpy as np

from pipelines.deduplicate import Digest
from pipelines.documents import UnreadableInputError
from pipelines.tasks import Work


def upper(work: Work) -> None:
    """A well-behaved task: its text in upper case, and a count of its characters."""
    text = work.path("raw").read_text()
    if text.startswith("broken"):
        raise UnreadableInputError("it says that it is broken")
    if text.startswith("segfault"):
        ctypes.string_at(0)
    if text.startswith("hungry"):
        held = [bytearray(10 << 20) for _ in range(100)]
        time.sleep(60)
        del held
    if text.startswith("endless"):
        time.sleep(600)
    if text.startswith("mistake"):
        raise KeyError("a mistake of ours")
    time.sleep(work.settings.get("sleep", 0))
    work.output("text", "text/books", ".txt").write_text(text.upper() + work.settings.get("suffix", ""))
    work.counts["characters"] += len(text)


def digest_numbers(work: Work) -> None:
    """The digest of a file of numbers, one a line."""
    numbers = np.array([int(line) for line in work.path("raw").read_text().split()], dtype=np.uint64)
    Digest.of(numbers).write(work.output("digest", "rounds/numbers.digest", ".arrow"))
