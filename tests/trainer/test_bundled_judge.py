"""The bundled judge, read by the engine: the same scores as plain greedy decoding, on 200 real prompts."""

from itertools import islice

import torch

from judgestream.core.modes import PAIRWISE, plan
from judgestream.core.prompt import Prompt
from judgestream.core.templates import JUDGELM
from judgestream.core.types import Reply
from judgestream.engine.checkpoint import load
from judgestream.engine.judge import Judge
from judgestream_trainer.cards.judging import request_of
from judgestream_trainer.tasks import FAMILIES, items
from tests.paths import JUDGES

TINY = JUDGES / "tiny"


def held_out_prompts(count: int) -> list[Prompt]:
    """Both orders of as many items of every family."""
    each = count // (2 * len(FAMILIES))
    return [
        Prompt(text=one.prompt, grammar=one.grammar)
        for family in FAMILIES.values()
        for item in islice(items(family, seed=41, held_out=True), each)
        for one in plan(request_of(item), PAIRWISE, JUDGELM)
    ]


def test_greedy_scores_equal_those_of_generate_on_200_prompts() -> None:
    checkpoint = load(TINY)
    prompts = held_out_prompts(200)
    assert len(prompts) == 200
    replies = Judge(checkpoint).read(prompts)
    tokens = checkpoint.tokens
    for prompt, reply in zip(prompts, replies, strict=True):
        ids = torch.tensor([tokens.prompt(prompt.text)])
        written = checkpoint.model.generate(  # type: ignore[operator]
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=6,
            pad_token_id=0,
        )[0, ids.shape[1] :].tolist()
        expected = tokens.text_after(ids[0].tolist(), written).split("\n")[0]
        assert isinstance(reply, Reply)
        assert reply.text == expected


def test_scores_do_not_depend_on_row_size_or_other_prompts() -> None:
    checkpoint = load(TINY)
    prompts = held_out_prompts(60)
    long = Judge(checkpoint, row_tokens=16_384).read(prompts)
    short = Judge(checkpoint, row_tokens=1).read(prompts)
    for a, b in zip(long, short, strict=True):
        assert isinstance(a, Reply) and isinstance(b, Reply)
        assert a.text == b.text
        assert max(abs(x - y) for x, y in zip(a.score_probs, b.score_probs, strict=True)) < 1e-5
