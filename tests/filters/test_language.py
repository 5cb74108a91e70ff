import sys
from pathlib import Path
from types import SimpleNamespace

import fasttext
import numpy as np
import pyarrow as pa
import pytest

from filters.language import keep_languages, label, load_language_model
from pipelines.documents import ReadReport
from pipelines.readers.wet import read_wet

LID = Path(sys.prefix) / "share" / "altiplano" / "lid.176.ftz"
ENGLISH = "The ship had left the harbour before the sun was up,\nand nobody on the quay had seen which way it went."
GERMAN = "Das Schiff hatte den Hafen verlassen, bevor die Sonne aufging,\nund niemand hatte gesehen, wohin es fuhr."


@pytest.fixture(scope="module")
def model():
    return load_language_model(LID)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A folder with a small model of ours, as trained (`dense`) and quantized (`quantized`)."""
    folder = tmp_path_factory.mktemp("models")
    lines = [
        f"__label__{name} {word}{number} {word}" for name, word in (("a", "yes"), ("b", "no")) for number in range(300)
    ]
    (folder / "train.txt").write_text("\n".join(lines))
    # Without vectors to start from, fastText 0.9.3 starts from whatever was in memory.
    words = sorted({word for line in lines for word in line.split()[1:]} | {"</s>"})
    vectors = np.random.default_rng(0).uniform(-0.1, 0.1, (len(words), 8)).round(4)
    rows = [" ".join([word, *map(str, vector)]) for word, vector in zip(words, vectors.tolist(), strict=True)]
    (folder / "start.vec").write_text("\n".join([f"{len(words)} 8", *rows]))
    settings = {"dim": 8, "bucket": 0, "thread": 1, "verbose": 0, "pretrainedVectors": str(folder / "start.vec")}
    model = fasttext.train_supervised(str(folder / "train.txt"), **settings)
    model.save_model(str(folder / "dense"))
    model.quantize(qnorm=True)
    model.save_model(str(folder / "quantized"))
    return folder


def documents(*texts: str, dropped: list[str | None] | None = None) -> pa.RecordBatch:
    reasons = pa.array(dropped or [None] * len(texts), pa.string())
    return pa.record_batch({"text": pa.array(texts, pa.string()), "dropped": reasons})


def labelled(*rows: tuple[str | None, float | None]) -> pa.RecordBatch:
    languages, scores = zip(*rows, strict=True)
    return (
        documents(*[""] * len(rows))
        .append_column("language", pa.array(languages, pa.string()))
        .append_column("language_score", pa.array(scores, pa.float32()))
    )


def test_the_top_label_is_the_language(model):
    batch = label(documents(ENGLISH, GERMAN), model=model)
    assert batch["language"].to_pylist() == ["en", "de"]
    assert batch.schema.field("language_score").type == pa.float32()
    for score in batch["language_score"].to_pylist():
        assert 0.9 < score <= 1
        assert round(score, 4) == pytest.approx(score, abs=1e-7)


def test_newlines_separate_words(model):
    batch = label(documents("one\ntwo three four", "one two three four"), model=model)
    assert len(set(batch["language_score"].to_pylist())) == 1


def test_a_batch_gives_what_single_documents_give(model):
    texts = [ENGLISH, "", GERMAN, "\x00", "\n\n"]
    alone = [label(documents(text), model=model).to_pylist()[0] for text in texts]
    assert label(documents(*texts), model=model).to_pylist() == alone


def test_dropped_documents_are_not_labelled(model):
    batch = label(documents(ENGLISH, GERMAN, dropped=["too_short", None]), model=model)
    assert batch["language"].to_pylist() == [None, "de"]
    assert label(documents(ENGLISH, dropped=["too_short"]), model=model)["language_score"].to_pylist() == [None]
    assert label(documents(), model=model).schema.names == ["text", "dropped", "language", "language_score"]


def test_a_text_without_a_label_has_no_language():
    silent = SimpleNamespace(predict=lambda texts: ([[] for _ in texts], [[] for _ in texts]))
    batch = label(documents("?"), model=silent)
    assert batch["language"].to_pylist() == [None]
    assert keep_languages(batch, languages=["en"])["dropped"].to_pylist() == ["language"]


def test_other_languages_and_low_scores_are_dropped():
    batch = keep_languages(
        labelled(("en", 0.5), ("en", 0.4999), ("de", 0.9), ("de", 0.1)), languages=["en"], min_score=0.5
    )
    assert batch["dropped"].to_pylist() == [None, "language_score", "language", "language"]


def test_a_limit_means_the_rounded_score():
    batch = keep_languages(labelled(("en", 0.65), ("en", 0.6499)), languages=["en", "de"], min_score=0.65)
    assert batch["dropped"].to_pylist() == [None, "language_score"]


@pytest.mark.parametrize("name", ["dense", "quantized"])
def test_models_of_both_layouts_load(trained, name):
    model = load_language_model(trained / name)
    assert label(documents("yes yes", "no no"), model=model)["language"].to_pylist() == ["a", "b"]


@pytest.mark.parametrize("name", ["dense", "quantized"])
def test_a_model_that_is_cut_is_refused(trained, tmp_path, name):
    content = (trained / name).read_bytes()
    cut = tmp_path / "cut"
    for length in range(0, len(content), 97):
        cut.write_bytes(content[:length])
        with pytest.raises(ValueError, match="fastText model"):
            load_language_model(cut)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda content: b"", "not a fastText model"),
        (lambda content: b"PK" + content, "not a fastText model"),
        (lambda content: content[:4] + b"\x63" + content[5:], "not a fastText model"),
        (lambda content: content + b"\x00", "damaged or cut short"),
        (lambda content: content[:300] + b"\xff" * 50 + content[350:], "damaged or cut short"),
        (lambda content: content[:8] + b"\xff" * 40 + content[48:], "damaged or cut short"),
    ],
)
def test_a_file_that_is_no_model_is_refused(tmp_path, change, sentence):
    path = tmp_path / "model"
    path.write_bytes(change(LID.read_bytes()))
    with pytest.raises(ValueError, match=sentence):
        load_language_model(path)


def test_a_missing_model_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        load_language_model(tmp_path / "absent")


def test_real_pages(model, shared_data):
    with (shared_data / "web/derived-realpages-00000.warc.wet.gz").open("rb") as stream:
        (batch,) = read_wet(stream, collection="test", report=ReadReport())
    batch = keep_languages(label(batch, model=model), languages=["en"])
    kept = [row for row in batch.to_pylist() if row["dropped"] is None]
    assert {row["language"] for row in kept} == {"en"}
    assert (batch.num_rows, len(kept)) == (192, 60)
