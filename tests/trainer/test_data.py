import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.trainer.conftest import write_run
from trainer import shards
from trainer.data import (
    PAPER_EPOCHS,
    DataConfig,
    Phase,
    Stream,
    batches,
    first_phase,
    next_phase,
    resume_phase,
)
from trainer.errors import ConfigError
from trainer.manifest import read_manifest

FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ODD_WEIGHTS = {"commoncrawl": 61.33, "wikipedia": 38.67}


def stream_of(location: str, *, segment_windows: int = 4, **settings: Any) -> Stream:
    """A stream with a small context, so that small shards hold many windows."""
    config = DataConfig.model_validate({"context": 8, "batch": 12, "block": 2, "workers": 0, **settings})
    return Stream(read_manifest(location), config, segment_windows=segment_windows)


def take(stream: Stream, first: int, count: int, **ranks: int) -> list[np.ndarray]:
    return list(itertools.islice(batches(stream, first, **ranks), count))


def test_a_sample_is_a_window_of_its_source(small_run):
    stream = stream_of(small_run)
    for sample in range(400):
        tokens = stream.read(sample)
        assert np.array_equal(np.diff(tokens.astype(int)), np.ones(8))  # the test's tokens count up in each source
        assert tokens[-1] < stream.manifest.sources[stream.locate(sample)[0]].tokens


def test_an_epoch_holds_each_window_exactly_once(small_run):
    stream = stream_of(small_run, block=1)
    windows = stream.windows["commoncrawl"]
    samples = (n for n in itertools.count() if stream.locate(n)[0] == "commoncrawl")
    for _ in range(3):
        starts = Counter(int(stream.read(n)[0]) for n in itertools.islice(samples, windows))
        assert set(starts.values()) == {1}
        assert len(starts) == windows
    assert windows == 499 // 8 + 399 // 8 + 35 // 8 + 699 // 8  # one segment a row group, each loses under a window


def test_sources_come_in_their_weights(small_run):
    stream = stream_of(small_run)
    counts = Counter(stream.locate(sample)[0] for sample in range(1000))
    assert counts == {"commoncrawl": 750, "wikipedia": 250}


def test_weights_can_be_set(small_run):
    stream = stream_of(small_run, weights={"wikipedia": 100})
    assert {stream.locate(sample)[0] for sample in range(50)} == {"wikipedia"}
    with pytest.raises(ConfigError, match=r"data.weights.github: no such source .*commoncrawl, wikipedia"):
        stream_of(small_run, weights={"github": 100})
    with pytest.raises(ValueError, match="weights sum to 30, not 100"):
        DataConfig(batch=1, weights={"wikipedia": 30})


def test_a_source_with_less_than_one_window_is_an_error(small_run):
    with pytest.raises(ConfigError, match="wikipedia: has 160 tokens, less than one window of 161"):
        stream_of(small_run, context=160)
    stream_of(small_run, context=160, weights={"commoncrawl": 100, "wikipedia": 0})


@FEW
@given(sample=st.integers(0, 10**9), seed=st.integers(0, 5), block=st.integers(1, 5))
def test_a_sample_depends_on_its_number_alone(small_run, sample, seed, block):
    once = stream_of(small_run, seed=seed, block=block)
    after_others = stream_of(small_run, seed=seed, block=block)
    for other in (3, sample // 2, sample + 1):
        after_others.read(other)
    assert np.array_equal(once.read(sample), after_others.read(sample))


@FEW
@given(
    stops=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    ranks=st.sampled_from([1, 2, 3, 4, 6, 12]),
    workers=st.integers(0, 3),
    block=st.integers(1, 4),
)
def test_stopping_anywhere_and_any_ranks_and_workers_never_change_the_stream(small_run, stops, ranks, workers, block):
    expected = take(stream_of(small_run, block=block, weights=ODD_WEIGHTS), 0, sum(stops))
    sample, found = 0, []
    for stop in stops:
        parts = [
            take(
                stream_of(small_run, block=block, weights=ODD_WEIGHTS, workers=workers),
                sample,
                stop,
                rank=rank,
                ranks=ranks,
            )
            for rank in range(ranks)
        ]
        found += [np.concatenate(batch) for batch in zip(*parts, strict=True)]
        sample += 12 * stop
    assert np.array_equal(found, expected)


def test_ranks_must_divide_the_batch(small_run):
    with pytest.raises(ConfigError, match=r"data\.batch is 12, which 5 ranks do not divide"):
        next(batches(stream_of(small_run), 0, ranks=5))


def test_samples_of_another_order_differ(small_run):
    def first(**settings: Any) -> bytes:
        return stream_of(small_run, **settings).batch(0, 30).tobytes()

    assert len({first(), first(seed=1), first(weights=ODD_WEIGHTS)}) == 3


def test_the_order_never_changes(small_run):
    # Recorded once: a change here is a new ORDER_VERSION, or runs would resume into another stream in silence.
    stream = stream_of(small_run)
    places = [stream.locate(sample) for sample in (0, 1, 2, 3, 1000, 10**9)]
    assert [(source[0], *place) for source, place in places] == [
        ("c", 0, 1, 30),
        ("c", 0, 0, 6),
        ("c", 0, 1, 2),
        ("w", 0, 0, 6),
        ("c", 3, 3, 0),
        ("c", 3712871, 3, 71),
    ]


def test_every_row_group_is_read_once_an_epoch(tmp_path, monkeypatch):
    location = write_run(tmp_path, {"c4": (80.0, [[[90]] * 10] * 3), "books": (20.0, [[[150]] * 5])})
    reads = Counter()
    real = shards.read_row_group

    def counting(manifest, group):
        reads[group.shard.path, group.number] += 1
        return real(manifest, group)

    monkeypatch.setattr(shards, "read_row_group", counting)
    stream = stream_of(location, batch=10, block=3)
    assert stream.windows["c4"] == 330
    take(stream, 0, 330 * 10 // 8 // 10)  # one epoch of c4, near enough
    assert set(reads.values()) == {1}
    assert sum(path.startswith("tokens/c4") for path, _ in reads) == 30


def test_a_small_sources_row_groups_are_crossed(tmp_path):
    location = write_run(tmp_path, {"books": (100.0, [[[5], [5], [5]], [[5], [5], [5]]])})
    stream = stream_of(location, segment_windows=128)
    assert stream.windows["books"] == 29 // 8
    assert sorted(int(stream.read(sample)[0]) for sample in range(3)) == [0, 8, 16]
    assert "row group 0 to tokens/books/00001.parquet row group 2" in stream.describe(0)


def test_shards_are_read_through_any_store(small_run):
    import fsspec

    fsspec.filesystem("memory").put(str(Path(small_run).parent), "/loader", recursive=True)
    there, here = stream_of("memory://loader/manifest.json"), stream_of(small_run)
    assert np.array_equal(there.batch(0, 40), here.batch(0, 40))


def test_epochs_are_counted(small_run):
    stream = stream_of(small_run)
    assert stream.epochs(0) == {"commoncrawl": 0, "wikipedia": 0}
    assert stream.epochs(4 * stream.windows["wikipedia"])["wikipedia"] == 1
    assert set(PAPER_EPOCHS) >= set(stream.epochs(0))


def test_the_same_settings_go_on_in_the_same_phase(small_run):
    phases = [first_phase(stream_of(small_run))]
    assert resume_phase(phases, 120, stream_of(small_run, workers=3), new_phase=False) == phases
    assert resume_phase(phases, 120, stream_of(small_run), new_phase=True) == phases


@pytest.mark.parametrize(
    ("settings", "difference"),
    [
        ({"seed": 5}, "seed: 0 -> 5"),
        ({"batch": 24}, "batch: 12 -> 24"),
        ({"context": 4}, "context: 8 -> 4"),
        ({"block": 3}, "block: 2 -> 3"),
        ({"weights": {"wikipedia": 100}}, r"weights.commoncrawl: 75.0 -> 0.0; weights.wikipedia: 25.0 -> 100.0"),
    ],
)
def test_another_stream_is_refused_with_the_difference_unless_asked_for(small_run, settings, difference):
    phases = [first_phase(stream_of(small_run))]
    changed = stream_of(small_run, **settings)
    with pytest.raises(ConfigError, match=rf"\({difference}\).*--new-phase"):
        resume_phase(phases, 120, changed, new_phase=False)
    first, second = resume_phase(phases, 120, changed, new_phase=True)
    assert first == phases[0]
    assert second.sample == 120
    assert second.identity == changed.identity
    changed.start(second)
    changed.read(120)


def test_another_manifest_is_refused_unless_asked_for(small_run, edit_manifest):
    phases = [first_phase(stream_of(small_run))]
    edit_manifest(small_run, lambda m: m["sources"]["wikipedia"]["shards"][0].update(sha256="0" * 64))
    with pytest.raises(ConfigError, match=r"manifest: [0-9a-f]{12} -> [0-9a-f]{12}"):
        resume_phase(phases, 0, stream_of(small_run), new_phase=False)


@FEW
@given(sample=st.integers(0, 500))
def test_a_new_phase_goes_on_from_each_sources_place(small_run, sample):
    before, after = stream_of(small_run), stream_of(small_run, weights=ODD_WEIGHTS)
    taken = {
        name: [before.locate(n)[1] for n in range(sample) if before.locate(n)[0] == name] for name in before.sources
    }
    after.start(next_phase(before.phase, sample, after))
    for n in range(sample, sample + 2 * max(before.windows.values())):
        source, place = after.locate(n)
        taken[source].append(place)
    for source, places in taken.items():  # as if the weights had never changed: nothing twice, nothing left out
        windows = before.windows[source]
        for epoch in range(len(places) // windows):
            assert len(set(places[epoch * windows : (epoch + 1) * windows])) == windows
        assert [place.epoch for place in places] == [n // windows for n in range(len(places))]


def test_a_new_context_keeps_each_sources_share_of_its_epoch(small_run):
    before, after = stream_of(small_run), stream_of(small_run, context=4)
    phase = next_phase(before.phase, 400, after)
    after.start(phase)
    for source, epochs in before.epochs(400).items():
        assert epochs - 1 / after.windows[source] < after.epochs(400)[source] <= epochs


def test_sources_may_come_and_go_between_phases(tmp_path, small_run):
    more = write_run(tmp_path / "more", {"wikipedia": (50.0, [[[160]]]), "books": (50.0, [[[500]]])})
    before, after = stream_of(small_run), stream_of(more)
    phase = next_phase(before.phase, 100, after)
    assert phase.places == {"wikipedia": 25 * after.windows["wikipedia"] // before.windows["wikipedia"], "books": 0}
    assert Phase.model_validate_json(phase.model_dump_json()) == phase
