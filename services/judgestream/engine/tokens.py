"""Text to token ids and back, exactly as JudgeLM's training tokenised: BOS first, no chat template."""

from dataclasses import dataclass, field

from transformers import PreTrainedTokenizerBase

_CONTEXT = 4
"""Prompt tokens that are decoded with a continuation, so that its first space is not lost."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokens:
    """A tokenizer with the ids that matter here.

    bos   the id that every prompt starts with
    eos   every id that ends a reply
    ends  the ids that end a score line: `eos`, and every token whose text begins with a newline
    """

    tokenizer: PreTrainedTokenizerBase
    bos: int
    eos: frozenset[int]
    ends: frozenset[int] = field(default=frozenset())

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase, *, bos: int, eos: frozenset[int]) -> "Tokens":
        """Find the newline tokens in the vocabulary: one pass, about 10 us per entry."""
        size = len(tokenizer)
        texts = tokenizer.batch_decode([[i] for i in range(size)], skip_special_tokens=False)
        newlines = {i for i, text in enumerate(texts) if text.startswith("\n")}
        return cls(tokenizer=tokenizer, bos=bos, eos=eos, ends=eos | newlines)

    def prompt(self, text: str) -> list[int]:
        """The ids of a prompt, BOS first."""
        return [self.bos, *self._plain(text)]

    def continuation(self, prompt: str, text: str) -> list[int]:
        """The ids that `text` adds right after `prompt`: those of both together less the prompt's own.

        Never the ids of `text` alone: a SentencePiece tokenizer would put a space token in front.

        Raises:
            ValueError: the tokenizer merges the end of the prompt with the start of the text, so
                that there is no such continuation.
        """
        before = self._plain(prompt)
        both = self._plain(prompt + text)
        if both[: len(before)] != before:
            raise ValueError(
                f"the tokenizer merges the prompt's end {prompt[-16:]!r} with {text[:16]!r}"
            )
        return both[len(before) :]

    def text_after(self, prompt_ids: list[int], ids: list[int]) -> str:
        """What `ids` add to the text of a prompt. Special tokens (EOS) have no text."""
        context = prompt_ids[-_CONTEXT:]
        before = self.text(context)
        both = self.text([*context, *ids])
        return both[len(before) :] if both.startswith(before) else self.text(ids)

    def _plain(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False)
        return ids

    def text(self, ids: list[int]) -> str:
        """The text of `ids` alone, special tokens left out."""
        text = self.tokenizer.decode(
            ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text if isinstance(text, str) else "".join(text)
