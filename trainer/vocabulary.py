"""The tokenizer that a manifest names: to read samples and to write text, never to train."""

import hashlib

import sentencepiece

from trainer.errors import ConfigError
from trainer.manifest import Manifest


def load_tokenizer(manifest: Manifest) -> sentencepiece.SentencePieceProcessor:
    """The SentencePiece model. Raises ConfigError when it is not there or not the one that made the tokens."""
    named = manifest.tokenizer
    path = f"{manifest.folder}/{named.path}" if manifest.folder else named.path
    try:
        model: bytes = manifest.filesystem.cat_file(path)
    except OSError:
        raise ConfigError(f"{named.path}: the manifest names this tokenizer, but it cannot be read") from None
    found = hashlib.sha256(model).hexdigest()
    if found != named.sha256:
        raise ConfigError(
            f"{named.path}: not the tokenizer that the manifest names: sha256 {found}, not {named.sha256}"
        )
    tokenizer = sentencepiece.SentencePieceProcessor(model_proto=model)
    if tokenizer.get_piece_size() != named.pieces:
        raise ConfigError(
            f"{named.path}: has {tokenizer.get_piece_size():,} pieces; the manifest says {named.pieces:,}"
        )
    return tokenizer
