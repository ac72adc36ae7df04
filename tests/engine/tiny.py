"""Tiny random LLaMA checkpoints with three kinds of tokenizers, made on the spot.

merged   byte-level BPE whose vocabulary has "10" and " 7" as single tokens, BOS in front, as Llama 3
split    BPE with every digit a token and the space before it another; without BOS, as Qwen
spm      SentencePiece BPE with byte fallback, `tokenizer.model` only and sharded `.bin` weights, as
         JudgeLM-7B is published
"""

import io
import json
from pathlib import Path

import torch
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    pre_tokenizers,
    processors,
    trainers,
)
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from judgestream.core.templates import JUDGELM
from judgestream.core.templates.base import Grammar
from judgestream.engine.checkpoint import Checkpoint

PAIR = JUDGELM.forms["pair"].grammar
SINGLE = JUDGELM.forms["single"].grammar
KINDS = ("merged", "split", "spm")


def pair_prompt(question: str, first: str, second: str, reference: str | None = None) -> str:
    return JUDGELM.forms["pair"].render(question, (first, second), reference)


def single_prompt(question: str, answer: str, reference: str) -> str:
    return JUDGELM.forms["single"].render(question, (answer,), reference)


PROMPTS = (
    pair_prompt("What is 2 + 2?", "4", "It is five."),
    pair_prompt("Name a colour.", "Red", "Blue, like the sky on a clear day in June."),
    pair_prompt("Où est Paris ?", "En France, au bord de la Seine.", "Texas", "France"),
    pair_prompt("Say nothing", "", "ok " * 40),
    pair_prompt("你好吗", "很好", "not well \U0001f600"),
)


REPLIES = ("10 1\nyes", "8 7\nno one knows", "1 10\nParis is right", "3 3\nboth", "10 10\n\nall")


def corpus() -> list[str]:
    scores = [f"### Response:{a} {b}\nbecause" for a in range(1, 11) for b in range(1, 11)]
    return [*PROMPTS, *scores * 3, single_prompt("q", "a", "r")]


def make(folder: Path, kind: str, seed: int = 0, max_position_embeddings: int = 2048) -> Path:
    """Write one checkpoint (without a manifest) and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    size = _write_spm(folder) if kind == "spm" else _write_bpe(folder, split=kind == "split")
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=size,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=max_position_embeddings,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
        initializer_range=0.4,  # spread logits: distributions far from uniform
    )
    model = LlamaForCausalLM(config)
    if kind == "spm":
        config.save_pretrained(folder)
        _save_sharded_bin(folder, model)
    else:
        model.save_pretrained(folder)
    return folder


def _write_bpe(folder: Path, *, split: bool) -> int:
    tokenizer = Tokenizer(models.BPE(unk_token=None, byte_fallback=False))
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not split)
    tokenizer.pre_tokenizer = (
        pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.Split(pattern=" ", behavior="isolated"),
                pre_tokenizers.Split(pattern="\n", behavior="isolated"),
                byte_level,
            ]
        )
        if split
        else byte_level
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = [AddedToken(text, special=True) for text in ("<unk>", "<s>", "</s>")]
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    if not split:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", 1)]
        )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)
    return tokenizer.get_vocab_size()


def _write_spm(folder: Path) -> int:
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([line for text in corpus() for line in text.split("\n") if line]),
        model_writer=model,
        vocab_size=420,
        model_type="bpe",
        byte_fallback=True,
        split_digits=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        add_dummy_prefix=True,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        minloglevel=3,
        num_threads=1,
    )
    (folder / "tokenizer.model").write_bytes(model.getvalue())
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>"})
    )
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue()).vocab_size()


def _save_sharded_bin(folder: Path, model: LlamaForCausalLM) -> None:
    state = model.state_dict()
    names = sorted(state)
    halves = (names[: len(names) // 2], names[len(names) // 2 :])
    index: dict[str, str] = {}
    for k, part in enumerate(halves, start=1):
        file = f"pytorch_model-{k:05d}-of-{len(halves):05d}.bin"
        torch.save({name: state[name] for name in part}, folder / file)
        index |= dict.fromkeys(part, file)
    total = sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    (folder / "pytorch_model.bin.index.json").write_text(
        json.dumps({"metadata": {"total_size": total}, "weight_map": index})
    )


def brute_lines(grammar: Grammar) -> list[str]:
    """Every score line of a grammar of one or two labels, row-major."""
    if grammar.count == 1:
        return [grammar.lead + label for label in grammar.labels]
    return [
        grammar.lead + a + grammar.separator + b for a in grammar.labels for b in grammar.labels
    ]


def steps_behind(
    model: PreTrainedModel, ids: list[int], lines: list[list[int]]
) -> dict[tuple[int, ...], Tensor]:
    """Line -> log-probabilities [len(line) + 1, V] of every next token, fp64, by transformers' model.

    Every line is a whole sequence with the prompt. Lines of one length fill a batch, without padding: calls
    with one sequence each take twice as long.
    """
    found = {}
    for length in sorted({len(line) for line in lines}):
        alike = [line for line in lines if len(line) == length]
        for at in range(0, len(alike), 4):
            batch = torch.tensor([[*ids, *line] for line in alike[at : at + 4]])
            with torch.inference_mode():
                logits = model(batch, use_cache=False, logits_to_keep=length + 1).logits
            for line, steps in zip(alike[at : at + 4], logits, strict=True):
                found[tuple(line)] = steps.double().log_softmax(dim=-1)
    return found


def teach(checkpoint: Checkpoint, steps: int = 200) -> None:
    """Overfit a loaded checkpoint, in place, until it answers `PROMPTS` with `REPLIES`."""
    model, tokens = checkpoint.model, checkpoint.tokens
    samples = []
    for prompt, reply in zip(PROMPTS, REPLIES, strict=True):
        ids = tokens.prompt(prompt)
        samples.append((ids, [*tokens.continuation(prompt, reply), min(tokens.eos)]))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(steps):
        losses = []
        for ids, target in samples:
            whole = torch.tensor([[*ids, *target[:-1]]])
            logits = model(whole, use_cache=False, logits_to_keep=len(target)).logits[0]
            losses.append(cross_entropy(logits, torch.tensor(target)))
        loss = torch.stack(losses).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss.item() < 0.004:
            model.requires_grad_(True)
            return
    raise AssertionError(f"the tiny judge has not learned its replies: loss {loss.item():.3f}")
