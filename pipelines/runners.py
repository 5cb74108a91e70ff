"""Where a wave of stages runs: one Beam job, on the runner that was asked for. The only module, with the rounds and
`worker`, that imports Beam.
"""

import logging
import pickle
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Chain:
    """What a job does with `items`, once they are spread over the workers.

    A job's chains do not meet, and none branches: Spark's runner computes again what is used twice.
    """

    name: str  # in the job
    items: Sequence[Any]
    out: str  # the run's folder
    steps: Callable[[beam.PCollection[Any]], Any]


class _Listed(beam.PTransform[beam.Pipeline, Any]):
    """A chain, its items from the graph or from `queued` files."""

    def __init__(self, chain: Chain, queued: Sequence[str]) -> None:
        super().__init__()
        self._chain, self._queued = chain, queued

    def expand(self, start: beam.Pipeline) -> Any:
        if self._queued:
            listed = start | "List" >> beam.Create(self._queued) | "Read" >> beam.FlatMap(_read_queue)
        else:
            listed = start | "List" >> beam.Create(self._chain.items)
        return self._chain.steps(listed | "Spread" >> beam.Reshuffle())


def do_job(name: str, chains: Sequence[Chain], engine: Engine) -> None:
    """Do all chains in one Beam job."""
    queues = [_queue(f"{name}-{chain.name}", chain.items, chain.out) for chain in chains]
    try:
        with _pipeline(name, max(len(chain.items) for chain in chains), engine) as pipeline:
            for chain, queued in zip(chains, queues, strict=True):
                _ = pipeline | chain.name >> _Listed(chain, queued)
    except SystemExit:  # a template: the job is yet to run
        queues = []
        raise
    finally:
        for path in (path for queued in queues for path in queued):
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


def chain(tasks: Sequence[Task], limits: Limits) -> Chain:
    """Do all tasks, of any stages, largest first so that the last to finish is a small one."""
    ordered = sorted(tasks, key=lambda t: -t.size)
    return Chain("tasks", ordered, tasks[0].out, lambda listed: listed | "Do" >> beam.ParDo(DoTasks(limits)))
