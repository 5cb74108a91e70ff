"""Processes that end with the one that started them."""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent dies, also when that is killed; on Linux alone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def ends_with_parent(command: Sequence[str]) -> list[str]:
    """A command line that runs `command` so that it ends with the process that starts it."""
    return [sys.executable, __file__, str(os.getpid()), *command]


if __name__ == "__main__":
    die_with_parent()
    if os.getppid() == int(sys.argv[1]):  # else it died before the kernel knew
        os.execvp(sys.argv[2], sys.argv[2:])
