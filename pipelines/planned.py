"""A plan in tables, for people, or as JSON."""

import json
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from pipelines import assumptions as assumed
from pipelines import calibration as measured
from pipelines import store
from pipelines.config import load
from pipelines.errors import UserError
from pipelines.estimate import ASKED_FOR, CLUSTERS, Estimate, estimate
from pipelines.pool import available_cores
from pipelines.progress import clock
from pipelines.summary import print_untaken

WIDTH = 130


def print_plan(
    config: str,
    overrides: Sequence[str],
    out: str | None,
    full: bool,
    share: float,
    machines: int,
    calibration: str | None,
    assumptions: str | None,
    as_json: bool,
) -> None:
    """What a run of the configuration would take. Raises UserError for a mistake in any of the files."""
    if not 0 < share <= 1:
        raise UserError(f"--share must lie above 0 and not above 1, not {share:g}")
    if machines < 1:
        raise UserError(f"--workers must be at least 1, not {machines}")
    found = estimate(
        load(config, overrides),
        assumed.load(assumptions or assumed.SHIPPED),
        measured.load(store.absolute(calibration) if calibration else None),
        machines=machines,
        full=full or share < 1,
        share=share,
    )
    if as_json:
        print(json.dumps(found.to_json(), indent=1, sort_keys=True))
    else:
        _print(found)
    for line in found.warnings(store.absolute(out) if out else None):
        Console(stderr=True).print(f"warning: {line}", highlight=False, markup=False, soft_wrap=True)


def _print(found: Estimate) -> None:
    console = Console()
    console = console if console.is_terminal else Console(width=WIDTH)
    console.print(_sources(found))
    for name, source in found.sources.items():
        if source.assumed not in (None, ASKED_FOR):
            console.print(f"{name}: sizes are assumed: {source.assumed}", highlight=False, markup=False, soft_wrap=True)
    print_untaken([*found.untaken])
    console.print(_stages(found))
    console.print(_walls(found))
    host = found.calibration.host
    for line in (
        f"last to finish: {found.last.stage} {found.last.longest}, {clock(found.last.longest_seconds)} by itself",
        f"rates: measured on {host.processor}, {host.cores} cores, {host.date}; sizes and prices: assumptions.yaml; "
        "storage, network and the start of Dataflow's machines are not in the prices",
    ):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _table(title: str, left: Sequence[str], right: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left")
    for name in left:
        table.add_column(name, overflow="fold")
    for name in right:
        table.add_column(name, justify="right")
    return table


def _sources(found: Estimate) -> Table:
    table = _table("sources", ["source", ""], ["files", "raw", "clean text", "tokens"])
    for name, size in found.sources.items():
        table.add_row(
            name,
            "assumed" if size.assumed else "listed",
            f"{size.files:,}",
            amount(size.raw_bytes),
            amount(size.text_bytes),
            amount(size.tokens, ("", "k", "M", "G"), "T"),
        )
    return table


def _stages(found: Estimate) -> Table:
    table = _table("stages", ["stage"], ["tasks", "in", "CPU-hours", "longest task", "shuffle", "disk"])
    for stage in found.stages:
        table.add_row(
            stage.stage,
            f"{stage.tasks:,}",
            amount(stage.bytes_in) if stage.bytes_in else "",
            _hours(stage.cpu_seconds) if stage.measured else "?",
            clock(stage.longest_seconds) if not stage.round else "",
            amount(stage.shuffle_bytes) if stage.round else "",
            amount(stage.disk_bytes),
        )
    table.add_section()
    table.add_row(
        f"all, to {found.shards:,} shards",
        f"{sum(stage.tasks for stage in found.stages):,}",
        "",
        _hours(found.cpu_seconds),
        "",
        amount(found.shuffle_bytes),
        amount(found.disk_bytes),
    )
    return table


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:,.1f}" if seconds >= 3600 else f"{seconds:,.1f} s"


def _walls(found: Estimate) -> Table:
    here, machines = available_cores(), f"{found.machines:,} machines of {found.assumptions.machine.cores} cores"
    table = _table("wall time and price", ["engine", "on"], ["wall", "price"])
    table.add_row("direct", f"this machine, {here} cores", clock(found.seconds(here, "direct")), "")
    dollars = {"dataflow": f"${sum(found.dataflow_dollars().values()):,.2f}"}
    spark = found.machines_dollars()
    dollars["spark"] = f"${spark['on_demand']:,.2f}, spot ${spark['spot']:,.2f}"
    for engine in CLUSTERS:
        table.add_row(engine, machines, clock(found.seconds(found.cores, engine)), dollars[engine])
    return table


def amount(size: float, units: Sequence[str] = ("B", "kB", "MB", "GB"), largest: str = "TB") -> str:
    """A number in the unit that suits it, of thousands; by default bytes."""
    for unit in units:
        if size < 999.95:
            return f"{size:,.0f} {unit}" if unit == units[0] else f"{size:,.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} {largest}"
