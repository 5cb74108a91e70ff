"""A task: what its fingerprint covers, what it leaves behind, and what it does with inputs it cannot take."""

import hashlib
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines import store
from pipelines.errors import RunError, StoreError
from pipelines.fingerprint import code_fingerprint
from pipelines.ledger import COMPACTED, Ledger
from pipelines.tasks import FAILED, TASKS, Input, Record, Task, Work, execute

UPPER = "tests.pipelines.bodies:upper"


def make_task(folder: Path, text: str = "some text", **settings) -> Task:
    raw = folder / "raw.txt"
    raw.write_text(text)
    info = store.glob(str(raw))[0]
    return Task(
        "books.clean",
        "one",
        UPPER,
        code_fingerprint(UPPER),
        {"raw": Input(info.path, info.size, info.hint)},
        settings,
        str(folder / "out"),
    )


def records(task: Task) -> list[Record]:
    folder = Path(task.out) / "tasks" / task.stage
    return [Record.from_json(path.read_bytes()) for path in sorted(folder.glob("*.json"))]


def test_leaves_its_output_under_a_name_with_its_fingerprint_and_a_record(tmp_path):
    task = make_task(tmp_path)
    assert execute(task) is None
    (record,) = records(task)
    (output,) = record.outputs
    assert output.path == f"text/books/one-{record.fingerprint}.txt"
    assert (Path(task.out) / output.path).read_text() == "SOME TEXT"
    assert store.sha256_file(Path(task.out) / output.path) == output.sha256
    assert record.counts == {"characters": 9}
    assert record.inputs["raw"].sha256 == store.sha256_file(tmp_path / "raw.txt")
    assert not list((Path(task.out) / store.SCRATCH).iterdir())


def test_done_twice_writes_the_same_bytes_to_the_same_names(tmp_path):
    task = make_task(tmp_path)
    execute(task)
    before = {p: p.read_bytes() for p in Path(task.out, "text").rglob("*.txt")}
    execute(task, attempt=2)
    assert {p: p.read_bytes() for p in Path(task.out, "text").rglob("*.txt")} == before
    assert len(records(task)) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda t: replace(t, settings={"suffix": "!"}),
        lambda t: replace(t, code="other code"),
        lambda t: replace(t, key="two"),
        lambda t: replace(t, inputs={"raw": replace(t.inputs["raw"], sha256="0" * 64)}),
        lambda t: replace(t, inputs={**t.inputs, "model.x": replace(t.inputs["raw"], sha256="1" * 64)}),
    ],
)
def test_its_fingerprint_covers_content_settings_code_and_models(tmp_path, change):
    task = make_task(tmp_path)
    task = replace(task, inputs={"raw": replace(task.inputs["raw"], sha256="f" * 64)})
    assert change(task).fingerprint() != task.fingerprint()


@pytest.mark.parametrize(
    "change", [lambda t: replace(t, out="/elsewhere"), lambda t: replace(t, memory_mb=9, seconds=9)]
)
def test_its_fingerprint_ignores_where_and_how_it_runs(tmp_path, change):
    task = make_task(tmp_path)
    task = replace(task, inputs={"raw": replace(task.inputs["raw"], sha256="f" * 64)})
    moved = replace(task, inputs={"raw": replace(task.inputs["raw"], path="/moved", hint="later")})
    assert change(task).fingerprint() == moved.fingerprint() == task.fingerprint()


def test_an_input_it_cannot_take_is_a_failure_that_names_the_reason(tmp_path):
    task = make_task(tmp_path, "broken file")
    failure = execute(task)
    assert failure is not None
    assert (failure.kind, failure.reason) == ("unreadable", "it says that it is broken")
    assert failure.fingerprint
    assert not records(task)


def test_an_input_that_is_gone_is_unreadable(tmp_path):
    task = make_task(tmp_path)
    (tmp_path / "raw.txt").unlink()
    failure = execute(task)
    assert failure is not None
    assert failure.kind == "unreadable"


def test_our_own_mistakes_are_failures_with_their_traceback(tmp_path):
    failure = execute(make_task(tmp_path, "mistake"))
    assert failure is not None
    assert (failure.kind, failure.reason) == ("error", "KeyError: 'a mistake of ours'")
    assert "bodies.py" in failure.detail


def test_a_model_on_a_store_that_is_no_longer_the_pinned_one_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    model = Input("memory://models/m", 5, sha256=hashlib.sha256(b"model").hexdigest())
    task = replace(make_task(tmp_path), inputs={"model.m": model})
    store.write_bytes("memory://models", "m", b"other")
    with pytest.raises(StoreError, match="it has changed since the run was planned"):
        Work(task, tmp_path).path("model.m")
    store.write_bytes("memory://models", "m", b"model")
    assert Work(task, tmp_path).path("model.m").read_bytes() == b"model"


def test_the_same_content_under_a_new_time_stamp_is_not_done_again(tmp_path):
    task = make_task(tmp_path)
    execute(task)
    (done,) = records(task)
    output = Path(task.out) / done.outputs[0].path
    output.unlink()  # so that doing it again would show
    touched = replace(task, inputs={"raw": replace(task.inputs["raw"], hint="touched")}, previous=done)
    execute(touched)
    assert not output.exists()
    assert records(task)[0].inputs["raw"].hint == "touched"


def test_a_range_of_a_file_has_the_content_of_its_bytes(tmp_path):
    task = make_task(tmp_path, "0123456789")
    whole = task.inputs["raw"]
    execute(replace(task, inputs={"raw": replace(whole, start=2, end=5)}))
    assert records(task)[0].inputs["raw"].sha256 == store.sha256_file(_file(tmp_path, "234"))


def _file(folder: Path, text: str) -> Path:
    path = folder / "expected"
    path.write_text(text)
    return path


def test_code_that_was_changed_since_the_run_was_planned_is_not_run(tmp_path):
    failure = execute(replace(make_task(tmp_path), code="of another version"))
    assert failure is not None
    assert "the code was changed while the run went on" in failure.reason


@pytest.mark.parametrize("said", [b"", b"{}", b"[1]", b'{"stage":1}', b"\xff", b"null"])
def test_a_record_that_is_damaged_is_named_with_what_to_do(tmp_path, said):
    folder = tmp_path / TASKS / "stage"
    folder.mkdir(parents=True)
    for name in ("a.json", f"a{FAILED}", COMPACTED):
        (folder / name).write_bytes(said + b"\n")
        with pytest.raises(RunError, match=f"{name}: a damaged record; remove the file"):
            Ledger(str(tmp_path), "stage")
        (folder / name).unlink()


def test_names_with_braces_are_names(tmp_path):
    task = replace(make_task(tmp_path), key="a{b}{}")
    assert execute(task) is None
    assert records(task)[0].outputs[0].path.startswith("text/books/a{b}{}-")
