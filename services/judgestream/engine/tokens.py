"""Text to token ids and back. A prompt is plain text: nothing in it becomes a control token.

`<|im_end|>`, `<|eot_id|>`, `</s>` or `[INST]` in an answer are tokenised letter by letter, in training and in
judging. Only the markers that the judge's template writes have their own tokens, and text under judgement
cannot contain these (`core.templates.base.marker_escaper`).
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerBase

from judgestream.core.errors import ConfigurationError
from judgestream.core.templates import TEMPLATES, multimodal
from judgestream.core.templates.base import ImageCounts, Template, marker_escaper

_CONTEXT = 4
"""Prompt tokens that are decoded together with a continuation, so that its first space is not lost."""

_MARKUP = re.compile(r"\s*[<\[{].+[>\]}]\s*", re.DOTALL)
"""Added tokens that are not flagged as special but still steer a model, such as `<think>`."""

_BEFORE = ("\n", " ", "a", "1", "\u3002")
"""Texts to put before a piece, to tokenise it as in the middle of a text."""

_NEED_REFERENCE = ("single", multimodal.NAME)
"""Forms that show one answer against a reference."""

Span = tuple[int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokens:
    """A tokenizer with the ids that matter here.

    start    the ids that the tokenizer puts before every prompt: BOS, or nothing
    eos      every id that ends a reply
    ends     the ids that end a score line: `eos`, and every token whose text begins with a newline
    control  ids that no text is ever tokenised to
    parsed   texts of the control tokens that the template writes, and that are tokenised as such
    """

    tokenizer: PreTrainedTokenizerBase
    start: tuple[int, ...]
    eos: frozenset[int]
    ends: frozenset[int] = field(default=frozenset())
    control: frozenset[int] = field(default=frozenset())
    parsed: tuple[str, ...] = ()
    _encoder: Tokenizer = field(repr=False, compare=False)

    @classmethod
    def of(
        cls,
        tokenizer: PreTrainedTokenizerBase,
        *,
        eos: frozenset[int],
        template: Template | None = None,
    ) -> "Tokens":
        """Wrap a tokenizer. Finds its newline tokens in one pass, about 10 us per entry.

        template  of the judge's prompts: only what it writes becomes control tokens; None: what any of the
                  bundled templates writes

        Raises:
            ConfigurationError: the tokenizer adds something other than a prefix to a text.
        """
        size = len(tokenizer)
        texts = tokenizer.batch_decode([[i] for i in range(size)], skip_special_tokens=False)
        newlines = {i for i, text in enumerate(texts) if text.startswith("\n")}
        templates = tuple(TEMPLATES.values()) if template is None else (template,)
        encoder, control, parsed = _text_only(
            tokenizer, _fixed_texts(templates, images=template is not None)
        )
        return cls(
            tokenizer=tokenizer,
            start=start_of(tokenizer),
            eos=eos,
            ends=eos | newlines,
            control=control,
            parsed=parsed,
            _encoder=encoder,
        )

    def with_template(self, template: Template) -> "Tokens":
        """The same tokenizer for prompts of another template."""
        return Tokens.of(self.tokenizer, eos=self.eos, template=template)

    @property
    def parsed_ids(self) -> frozenset[int]:
        """The ids of the control tokens that the template writes."""
        return frozenset(
            number
            for number, token in self.tokenizer.added_tokens_decoder.items()
            if token.content in self.parsed
        )

    def prompt(self, text: str) -> list[int]:
        """The ids of a prompt, `start` included."""
        return [*self.start, *self._plain(text)]

    def encoded(self, text: str) -> tuple[list[int], list[Span]]:
        """The ids of a text without `start`, and per id the characters [from, to) that it covers."""
        encoding = self._encoder.encode(text, add_special_tokens=False)
        ids, spans = list(encoding.ids), list(encoding.offsets)
        if self.control.isdisjoint(ids):
            return ids, spans
        return self._without_control(text, ids, spans)

    def inside(self, text: str) -> list[int]:
        """The ids of a text in the middle of a prompt: without `start`, and without a space in front that
        some tokenizers add. It has no control tokens."""
        return self._inside(text)[0]

    def markup(self, text: str) -> list[int]:
        """The ids of a text that a checkpoint's own template wrote. Its control tokens count as such."""
        return list(self.tokenizer.encode(text, add_special_tokens=False))

    def continuation(self, prompt: str, text: str) -> list[int]:
        """The ids that `text` adds right after `prompt`: those of both together, less the prompt's.

        Not the ids of `text` alone: a SentencePiece tokenizer would put a space token in front.

        Raises:
            ValueError: there is no continuation, because the tokenizer merges the end of the prompt with
                the start of the text.
        """
        return self.continuations(prompt)(text)

    def continuations(self, prompt: str) -> Callable[[str], list[int]]:
        """`continuation` for many texts after one prompt, which is encoded once."""
        before = self._plain(prompt)

        def continuation(text: str) -> list[int]:
            both = self._plain(prompt + text)
            if both[: len(before)] != before:
                raise ValueError(
                    f"the tokenizer merges the prompt's end {prompt[-16:]!r} with {text[:16]!r}"
                )
            return both[len(before) :]

        return continuation

    def text_after(self, prompt_ids: list[int], ids: list[int]) -> str:
        """What `ids` add to the text of a prompt. Special tokens (EOS) have no text."""
        context = prompt_ids[-_CONTEXT:]
        before = self.text(context)
        both = self.text([*context, *ids])
        return both[len(before) :] if both.startswith(before) else self.text(ids)

    def text(self, ids: list[int]) -> str:
        """The text of `ids` alone, special tokens left out."""
        text = self.tokenizer.decode(
            ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text if isinstance(text, str) else "".join(text)

    def escaped(self, text: str) -> str:
        """A text, such as the judge's own, that none of the template's control tokens can be parsed from."""
        return marker_escaper(self.parsed)(text) if self.parsed else text

    def _plain(self, text: str) -> list[int]:
        return self.encoded(text)[0]

    def _without_control(
        self, text: str, ids: Sequence[int], spans: Sequence[Span]
    ) -> tuple[list[int], list[Span]]:
        """The same text without control tokens.

        A vocabulary may have a control token as an ordinary word. Such a word is cut in the middle until
        no control token is left.
        """
        whole: list[int] = []
        where: list[Span] = []
        for number, (left, right) in zip(ids, spans, strict=True):
            if number not in self.control:
                whole.append(number)
                where.append((left, right))
                continue
            if right - left < 2:
                raise ValueError(
                    f"the tokenizer turns the single character {text[left:right]!r} into a control token"
                )
            middle = (left + right) // 2
            for low, high in ((left, middle), (middle, right)):
                more, at = self._inside(text[low:high])
                whole += more
                where += [(low + a, low + b) for a, b in at]
        return whole, where

    def _inside(self, piece: str) -> tuple[list[int], list[Span]]:
        """The ids of a piece as in the middle of a text, without a space in front."""
        for before in _BEFORE:
            alone = self._encoder.encode(before, add_special_tokens=False).ids
            both = self._encoder.encode(before + piece, add_special_tokens=False)
            if both.ids[: len(alone)] == alone and len(both.ids) > len(alone):
                ids = both.ids[len(alone) :]
                spans = [(max(0, a - 1), max(0, b - 1)) for a, b in both.offsets[len(alone) :]]
                break
        else:
            encoding = self._encoder.encode(piece, add_special_tokens=False)
            ids, spans = encoding.ids, encoding.offsets
        if self.control.isdisjoint(ids):
            return list(ids), list(spans)
        return self._without_control(piece, ids, spans)


def start_of(tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """The ids that the tokenizer itself puts before a text, as transformers and vLLM use it.

    The BOS token in config.json does not matter.

    Raises:
        ConfigurationError: the ids of a text are not part of its ids with special tokens.
    """
    alone: list[int] = tokenizer.encode("a", add_special_tokens=False)
    framed: list[int] = tokenizer.encode("a", add_special_tokens=True)
    for at in range(len(framed) - len(alone) + 1):
        if alone and framed[at : at + len(alone)] == alone:
            return tuple(framed[:at])
    raise ConfigurationError(
        f"unsupported tokenizer: it turns the ids {alone} of a text into {framed}; fix the"
        " post_processor of its tokenizer.json"
    )


def _text_only(
    tokenizer: PreTrainedTokenizerBase, fixed: Sequence[str]
) -> tuple[Tokenizer, frozenset[int], tuple[str, ...]]:
    """The same tokenizer without special tokens, padding or truncation, the ids of its control tokens, and
    the texts of the control tokens that it still parses: those in the `fixed` texts of its template.

    It never parses any other control token from a text.
    """

    def written(content: str) -> bool:
        return any(content in text for text in fixed)

    data = json.loads(tokenizer.backend_tokenizer.to_str())
    data |= {"truncation": None, "padding": None, "post_processor": None}
    unknown = tokenizer.unk_token
    named = {
        str(token)
        for token in (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token)
        if token and str(token) != str(unknown)
    }
    control = set()
    parsed = []
    for token in data["added_tokens"]:
        content = token["content"]
        # for the encoder below, "special" means: treat it as text
        steers = bool(token["special"] or content in named or _MARKUP.fullmatch(content))
        token["special"] = steers and not written(content)
        if steers and written(content):
            parsed.append(content)
        if token["special"] and content != unknown:
            control.add(int(token["id"]))
    for name in named:
        number = tokenizer.convert_tokens_to_ids(name)
        if isinstance(number, int) and not written(name):
            control.add(number)
    encoder = Tokenizer.from_str(json.dumps(data))
    encoder.encode_special_tokens = True
    return encoder, frozenset(control), tuple(parsed)


def _fixed_texts(templates: Sequence[Template], *, images: bool) -> tuple[str, ...]:
    """The texts that the templates write around empty answers.

    images   also those with an image, whose token no judge of texts may see
    """
    texts: list[str] = []
    for template in templates:
        if template.fixed:
            texts += template.fixed
            continue
        for name, form in template.forms.items():
            if (
                form.grammar.reward
            ):  # its text is a document, which the chat template turns into tokens
                continue
            single = name in _NEED_REFERENCE
            answers = ("",) if single else ("", "")
            texts += [
                form.render("", answers, ref) for ref in ("", None) if ref is not None or not single
            ]
            if images and form.image_layout is not None:
                one = ImageCounts(question=1, answers=(1,) * len(answers))
                texts.append(form.image_layout("", answers, "", one).text)
    return tuple(texts)
