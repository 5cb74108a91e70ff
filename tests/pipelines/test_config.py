"""A configuration is checked whole before anything starts, and says what is wrong by key, value and what fits."""

from pathlib import Path

import pytest

from pipelines.config import load
from pipelines.errors import UserError

MINIMAL = """
sources:
  wikipedia:
    weight: 100
    inputs: {dump: ["*.xml.bz2"]}
"""


def write(folder: Path, text: str) -> str:
    path = folder / "run.yaml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("name", ["demo", "llama"])
def test_the_configurations_we_ship_are_sound(repository, name):
    config = load(str(repository / "configs" / f"{name}.yaml"))
    assert sum(source.weight for _, source in config.sources.present()) == 100


def test_overrides_go_by_dotted_names_with_or_without_sources(tmp_path):
    path = write(tmp_path, MINIMAL)
    assert load(path, ["wikipedia.split_bytes=5"]).sources.wikipedia.split_bytes == 5
    assert load(path, ["sources.wikipedia.split_bytes=5"]).sources.wikipedia.split_bytes == 5
    assert load(path, ["wikipedia.languages=[de, fr]"]).sources.wikipedia.languages == ("de", "fr")
    assert load(path, ["seed=7", "tokenizer.pieces=1000"]).tokenizer.pieces == 1000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sources: {}", "sources: name at least one source of: commoncrawl, "),
        ("sed: 1" + MINIMAL, "sed: unknown key; did you mean seed?"),
        (MINIMAL.replace("weight: 100", "weight: 99"), "the sources' weights must sum to 100, but wikipedia 99 = 99"),
        (
            MINIMAL.replace("weight: 100", "weight: 99.999"),
            "sources.wikipedia.weight: input should be a multiple of 0.01",
        ),
        (MINIMAL.replace("weight: 100", "weight: heavy"), "sources.wikipedia.weight: input should be a valid decimal"),
        (MINIMAL.replace("    weight: 100\n", ""), "sources.wikipedia.weight: missing"),
        (MINIMAL + "    languges: [en]\n", "sources.wikipedia.languges: unknown key; did you mean languages?"),
        (MINIMAL + "    zzz: 1\n", "sources.wikipedia.zzz: unknown key; accepted here: inputs, languages, "),
        ("seed: [", "not valid YAML"),
        ("seed: 1\nseed: 2", "not valid YAML"),
        ("seed: 2001-99-99", "not valid YAML: month must be in 1..12"),
        ("[" * 3_000, "not valid YAML"),
        ("just text", "a configuration is a mapping"),
        (
            "limits: {memory_mb: 5}" + MINIMAL,
            "limits.memory_mb: input should be greater than or equal to 200 (given: 5)",
        ),
    ],
)
def test_a_mistake_names_the_key_and_what_would_fit(tmp_path, text, said):
    with pytest.raises(UserError) as error:
        load(write(tmp_path, text))
    assert said in str(error.value)


def test_all_mistakes_are_named_at_once(tmp_path):
    with pytest.raises(UserError) as error:
        load(write(tmp_path, "sed: 1\ntokenizer: {pieces: many}" + MINIMAL))
    assert len(str(error.value).splitlines()) == 2


@pytest.mark.parametrize("override", ["seed", "=1", "a..b=1", "seed.x=1", "seed=["])
def test_an_override_that_is_none_is_refused(tmp_path, override):
    with pytest.raises(UserError):
        load(write(tmp_path, "seed: 1" + MINIMAL), [override])


def test_a_missing_file_is_named():
    with pytest.raises(UserError, match=r"/nowhere\.yaml: there is no such configuration file"):
        load("/nowhere.yaml")


def test_the_manifests_configuration_holds_only_what_changes_bytes(tmp_path):
    path = write(tmp_path, MINIMAL)
    elsewhere = [
        "data=/else",
        "limits.memory_mb=900",
        "tokenizer.path=/t",
        "models.folder=/m",
        "wikipedia.inputs={d: [x]}",
    ]
    assert load(path, elsewhere).describe() == load(path).describe()
    assert load(path, ["wikipedia.split_bytes=5"]).describe() != load(path).describe()
    assert "/" not in str(load(path, elsewhere).describe())


def test_a_list_that_anchors_multiply_is_shown_in_one_short_line(tmp_path):
    text = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
    path = write(tmp_path, text + "seed: *a59\n" + MINIMAL)
    with pytest.raises(UserError) as refusal:
        load(path)
    [said] = [line for line in str(refusal.value).splitlines() if "seed: " in line]
    assert len(said) < len(path) + 200
