"""A run in words and tables, for people."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from pipelines import store
from pipelines.errors import UserError
from pipelines.manifest import MANIFEST, read_manifest

DROPPED = "dropped: "
READER = "reader: "
SHOWN_CHARACTERS = 600


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=140)


def print_summary(manifest: Mapping[str, Any], out: str) -> None:
    """Documents in, kept, dropped by reason, tokens and shards of each source; what was left out; where to look."""
    console = _console()
    table = Table(title=f"run {out}", title_justify="left")
    for name in ("source", "weight", "read", "kept", "tokens", "shards"):
        table.add_column(name, justify="left" if name == "source" else "right")
    table.add_column("dropped, and what readers passed over", overflow="fold")
    for name, source in manifest["sources"].items():
        counts = _last_text_stage(manifest, name)["counts"]
        passed = {k: n for k, n in counts.items() if k.startswith(DROPPED) or (k == "repeated_id" and n)}
        passed |= _passed_over(manifest, name)
        said = ", ".join(f"{k.removeprefix(DROPPED)} {n:,}" for k, n in sorted(passed.items(), key=lambda kv: -kv[1]))
        numbers = (counts["read"], counts["kept"], source["tokens"], len(source["shards"]))
        table.add_row(name, f"{source['weight']:g} %", *(f"{n:,}" for n in numbers), said)
    console.print(table)
    for name, stage in manifest["stages"].items():
        for key, reason in stage.get("truncated", {}).items():
            console.print(f"truncated: {name} {key}: {reason}", highlight=False, markup=False, soft_wrap=True)
    print_left_out({name: stage.get("left_out", {}) for name, stage in manifest["stages"].items()})
    console.print(f"manifest: {store.join(out, MANIFEST)}", highlight=False, soft_wrap=True)


def _passed_over(manifest: Mapping[str, Any], source: str) -> Counter[str]:
    """What the source's readers counted, in whatever stages they ran."""
    total: Counter[str] = Counter()
    for name, stage in manifest["stages"].items():
        if name.startswith(f"{source}."):
            total.update({k: n for k, n in stage["counts"].items() if k.startswith(READER)})
    return total


def _last_text_stage(manifest: Mapping[str, Any], source: str) -> Mapping[str, Any]:
    stages = [
        stage
        for name, stage in manifest["stages"].items()
        if name.startswith(f"{source}.") and "kept" in stage["counts"]
    ]
    return stages[-1] if stages else {"counts": {"read": 0, "kept": 0}}


def print_left_out(left_out: Mapping[str, Mapping[str, str]]) -> None:
    """The input files that could not be read, each once."""
    files = {key: reason for stage in left_out.values() for key, reason in stage.items()}
    for key, reason in sorted(files.items()):
        _console().print(f"left out: {key}: {reason}", highlight=False, markup=False, soft_wrap=True)


def print_untaken(untaken: list[str]) -> None:
    """The files below the data folder that no source of the configuration reads, a line a folder."""
    folders: dict[str, list[str]] = {}
    for path in untaken:
        folder, _, name = path.rpartition("/")
        folders.setdefault(folder or ".", []).append(name)
    for folder, names in sorted(folders.items()):
        listed = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        _console().print(
            f"not taken: {folder}: no source of this run reads {listed}", highlight=False, markup=False, soft_wrap=True
        )


def inspect_path(path: str, reason: str | None, number: int) -> None:
    """Show a run's summary, or some rows of one Parquet file of it. Raises UserError for anything else."""
    path = store.absolute(path)
    if path.endswith(".parquet"):
        _print_rows(path, reason, number)
        return
    manifest, folder = read_manifest(path)
    print_summary(manifest, folder)
    if reason:
        for name in sorted(store.list_files(store.join(folder, "dropped"))):
            if number <= 0:
                break
            number -= _print_rows(store.join(folder, "dropped", name), reason, number)


def _print_rows(path: str, reason: str | None, number: int) -> int:
    """Print up to `number` rows, and say how many that were."""
    try:
        with store.open_read(path) as stream:
            table = pq.read_table(stream)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not a Parquet file that can be read: {error}") from None
    if reason:
        if "dropped" not in table.schema.names:
            raise UserError(f"{path}: --reason asks for dropped documents; they are in the run's dropped/ folder")
        table = table.filter(pc.equal(table["dropped"], reason))
    rows = table.slice(0, number).to_pylist()
    for row in rows:
        text = row.pop("text", None)
        tokens = row.pop("tokens", None)
        said = {k: v for k, v in row.items() if v not in (None, "")}
        console = _console()
        console.print(said, soft_wrap=True)
        if text is not None:
            console.print(
                text[:SHOWN_CHARACTERS] + ("..." if len(text) > SHOWN_CHARACTERS else ""), markup=False, highlight=False
            )
        if tokens is not None:
            console.print(f"{len(tokens):,} tokens: {tokens[:32]}", soft_wrap=True)
    return len(rows)
