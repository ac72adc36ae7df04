"""Control tokens of a tokenizer in texts under judgement: written so that no server parses them.

Our own engine tokenises a prompt as text (`engine.tokens`) and needs none of this. vLLM and the servers
behind chat endpoints parse `<|im_end|>` or `</s>` wherever it stands, so such text is changed before they
see it.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from judgestream.core.conversation import Turn
from judgestream.core.rubric import Rubric
from judgestream.core.templates.base import marker_escaper
from judgestream.core.types import Candidate, Request

WELL_KNOWN = (
    *("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|end_of_text|>", "<|begin_of_text|>"),
    *("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|eom_id|>", "<|python_tag|>"),
    *(
        "<|system|>",
        "<|user|>",
        "<|assistant|>",
        "<|end|>",
        "<|start|>",
        "<|message|>",
        "<|channel|>",
    ),
    *("<|return|>", "<|call|>", "<|constrain|>", "<|start_of_role|>", "<|end_of_role|>"),
    *("<|START_OF_TURN_TOKEN|>", "<|END_OF_TURN_TOKEN|>", "<|USER_TOKEN|>", "<|CHATBOT_TOKEN|>"),
    *("<|SYSTEM_TOKEN|>", "<|header_start|>", "<|header_end|>", "<|eot|>"),
    *("<s>", "</s>", "<unk>", "<bos>", "<eos>", "<pad>", "<start_of_turn>", "<end_of_turn>"),
    *("[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "<<SYS>>", "<</SYS>>"),
    *("<\uff5cUser\uff5c>", "<\uff5cAssistant\uff5c>"),
    *("<\uff5cbegin\u2581of\u2581sentence\uff5c>", "<\uff5cend\u2581of\u2581sentence\uff5c>"),
    *("<think>", "</think>", "[THINK]", "[/THINK]", "<tool_call>", "</tool_call>"),
)
"""Control tokens of the model families behind chat endpoints, whose tokenizers are not available here."""


def without_control_tokens(request: Request, tokens: Sequence[str]) -> Request:
    """The request with every control token in its texts escaped; itself where there is none.

    The escaped form has a space behind the token's first character: `<|im_end|>` becomes `< |im_end|>`.
    """
    if not tokens:
        return request
    once = marker_escaper(tokens)

    def escape(text: str) -> str:
        while (changed := once(text)) != text:  # one token may begin inside another
            text = changed
        return text

    def turns(given: tuple[Turn, ...]) -> tuple[Turn, ...]:
        return tuple(replace(turn, text=escape(turn.text)) for turn in given)

    def candidate(given: Candidate) -> Candidate:
        return replace(given, text=escape(given.text), turns=turns(given.turns))

    changed = replace(
        request,
        question=escape(request.question),
        candidates=tuple(map(candidate, request.candidates)),
        reference=None if request.reference is None else escape(request.reference),
        discussion=turns(request.discussion),
        rubric=request.rubric and _rubric(request.rubric, escape),
    )
    return request if changed == request else changed


def _rubric(rubric: Rubric, escape: Callable[[str], str]) -> Rubric:
    return replace(
        rubric,
        criteria=tuple(
            replace(criterion, description=escape(criterion.description))
            for criterion in rubric.criteria
        ),
    )
