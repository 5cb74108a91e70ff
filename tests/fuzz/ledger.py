"""Records of tasks: the ledger of a stage, one by one and compacted, and failures."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pipelines.errors import RunError
from pipelines.ledger import COMPACTED, Ledger
from pipelines.tasks import FAILED, TASKS, Failure, Input, Output, Record
from tests.fuzz._inputs import folder

_INPUTS = {"raw": Input("in/a", 3, "h", "s")}


def seeds() -> Iterator[bytes]:
    """Records, and a failure."""
    outputs = (Output("shard", "a", 3, "s"),)
    record = Record("s", "k", "f", _INPUTS, outputs, {"documents": 1}, {"x": [1]}, None, {"ended": 1.5})
    yield record.to_json()
    yield record.to_json() * 2
    yield Failure("s", "k", "crashed", "it crashed", "trace", "f", _INPUTS).to_json()


def one_input(data: bytes) -> None:
    """What is known, or an error of ours."""
    stage = folder() / TASKS / "s"
    stage.mkdir(parents=True, exist_ok=True)
    for name in ("k.json", COMPACTED, f"k{FAILED}"):
        _alone(stage, name, data)
        with suppress(RunError):
            Ledger(str(folder()), "s").failures()


def _alone(stage: Path, name: str, data: bytes) -> None:
    for path in stage.iterdir():
        path.unlink()
    (stage / name).write_bytes(data)
