"""The tokenizer of judges trained from nothing: byte-level BPE, single digits, one token per fixed piece of
the template.

The prompt's text stays JudgeLM's, byte for byte; its fixed text costs about 6 tokens instead of 250. Any text
can be tokenised, since all 256 bytes are in the vocabulary.
"""

from collections.abc import Iterable
from itertools import combinations

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from judgestream.core.templates import JUDGELM

UNK, BOS, EOS = "<unk>", "<s>", "</s>"
# private-use characters: no template contains them
_HOLES = ("\ue000", "\ue001", "\ue002", "\ue003")


def fixed_pieces() -> tuple[str, ...]:
    """The template's text around question, reference and answers."""
    render = JUDGELM.forms["pair"].render
    question, first, second, reference = _HOLES
    pieces: dict[str, None] = {}
    for shown in (None, reference):
        text = render(question, (first, second), shown)
        for hole in _HOLES:
            text = text.replace(hole, "\x00")
        pieces.update(dict.fromkeys(piece for piece in text.split("\x00") if piece))
    fixed = tuple(pieces)
    for first, second in combinations(fixed, 2):
        if first in second or second in first:
            raise ValueError(f"template pieces contain each other: {first!r} and {second!r}")
    return fixed


def train_tokenizer(
    texts: Iterable[str], *, vocab_size: int, max_tokens: int
) -> PreTrainedTokenizerFast:
    """A tokenizer with merges learned from `texts`, in the form that transformers loads.

    `<s>` comes first in every encoding. The fixed pieces are ordinary added tokens, not special ones: they
    stay in the text when it is decoded.
    """
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    core.decoder = decoders.ByteLevel()
    pieces = fixed_pieces()
    core.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocab_size - len(pieces),
            special_tokens=[UNK, BOS, EOS],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    core.add_tokens([AddedToken(piece, normalized=False, special=False) for piece in pieces])
    core.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", special_tokens=[(BOS, core.token_to_id(BOS))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        unk_token=UNK,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=UNK,
        model_max_length=max_tokens,
        clean_up_tokenization_spaces=False,
    )
