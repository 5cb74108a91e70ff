"""Where a stage runs: one Beam job, on the runner that was asked for. The only module, with `rounds`, that imports
Beam.
"""

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from pipelines.pool import Limits, close_pools, collect, shared_pool
from pipelines.tasks import Task

RUNNERS = {"spark": "SparkRunner", "dataflow": "DataflowRunner"}


@contextmanager
def job(name: str, runner: str, options: Sequence[str]) -> Iterator[beam.Pipeline]:
    """A pipeline that runs when the block ends. `runner`: direct, spark, dataflow, or a Beam runner's full name."""
    if runner == "direct":
        logging.getLogger("apache_beam").setLevel(logging.CRITICAL)  # what goes wrong is raised, and said once
        # by its class: asked for as `DirectRunner`, Beam looks for Prism's binary on the web first
        with beam.Pipeline(FnApiRunner(), PipelineOptions(list(options))) as pipeline:
            yield pipeline
        return
    flags = [f"--runner={RUNNERS.get(runner, runner)}", f"--job_name={name}", *options]
    with beam.Pipeline(options=PipelineOptions(flags, save_main_session=False)) as pipeline:
        yield pipeline


class DoTasks(beam.DoFn):
    """Hands a bundle's tasks to this process's pool of children, and waits for them when the bundle ends."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def start_bundle(self) -> None:
        self._futures: list[Future[None]] = []

    def process(self, task: Task) -> None:
        self._futures.append(shared_pool(self._limits).schedule(task))

    def finish_bundle(self) -> None:
        try:
            collect(self._futures)
        except BaseException:
            close_pools()  # else its threads would go on with what is queued
            raise


def do_tasks(tasks: Sequence[Task], limits: Limits, name: str, runner: str, options: Sequence[str]) -> None:
    """Do all tasks, largest first so that the last to finish is a small one."""
    ordered = sorted(tasks, key=lambda t: -t.size)
    with job(name, runner, options) as pipeline:
        _ = (
            pipeline
            | "List tasks" >> beam.Create(ordered)
            | "Spread" >> beam.Reshuffle()
            | "Do" >> beam.ParDo(DoTasks(limits))
        )
