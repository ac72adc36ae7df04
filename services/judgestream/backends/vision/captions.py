"""Captions to the token ids of a CLIP text encoder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from judgestream.core.errors import ConfigurationError
from judgestream.core.templates.image_scorer import SCORER
from judgestream.engine.checkpoint import load_tokens
from judgestream.engine.tokens import Tokens

_LAST_IS_HIGHEST = 2
"""The eos_token_id of older config.json files: transformers then reads a text at its highest id."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Caption:
    """The ids of a caption, start and end included.

    cut   the caption has more tokens than the encoder reads, and these are its beginning
    """

    ids: tuple[int, ...]
    cut: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class CaptionTokens:
    """A tokenizer whose texts have a start and an end. Nothing in a caption becomes a control token.

    limit   the most ids that the encoder reads, start and end included
    """

    start: tuple[int, ...]
    end: int
    limit: int
    _tokens: Tokens

    @classmethod
    def of(cls, folder: Path, *, limit: int, pooled_at: int) -> "CaptionTokens":
        """The folder's tokenizer.

        pooled_at   the model's eos_token_id: where transformers reads the text's vector

        Raises:
            ConfigurationError: the tokenizer does not end a text with the token that the model reads.
        """
        tokens = load_tokens(folder, SCORER)
        framed: list[int] = tokens.tokenizer.encode("a", add_special_tokens=True)
        alone, end = tokens.encoded("a")[0], framed[-1]
        if framed != [*tokens.start, *alone, end] or end in alone:
            raise ConfigurationError(
                f"checkpoint {folder}: its tokenizer turns the ids {alone} of a text into {framed}, where an"
                " image scorer needs one end token behind it: use the tokenizer.json of this model"
            )
        read_at = len(tokens.tokenizer) - 1 if pooled_at == _LAST_IS_HIGHEST else pooled_at
        if end != read_at:
            raise ConfigurationError(
                f"checkpoint {folder}: its tokenizer ends a text with token {end}, but the model reads it at"
                f" token {read_at} (eos_token_id {pooled_at}): use the tokenizer.json and config.json of one"
                " model"
            )
        return cls(start=tokens.start, end=end, limit=limit, _tokens=tokens)

    def caption(self, text: str) -> Caption:
        """The ids of a caption: its beginning, if it is too long."""
        frame = {*self.start, self.end}
        # CLIP has no token for the unknown but the end token, at which the model would stop to read
        ids = [token for token in self._tokens.encoded(text)[0] if token not in frame]
        room = self.limit - len(self.start) - 1
        return Caption(ids=(*self.start, *ids[:room], self.end), cut=len(ids) > room)


def padded(captions: Sequence[Caption], end: int) -> tuple[list[list[int]], list[list[int]]]:
    """Ids and attention mask of captions, filled up behind their ends to the longest."""
    longest = max(len(caption.ids) for caption in captions)
    ids = [[*one.ids, *[end] * (longest - len(one.ids))] for one in captions]
    mask = [[1] * len(one.ids) + [0] * (longest - len(one.ids)) for one in captions]
    return ids, mask
