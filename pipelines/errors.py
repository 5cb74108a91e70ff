"""Errors that a user can act on: shown as one line, never as a traceback."""


class UserError(Exception):
    """A mistake in what was asked for (a key, a path, a missing model): exit code 2, nothing started."""


class StoreError(OSError):
    """A store that cannot be reached, or that failed at every attempt."""


class RunError(Exception):
    """A run that had to stop: files that cannot be read, a full disk, tasks that crashed. Exit code 1."""


class InterruptedRunError(RunError):
    """A run that its user stopped. Exit code 130."""
