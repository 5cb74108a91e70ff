"""The loader: a pure function (manifest, seed, sample number) -> tokens.

    sample number --order--> source, segment, window --shards--> [context + 1] tokens

So the loader's whole state is one number, resuming is exact and instant, and any number of ranks or workers sees the
same batches. There are no index files: `order` needs only the token counts that the manifest holds.

Whatever changes the stream (weights, batch, context, manifest, seed, block) is recorded in a *phase*. A change starts a
new phase at a sample number and carries every source's place over, so that what was read is not read again before its
time.
"""

from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from trainer.errors import ConfigError
from trainer.manifest import Manifest, units_of
from trainer.order import ORDER_VERSION, SEGMENT_WINDOWS, Mixture, Place, SourceOrder, join_small, windows_in
from trainer.shards import SegmentCache, row_groups_of

# Epochs of each source over the paper's 1.4T tokens (LLaMA, arXiv 2302.13971, Table 1).
PAPER_EPOCHS = {
    "commoncrawl": 1.10,
    "c4": 1.06,
    "github": 0.64,
    "wikipedia": 2.45,
    "books": 2.23,
    "arxiv": 1.06,
    "stackexchange": 1.03,
}

Batch = npt.NDArray[np.int64]


class DataConfig(BaseModel):
    """What the loader deals out. All but `workers` changes the stream."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    context: Annotated[int, Field(ge=1)] = 2048  # tokens a sample predicts
    batch: Annotated[int, Field(ge=1)]  # samples an optimiser step
    seed: int = 0
    block: Annotated[int, Field(ge=1)] = 8  # row groups whose windows are shuffled together: memory against mixing
    weights: dict[str, float] | None = (
        None  # percent for each source, in place of the manifest's; unnamed ones get none
    )
    workers: Annotated[int, Field(ge=0)] = 1  # threads that read ahead

    @model_validator(mode="after")
    def _weights_sum_to_100(self) -> "DataConfig":
        if self.weights is not None:
            units_of(self.weights)
        return self


class StreamIdentity(BaseModel):
    """Everything that decides which tokens a sample holds, and which samples a batch."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    manifest: str  # sha256
    weights: dict[str, float]
    batch: int
    context: int
    seed: int
    block: int
    order: int  # `order.ORDER_VERSION`

    def differences(self, other: "StreamIdentity") -> list[str]:
        """`name: mine -> other's`, for each setting that differs; hashes are cut to 12 digits."""
        mine, others = self._flat(), other._flat()
        return [
            f"{name}: {mine.get(name, 'none')} -> {others.get(name, 'none')}"
            for name in dict.fromkeys([*mine, *others])
            if mine.get(name) != others.get(name)
        ]

    def _flat(self) -> dict[str, object]:
        settings = self.model_dump(exclude={"weights"})
        settings["manifest"] = self.manifest[:12]
        return settings | {f"weights.{name}": weight for name, weight in self.weights.items()}


def _mixture(identity: StreamIdentity) -> Mixture:
    return _mixture_of(tuple(units_of(identity.weights).values()))


@cache
def _mixture_of(units: tuple[int, ...]) -> Mixture:
    return Mixture(units)


class Phase(BaseModel):
    """A stretch of samples dealt out under one identity.

    `sample` is the first one's number, `places` the windows that each source had given before it (over all its epochs),
    and `windows` how many each source has in an epoch.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sample: int
    identity: StreamIdentity
    places: dict[str, int]
    windows: dict[str, int]

    def places_at(self, sample: int) -> dict[str, int]:
        """The windows that each source has given before sample `sample`."""
        dealt = _mixture(self.identity).dealt(sample - self.sample)
        given = dict(zip(self.identity.weights, dealt.tolist(), strict=True))
        return {source: place + given[source] for source, place in self.places.items()}


class Stream:
    """The samples of one phase. Safe to read from several threads.

    Raises ConfigError where the data cannot be dealt out: a source with weight but less than one window, or weights
    that name no source of the manifest.
    """

    def __init__(self, manifest: Manifest, config: DataConfig, *, segment_windows: int = SEGMENT_WINDOWS) -> None:
        self.manifest = manifest
        self.config = config
        weights = {name: source.weight for name, source in manifest.sources.items()}
        if config.weights is not None:
            if unknown := sorted(config.weights.keys() - weights.keys()):
                known = ", ".join(weights)
                raise ConfigError(f"data.weights.{unknown[0]}: no such source in the manifest (it has {known})")
            weights = {name: config.weights.get(name, 0.0) for name in weights}
        self.identity = StreamIdentity(
            manifest=manifest.sha256,
            weights=weights,
            batch=config.batch,
            context=config.context,
            seed=config.seed,
            block=config.block,
            order=ORDER_VERSION,
        )
        self.sources = list(weights)
        self._row_groups = {name: row_groups_of(manifest, name) for name in weights}
        self._segments = {
            name: join_small([group.tokens for group in groups], config.context, segment_windows)
            for name, groups in self._row_groups.items()
        }
        self._orders = {
            name: SourceOrder(name, self._windows_in_segments(name), seed=config.seed, block=config.block)
            for name in weights
        }
        self.windows = {name: order.windows for name, order in self._orders.items()}
        for name, weight in weights.items():
            if weight and not self.windows[name]:
                tokens = manifest.sources[name].tokens
                raise ConfigError(
                    f"{name}: has {tokens:,} tokens, less than one window of {config.context + 1:,}: "
                    f"give it no weight, or lower data.context"
                )
        self._mixture = _mixture(self.identity)
        # Room for a block of every source and for the next block of one.
        capacity = config.block * (1 + sum(weight > 0 for weight in weights.values()))
        self._cache = SegmentCache(manifest, capacity)
        self.start(first_phase(self))

    def _windows_in_segments(self, source: str) -> list[int]:
        groups = self._row_groups[source]
        segments = self._segments[source]
        return [windows_in(sum(groups[i].tokens for i in segment), self.config.context) for segment in segments]

    def start(self, phase: Phase) -> None:
        """Number samples as `phase` does; its identity must be this stream's."""
        assert phase.identity == self.identity
        self.phase = phase

    def locate(self, sample: int) -> tuple[str, Place]:
        """The source of sample `sample`, and its place there."""
        index, number = self._mixture.deal(sample - self.phase.sample)
        source = self.sources[index]
        return source, self._orders[source].place(self.phase.places[source] + number)

    def describe(self, sample: int) -> str:
        """One line that says where a sample's tokens come from."""
        source, place = self.locate(sample)
        segment = self._segments[source][place.segment]
        first, last = (self._row_groups[source][index] for index in (segment[0], segment[-1]))
        where = f"{first.shard.path} row group {first.number}"
        if len(segment) > 1:
            where += f" to {last.shard.path} row group {last.number}"
        return (
            f"sample {sample:,}: {source}, epoch {place.epoch}, {where}, token {place.window * self.config.context:,}"
        )

    def read(self, sample: int) -> npt.NDArray[np.unsignedinteger]:
        """The tokens of sample `sample`, [context + 1]. Raises TrainerError for a shard unlike its manifest."""
        source, (_, segment, window) = self.locate(sample)
        groups = self._row_groups[source]
        tokens = self._cache.get(source, segment, [groups[index] for index in self._segments[source][segment]])
        start = window * self.config.context
        return tokens[start : start + self.config.context + 1]

    def batch(self, first: int, samples: int) -> Batch:
        """Samples `first` to `first + samples - 1`, [samples, context + 1]."""
        batch_BT = np.empty((samples, self.config.context + 1), dtype=np.int64)
        for row in range(samples):
            batch_BT[row] = self.read(first + row)
        return batch_BT

    def epochs(self, sample: int) -> dict[str, float]:
        """How many times each source with windows has been gone through before sample `sample`."""
        places = self.phase.places_at(sample)
        return {name: places[name] / windows for name, windows in self.windows.items() if windows}


def first_phase(stream: Stream) -> Phase:
    """The phase of a run that starts with this stream."""
    return Phase(sample=0, identity=stream.identity, places=dict.fromkeys(stream.sources, 0), windows=stream.windows)


def next_phase(last: Phase, sample: int, stream: Stream) -> Phase:
    """The phase that goes on from `last` at `sample` with another stream.

    A source keeps its place. Where an epoch has another number of windows (another context, more shards) it keeps its
    epoch and its share of it, rounded down.
    """
    places = {}
    for name, windows in stream.windows.items():
        before = last.windows.get(name, 0)
        epochs, position = divmod(last.places_at(sample)[name], before) if before else (0, 0)
        places[name] = epochs * windows + (position * windows // before if before else 0)
    return Phase(sample=sample, identity=stream.identity, places=places, windows=stream.windows)


def batches(stream: Stream, first: int, *, rank: int = 0, ranks: int = 1) -> Generator[Batch]:
    """This rank's part of every batch from sample `first` on, without end: [batch / ranks, context + 1] each.

    `stream.config.workers` threads read ahead (reading Parquet lets go of the interpreter's lock); with none, batches
    are read when asked for. Raises ConfigError when `ranks` does not divide the batch.
    """
    batch, workers = stream.config.batch, stream.config.workers
    if batch % ranks:
        raise ConfigError(f"data.batch is {batch}, which {ranks} ranks do not divide")
    share = batch // ranks
    start = first + rank * share
    if not workers:
        while True:
            yield stream.batch(start, share)
            start += batch
    with ThreadPoolExecutor(workers, thread_name_prefix="loader") as pool:
        ahead: deque[Future[Batch]] = deque()
        try:
            while True:
                while len(ahead) <= 2 * workers:
                    ahead.append(pool.submit(stream.batch, start, share))
                    start += batch
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()


def resume_phase(phases: Sequence[Phase], sample: int, stream: Stream, *, new_phase: bool) -> list[Phase]:
    """The phases of a run that goes on at `sample` with this stream.

    Unchanged when the stream is the last phase's. Otherwise a new phase is added if `new_phase` says so; if not, a
    ConfigError names what differs.
    """
    changes = phases[-1].identity.differences(stream.identity)
    if not changes:
        return list(phases)
    if not new_phase:
        raise ConfigError(
            f"the run so far read another stream ({'; '.join(changes)}): go back to its settings, "
            "or say --new-phase to go on from each source's place under the new ones"
        )
    return [*phases, next_phase(phases[-1], sample, stream)]
