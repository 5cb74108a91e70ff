"""Every assumed size and price stands in one file, with its source; mistakes in it are named."""

from pathlib import Path

import pytest

from pipelines.assumptions import SHIPPED, assumed_splits, load
from pipelines.config import load as load_config
from pipelines.errors import UserError


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("files: 1_024", "fils: 1_024", "sources.c4.inputs.en.fils: Extra inputs"),
        ("files: 1_024", "files: 0", "sources.c4.inputs.en.files: Input should be greater than 0"),
        ("vcpu_hour: 0.056", "vcpu_hour: cheap", "dataflow.vcpu_hour: Input should be a valid number"),
        ("  c4:\n", "  c5:\n", "no such source: c5"),
        ("largest: 16_000_000_000", "largest: 16", "largest must lie between the mean and all bytes, not 16"),
        ("machine:", "machine: [", "not valid YAML"),
    ],
)
def test_a_mistake_is_named(tmp_path, old, new, said):
    text = Path(SHIPPED).read_text()
    assert old in text
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(UserError, match=r"mine\.yaml") as error:
        load(str(path))
    assert said in str(error.value)


def test_a_file_that_is_not_there_is_a_mistake(tmp_path):
    with pytest.raises(UserError, match="there is no such file"):
        load(str(tmp_path / "none.yaml"))


def test_every_figure_has_a_source_and_every_source_of_the_paper_is_there(repository):
    known = load()
    config = load_config(str(repository / "configs" / "llama.yaml"))
    for name, source in config.sources.present():
        assert known.sources[name].source
        assert set(known.sources[name].inputs) == set(source.inputs), name
        assert all(files.source for files in known.sources[name].inputs.values())


@pytest.mark.parametrize("share", [1, 0.1, 0.003])
def test_assumed_files_are_as_many_and_as_large_as_they_should_be(repository, share):
    config = load_config(str(repository / "configs" / "llama.yaml"))
    for name, source in config.sources.present():
        assumed = load().sources[name]
        splits = assumed_splits(source, assumed, share)
        size = sum(files.bytes for files in assumed.inputs.values()) * share
        assert sum(s.input.size for s in splits) == pytest.approx(size, rel=1e-3)
        assert len({s.input.path for s in splits}) == sum(-(-f.files * share // 1) for f in assumed.inputs.values())
        assert len({s.key for s in splits}) == len(splits)
