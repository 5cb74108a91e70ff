"""What a Flex Template's launcher starts: `python -m pipelines run` with the template's parameters.

It describes the next stage that has something to do, and ends; Dataflow then runs that job.
"""

import shlex
import sys
from collections.abc import Sequence

from pipelines.__main__ import main


def command(parameters: Sequence[str]) -> list[str]:
    """The parameters as `run` takes them: `--settings` holds overrides with spaces between them."""
    command = ["run", "--runner=dataflow"]
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "--settings":
            command += shlex.split(value)
        elif name != "--runner":  # the launcher names Beam's
            command.append(parameter)
    return command


if __name__ == "__main__":
    sys.argv[1:] = command(sys.argv[1:])
    main()
