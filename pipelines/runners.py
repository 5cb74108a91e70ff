"""Where a stage runs: one Beam job, on the runner that was asked for. The only module, with the rounds and `worker`,
that imports Beam.
"""

import logging
import pickle
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from pipelines import dataflow, spark, store
from pipelines.engine import Engine, Limits
from pipelines.pool import available_cores, close_pools, collect, shared_pool
from pipelines.tasks import TASKS, Task

QUEUE = f"{TASKS}/queue"
INLINE_BYTES = 1 << 20  # what a job's graph carries itself: Dataflow takes one of 10 MB at most
PART = 1_000  # elements of a queue file


@contextmanager
def job(name: str, items: Sequence[Any], engine: Engine, out: str) -> Iterator[beam.PCollection[Any]]:
    """A Beam job over `items`, spread over the workers, that runs when the block ends. Every job is a single chain:
    Spark's runner computes again what is used twice.
    """
    queued = _queue(name, items, out)
    try:
        with _pipeline(name, len(items), engine) as pipeline:
            if queued:
                listed = pipeline | "List" >> beam.Create(queued) | "Read" >> beam.FlatMap(_read_queue)
            else:
                listed = pipeline | "List" >> beam.Create(items)
            yield listed | "Spread" >> beam.Reshuffle()
    except SystemExit:  # a template: the job is yet to run
        queued = []
        raise
    finally:
        for path in queued:
            store.remove(path)


@contextmanager
def _pipeline(name: str, elements: int, engine: Engine) -> Iterator[beam.Pipeline]:
    # what goes wrong is raised, and said once
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
    logging.getLogger("root").setLevel(logging.CRITICAL)
    if engine.runner == "direct":
        # by its class: asked for as `DirectRunner`, Beam looks for Prism's binary on the web first
        with beam.Pipeline(FnApiRunner(), PipelineOptions(list(engine.options))) as pipeline:
            yield pipeline
    elif engine.runner == "spark":
        workers = engine.limits.workers or available_cores()
        with (
            spark.job_server(engine.options, workers, elements) as flags,
            beam.Pipeline(options=PipelineOptions([f"--job_name={name}", *flags])) as pipeline,
        ):
            yield pipeline
    elif engine.runner == "dataflow":
        with dataflow.submitted(name, engine.options) as pipeline:
            yield pipeline
    else:
        flags = [f"--runner={engine.runner}", f"--job_name={name}", *engine.options]
        with beam.Pipeline(options=PipelineOptions(flags, save_main_session=False)) as pipeline:
            yield pipeline


def _queue(name: str, items: Sequence[Any], out: str) -> list[str]:
    """Files that hold `items`, where they are too many for the graph: 400,000 tasks take 800 MB."""
    if sum(len(pickle.dumps(item)) for item in items) <= INLINE_BYTES:
        return []
    names = []
    for first in range(0, len(items), PART):
        names.append(f"{QUEUE}/{name}-{first:09d}")
        store.write_bytes(out, names[-1], zlib.compress(pickle.dumps(items[first : first + PART]), 1))
    return [store.join(out, queued) for queued in names]


def _read_queue(path: str) -> list[Any]:
    found: list[Any] = pickle.loads(zlib.decompress(store.read_bytes(path)))  # our own, of this very job
    return found


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


def do_tasks(tasks: Sequence[Task], name: str, engine: Engine) -> None:
    """Do all tasks, largest first so that the last to finish is a small one."""
    ordered = sorted(tasks, key=lambda t: -t.size)
    with job(name, ordered, engine, tasks[0].out) as listed:
        _ = listed | "Do tasks" >> beam.ParDo(DoTasks(engine.limits))
