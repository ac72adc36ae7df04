"""Verdicts that a test gives to a suite's items, as a judge's replies make them."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count

from judgestream.core.identity import content_digest
from judgestream.core.modes import check, for_template, plan
from judgestream.core.passes import Pass
from judgestream.core.templates import TEMPLATES
from judgestream.core.types import PassResult, Release, Reply, Status, Verdict
from judgestream.core.verdicts import Effort, build_verdict
from judgestream.suites.base import Item, Judged

AT = datetime(2026, 1, 2, tzinfo=UTC)

Say = Callable[[Item, int], str]
"""An item and the number of one of its scored passes -> the judge's reply, such as `8 2` or `A`."""


def judged(items: Iterable[Item], say: Say, *, template: str = "chat-choice-v1") -> list[Judged]:
    """The items with the verdicts that follow from these replies."""
    return [Judged(item=item, verdict=verdict(item, say, template=template)) for item in items]


def verdict(item: Item, say: Say, *, template: str = "chat-choice-v1") -> Verdict:
    request = replace(item.request, request_id=item.key, requested_at=AT)
    mode, known = check(request), TEMPLATES[template]
    results: list[PassResult] = []
    scored = count()
    while stage := plan(request, mode, known, results):
        results += [
            one.result(_reply(one, "An analysis." if one.is_text else say(item, next(scored))))
            for one in stage
        ]
    return build_verdict(
        request=request,
        mode=for_template(mode, known),
        release=Release(
            name="r", checkpoint_digest="d", template_id=template, max_input_tokens=9999
        ),
        results=results,
        effort=Effort(attempts=1, latency_s=0.1, ended_at=AT),
        verdict_id=item.key,
        content_digest=content_digest(request),
    )


def _reply(asked: Pass, text: str) -> Reply:
    """A judge's reply with this text, which of a judge that gives values is the value, without a margin."""
    value = (float(text), 0.0) if asked.grammar.reward else ()
    return Reply(text=text, score_probs=value, finish_reason="stop")


def failed(item: Item) -> Judged:
    return Judged(
        item=item,
        verdict=Verdict(
            verdict_id=item.key,
            request_id=item.key,
            mode=item.request.mode,
            status=Status.FAILED,
            requested_at=AT,
            judged_at=AT,
            error_class="prompt_too_long",
        ),
    )
