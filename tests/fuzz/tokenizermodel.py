"""SentencePiece models, as the tokenizer reads them."""

from collections.abc import Iterator
from pydoc_data.topics import topics

from tests.fuzz._inputs import folder
from tokenizer.model import Model
from tokenizer.train import SETTINGS, train_sentencepiece

MAX_BYTES = 1 << 13


def seeds() -> Iterator[bytes]:
    """A model of few pieces, and one that is refused."""
    lines = [line for text in list(topics.values())[:4] for line in text.split("\n")]
    yield train_sentencepiece(lines, 350, SETTINGS)
    yield train_sentencepiece(lines, 100, {"model_type": "unigram"})


def one_input(data: bytes) -> None:
    """A model that loads tells its pieces; any other is refused with ValueError."""
    path = folder() / "tokenizer.model"
    path.write_bytes(data)
    try:
        model = Model.load(path)
    except ValueError:
        return
    assert len(dict(model.text_pieces())) <= model.pieces
