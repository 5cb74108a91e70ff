import pytest

from trainer.config import MODELS, load_config
from trainer.errors import ConfigError


def test_every_model_in_the_repository_can_be_read():
    names = sorted(path.stem for path in MODELS.glob("*.yaml"))
    assert names == ["13b", "33b", "65b", "7b", "tiny"]
    for name in names:
        assert load_config(name).model.layers >= 1


def test_a_file_can_be_given_instead_of_a_name(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text((MODELS / "tiny.yaml").read_text())
    assert load_config(str(path)) == load_config("tiny")


def test_settings_are_overridden_by_dotted_names():
    config = load_config(
        "tiny",
        ["optimizer.peak_lr=1e-3", "train.micro_batch=2", "data.weights.books=100", "optimizer.betas=[0.8, 0.9]"],
    )
    assert config.optimizer.peak_lr == 1e-3
    assert config.train.micro_batch == 2
    assert config.data.weights == {"books": 100.0}
    assert config.optimizer.betas == (0.8, 0.9)
    assert load_config("tiny", ["train.micro_batch=null"]).train.micro_batch is None


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer.lr=1", r"optimizer\.lr: no such setting; there are peak_lr, warmup_steps, "),
        ("learning=1", r"learning: no such setting; there are model, data, "),
        ("optimizer.peak_lr=fast", r"optimizer\.peak_lr: 'fast': input should be a valid number"),
        ("optimizer.peak_lr=-1", r"optimizer\.peak_lr: -1: input should be greater than 0"),
        ("model.layers=2.5", r"model\.layers: 2\.5: input should be a valid integer"),
        ("train.precision=fp8", r"train\.precision: 'fp8': input should be 'fp32' or 'bf16'"),
        ("model.heads=3", r"model: dim 128 cannot be cut into 3 heads"),
        ("train.micro_batch=4", r"train\.micro_batch 4 does not divide data\.batch 6"),
        ("data.weights.books=30", r"data: weights sum to 30, not 100"),
        ("model=7", r"model: 7: input should be a valid dictionary"),
        ("optimizer.peak_lr.x=1", r"optimizer\.peak_lr: \{'x': 1\}: input should be a valid number"),
        ("optimizer.betas.2=1", r"optimizer\.betas"),
        ("data.weights.books.x=1", r"data\.weights\.books"),
        ("peak_lr", r"'peak_lr': an override is written name=value"),
        ("=3", r"'=3': an override is written name=value"),
        ("optimizer.peak_lr=[1", r"optimizer\.peak_lr=\[1: not valid YAML"),
    ],
)
def test_a_wrong_override_is_one_line_that_names_it(override, message):
    with pytest.raises(ConfigError, match=rf"^[^\n]*{message}[^\n]*$"):
        load_config("tiny", [override])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("model: {dim: 8", "not valid YAML"),
        ("train: 1\ntrain: 2", "not valid YAML.*duplicate"),
        ("- 1", "not a YAML mapping"),
        ("", "not a YAML mapping"),
        ("a: !!python/object:os.system {}", "not valid YAML"),
        ("a: 2001-99-99", "not valid YAML: month must be in 1..12"),
        ("[" * 3_000, "not valid YAML"),
    ],
)
def test_a_file_that_is_not_settings_is_one_line(tmp_path, content, message):
    path = tmp_path / "broken.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=rf"^{path}: {message}[^\n]*$"):
        load_config(str(path))


def test_what_is_missing_is_named(tmp_path):
    path = tmp_path / "part.yaml"
    path.write_text("model: {dim: 8, heads: 1}\ndata: {batch: 1}\noptimizer: {peak_lr: 1}\ntrain: {steps: 1}\n")
    with pytest.raises(ConfigError, match=r"^[^\n]*model\.layers: missing, and has no default$"):
        load_config(str(path))


def test_a_missing_file_or_model_is_named(tmp_path):
    with pytest.raises(ConfigError, match="no model is called '8b': give one of 13b, 33b, 65b, 7b, tiny"):
        load_config("8b")
    with pytest.raises(ConfigError, match=r"none\.yaml: there is no such file"):
        load_config(str(tmp_path / "none.yaml"))
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(ConfigError, match=r"folder\.yaml: cannot be read"):
        load_config(str(tmp_path / "folder.yaml"))


def test_a_list_that_anchors_multiply_is_shown_in_one_short_line(tmp_path):
    text = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
    path = tmp_path / "bomb.yaml"
    path.write_text(text + "train: {steps: *a59}\n")
    with pytest.raises(ConfigError) as refusal:
        load_config(str(path))
    [said] = [line for line in str(refusal.value).splitlines() if "train.steps" in line]
    assert len(said) < len(str(path)) + 200
