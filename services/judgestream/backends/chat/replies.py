"""Parsing of a chat endpoint's responses into replies.

Endpoints differ in everything that the protocol leaves open, and some violate it. Parsing raises nothing:
what is unreadable becomes an empty text or a distribution of zeros, that is, an unreadable reading, which is
counted as such.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import exp, inf

from judgestream.backends.chat.message import ChatMessage
from judgestream.backends.label_logprobs import TOLERANT, Step, certain, joint, written
from judgestream.core import limits
from judgestream.core.parsing import parse_labels, scores_of
from judgestream.core.prompt import Prompt
from judgestream.core.templates.base import Grammar
from judgestream.core.types import Reply

_TAGS = "think|thinking|thought|thoughts|reasoning|reflection|analysis"
_THOUGHT = re.compile(rf"<({_TAGS})>.*?</\1>|\[THINK\].*?\[/THINK\]", re.S | re.I)
_OPENED_BY_THE_TEMPLATE = re.compile(rf"\A.*(?:</(?:{_TAGS})>|\[/THINK\])", re.S | re.I)
_NOT_CLOSED = re.compile(
    rf"\A\s*(?:<(?:{_TAGS})>|\[THINK\]).*\Z|^[ \t]*(?:<think(?:ing)?>|\[THINK\]).*\Z",
    re.S | re.I | re.M,
)
_CHANNELS = re.compile(r"\A.*<\|channel\|>final<\|message\|>|<\|(?:end|return)\|>\s*\Z", re.S)
_FENCE = re.compile(r"^\s*(?:```|~~~)\w*\s*$", re.M)

# spellings of white space in the tokens of some servers
_SPELLINGS = str.maketrans({"\u2581": " ", "\u0120": " ", "\u010a": "\n"})


def reply_of(message: ChatMessage, prompt: Prompt, *, asked: int, latency_s: float) -> Reply:
    """The reply to this prompt.

    asked  alternatives per token that were requested; where fewer are shown, the hidden ones are assumed
           to be distributed like the shown ones
    """
    content = message.content
    text = visible_text(content)
    if not prompt.max_tokens and prompt.reasoning is None:
        text = _first_line(text)
    grammar = prompt.grammar
    labels = parse_labels(text, grammar)
    scores = scores_of(text, grammar)
    probs = _probabilities(message.logprobs, content, scores, grammar, labels, asked)
    cut = message.cut and (prompt.max_tokens > 0 or labels is None)
    return Reply(
        text=limits.cut(text, limits.REPLY) if prompt.reasoning is None else text,
        score_probs=probs,
        finish_reason="length" if cut else "stop",
        input_tokens=message.input_tokens,
        output_tokens=message.output_tokens,
        latency_s=latency_s,
    )


def visible_text(content: str) -> str:
    """The reply after the thinking, without code fences and leading empty lines."""
    text = _CHANNELS.sub("", content)
    text = _THOUGHT.sub("", text)
    text = _OPENED_BY_THE_TEMPLATE.sub("", text)
    text = _NOT_CLOSED.sub("", text)
    return _FENCE.sub("", text).lstrip("\r\n\t \ufeff").rstrip()


def steps_of(logprobs: object, asked: int) -> list[Step]:
    """The protocol's `logprobs.content`; [] where any part of it is malformed.

    A token that is missing from its own alternatives is added. For `asked` see `reply_of`.
    """
    content = logprobs.get("content") if isinstance(logprobs, Mapping) else None
    if not isinstance(content, Sequence) or isinstance(content, str | bytes):
        return []
    steps = [_step(entry, asked) for entry in content]
    return [step for step in steps if step is not None] if None not in steps else []


def _step(entry: object, asked: int) -> Step | None:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("token"), str):
        return None
    token = entry["token"].translate(_SPELLINGS)
    shown = entry.get("top_logprobs")
    alternatives: dict[str, float] = {}
    given = [item for item in shown if isinstance(item, Mapping)] if isinstance(shown, list) else []
    for item in (*given, entry):
        name, share = item.get("token"), _probability(item.get("logprob"))
        if isinstance(name, str) and share is not None:
            alternatives.setdefault(name.translate(_SPELLINGS), share)
    total = sum(alternatives.values())
    if total > 1.01:
        return None
    if total <= 0:
        return Step(token=token, alternatives={token: 1.0})
    if len(given) < asked:
        alternatives = {name: share / total for name, share in alternatives.items()}
    return Step(token=token, alternatives=alternatives)


def _probability(logprob: object) -> float | None:
    if isinstance(logprob, bool) or not isinstance(logprob, int | float | str):
        return None
    try:
        number = float(logprob)
    except (ValueError, OverflowError):
        return None
    if number != number or number == inf:
        return None
    return exp(min(number, 0.0))


def _probabilities(
    logprobs: object,
    content: str,
    text: str,
    grammar: Grammar,
    labels: tuple[int, ...] | None,
    asked: int,
) -> tuple[float, ...]:
    """From the log-probabilities if they belong to the line that was read; else all mass on that line.

    text  the reply from its score line on; "" where it has no marker
    """
    steps = _at_the_line(steps_of(logprobs, asked), content, text)
    grammar = replace(grammar, marker="")
    if labels is None:
        return joint(steps, grammar) if steps else certain(text, grammar)
    spelled = written(steps, grammar, TOLERANT)
    if spelled == tuple(grammar.labels[at] for at in labels):
        return joint(steps, grammar, skip=TOLERANT)
    return certain(text, grammar)


def _at_the_line(steps: Sequence[Step], content: str, text: str) -> list[Step]:
    """The steps from the score line to the end; [] if they do not spell this reply."""
    line = _first_line(text)
    whole = "".join(step.token for step in steps)
    spelt = whole.rfind(content.strip())
    at = content.strip().rfind(text.strip())
    if not line or spelt < 0 or at < 0:
        at = whole.rfind(line) if line and whole.count(line) == 1 else -1
        spelt = 0
    if at < 0:
        return []
    start, end = spelt + at, 0
    for k, step in enumerate(steps):
        end += len(step.token)
        if end > start:
            return list(steps[k:])
    return []


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")
