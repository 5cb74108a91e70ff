"""How a command ends early: each way is said in one line, without a traceback, and has its exit status."""

import signal


class TrainerError(Exception):
    """Something went wrong while working, such as a shard that is not what the manifest says: exit status 1."""

    exit_status = 1


class ConfigError(TrainerError):
    """A wrong setting, or an input that is not there: found before work starts, exit status 2."""

    exit_status = 2


class Stopped(Exception):
    """A signal ended training early, and the checkpoint is written."""

    def __init__(self, signal_number: int, step: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signal_number).name} and saved at step {step}")
        self.exit_status = 128 + signal_number
