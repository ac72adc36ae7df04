"""Conversion of `tokenizer.model` (the only tokenizer that JudgeLM publishes) to a fast tokenizer.

transformers can convert such a file, but with sentencepiece's generated protobuf module, which needs a newer
protobuf runtime (7) than gRPC and our own protocols allow (6). This module reads pieces and scores with
SentencePiece's own reader instead, without protobuf.
"""

import json
from pathlib import Path

from sentencepiece import SentencePieceProcessor
from tokenizers import Tokenizer, decoders, normalizers, processors
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from judgestream.core.errors import ConfigurationError

SPACE = "\u2581"

PROBES = (
    "[The Start of Assistant 1's Answer]\nParis, 1889.\n\n[The End of Assistant 1's Answer]\n\n",
    "### Response:10 7\nBoth  are \u00e9quivalents \u2013 \u4f60\u597d\t\U0001f600",
    " 8.5 and  10/10\r\n\u00a0x",
)


def convert(folder: Path) -> PreTrainedTokenizerBase:
    """The folder's SentencePiece BPE model as a LLaMA tokenizer.

    Raises:
        ConfigurationError: the model cannot be read, or the conversion is not exact: some probe text gets
            other ids than from SentencePiece itself.
    """
    path = folder / "tokenizer.model"
    try:
        model = SentencePieceProcessor(model_file=str(path))
    except (OSError, RuntimeError) as error:
        raise ConfigurationError(f"checkpoint {folder}: {path.name} is damaged: {error}") from error
    pieces = [model.id_to_piece(i) for i in range(model.vocab_size())]
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    scores = {
        piece: model.get_score(i)
        for i, piece in enumerate(pieces)
        if not (model.is_control(i) or model.is_unknown(i) or model.is_byte(i))
    }
    backend = Tokenizer(
        BPE(
            vocab=vocabulary,
            merges=merges(scores),
            unk_token=pieces[model.unk_id()],
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    # SentencePiece's order: add one space in front, then replace every space by a visible one.
    backend.normalizer = normalizers.Sequence(
        [normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)]
    )
    backend.decoder = decoders.Sequence(
        [
            decoders.Replace(SPACE, " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(content=" ", left=1, right=0),
        ]
    )
    bos = pieces[model.bos_id()] if model.bos_id() >= 0 else None
    if bos is not None and _adds_bos(folder):
        backend.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, model.bos_id())]
        )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        unk_token=pieces[model.unk_id()],
        bos_token=bos,
        eos_token=pieces[model.eos_id()] if model.eos_id() >= 0 else None,
    )
    for text in PROBES:
        ours, theirs = tokenizer.encode(text, add_special_tokens=False), model.encode(text)
        if ours != theirs:
            raise ConfigurationError(
                f"checkpoint {folder}: {path.name} is not a plain BPE model: the converted tokenizer gives"
                f" {ours} for {text!r}, SentencePiece {theirs}; add a correct tokenizer.json to the folder"
            )
    return tokenizer


def _adds_bos(folder: Path) -> bool:
    """Whether prompts start with BOS: yes, as with transformers' LLaMA tokenizer, unless
    tokenizer_config.json has `add_bos_token: false`."""
    try:
        config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return True
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"checkpoint {folder}: tokenizer_config.json cannot be read ({error}); copy it again"
        ) from error
    return not (isinstance(config, dict) and config.get("add_bos_token") is False)


def merges(scores: dict[str, float]) -> list[tuple[str, str]]:
    """BPE merge rules from scored pieces: SentencePiece merges the pair whose union scores highest.

    Every way to split a piece into two pieces is a rule, ranked by the piece's score.
    """
    ranked = sorted(scores, key=lambda piece: -scores[piece])
    return [
        (piece[:cut], piece[cut:])
        for piece in ranked
        for cut in range(1, len(piece))
        if piece[:cut] in scores and piece[cut:] in scores
    ]
