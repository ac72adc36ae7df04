"""Verdicts from replies, and of requests that could not be judged."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from judgestream.core import limits
from judgestream.core.errors import PromptTooLong
from judgestream.core.identity import content_digest, verdict_id
from judgestream.core.modes import PAIRWISE, plan
from judgestream.core.passes import Pass
from judgestream.core.templates import JUDGELM
from judgestream.core.types import (
    PROBE_KEY,
    Options,
    Release,
    Reply,
    Request,
    Status,
    Unread,
    Unreadable,
    Verdict,
)
from judgestream.core.verdicts import Effort, build_verdict, failed, limited
from tests.core.build import NOON, request

RELEASE = Release(
    name="judgelm-0a1b2c3d", checkpoint_digest="d1", template_id="judgelm-v1", max_input_tokens=2048
)
EFFORT = Effort(attempts=2, latency_s=0.5, ended_at=NOON)


def settled(asked: Request, texts: Sequence[str]) -> Verdict:
    passes: tuple[Pass, ...] = plan(asked, PAIRWISE, JUDGELM)
    replies = [Reply(text=text, input_tokens=100, output_tokens=3) for text in texts]
    content = content_digest(asked)
    return build_verdict(
        request=asked,
        mode=PAIRWISE,
        release=RELEASE,
        results=[one.result(reply) for one, reply in zip(passes, replies, strict=True)],
        effort=EFFORT,
        verdict_id=verdict_id(asked.request_id, RELEASE.name, asked.mode, content),
        content_digest=content,
    )


def test_replies_in_both_orders_become_one_verdict_in_the_requests_order() -> None:
    # straight shows a, b and scores 8 6; swapped shows b, a and scores 5 9: a wins both times
    found = settled(request(), ["8 6", "5 9"])
    assert (found.status, found.winner, found.flipped) == (Status.SCORED, "a", False)
    assert [score.score for score in found.scores] == [8.5, 5.5]
    assert [one.transform.name for one in found.passes] == ["straight", "swapped"]
    assert (found.input_tokens, found.output_tokens) == (200, 6)
    content = content_digest(request())
    assert found.content_digest == content
    assert found.verdict_id == verdict_id("r1", RELEASE.name, "pairwise", content)
    assert (found.release, found.checkpoint_digest, found.template_id) == (
        "judgelm-0a1b2c3d",
        "d1",
        "judgelm-v1",
    )
    assert (found.attempts, found.latency_s, found.judged_at) == (2, 0.5, NOON)
    assert found.requested_at == NOON


def test_a_judge_that_always_prefers_the_first_shown_gives_a_flipped_tie() -> None:
    found = settled(request(), ["8 6", "8 6"])
    assert (found.winner, found.tie, found.flipped) == ("", True, True)


@pytest.mark.parametrize(("explain", "expected"), [(True, "A is right.\n\nB is not."), (False, "")])
def test_the_explanation_is_what_follows_the_score_line(explain: bool, expected: str) -> None:
    asked = request(options=Options(explain=explain))
    found = settled(asked, ["8 6\nA is right.\n\nB is not.\n", "5 9"])
    assert found.explanation == expected


def test_an_unreadable_reply_is_kept_and_the_verdict_unscored() -> None:
    found = settled(request(), ["8 6", "Both are good."])
    assert (found.status, found.reason) == (Status.UNSCORED, "unparsable: swapped")
    assert found.passes[1].reply.text == "Both are good."


def test_every_pass_needs_its_reply() -> None:
    with pytest.raises(ValueError, match="zip"):
        settled(request(), ["8 6"])


def test_a_failed_request_has_the_id_that_its_scored_verdict_would_have() -> None:
    error = PromptTooLong("request 'r1': 4000 tokens; judgelm-0a1b2c3d holds 2048")
    found = failed(
        request_id="r1",
        request=request(),
        requested_at=NOON,
        release=RELEASE,
        error=error,
        effort=EFFORT,
    )
    assert found.verdict_id == settled(request(), ["8 6", "5 9"]).verdict_id
    assert found.status is Status.FAILED
    assert (found.error_class, found.error_message) == ("prompt_too_long", str(error))
    assert (found.winner, found.tie, found.scores) == ("", False, ())


def test_a_verdict_within_its_limits_is_not_copied() -> None:
    whole = settled(request(options=Options(explain=True)), ["8 6\nA is right – mostly.", "5 9"])
    kept, count = limited(whole)
    assert kept is whole
    assert count == 0


def test_only_the_texts_that_are_too_long_are_cut() -> None:
    whole = settled(request(), ["8 6\n" + "x" * limits.REPLIES, "5 9"])
    kept, count = limited(whole)
    assert count == 1
    assert len(kept.passes[0].reply.text.encode()) <= limits.REPLY
    assert kept.passes[0].reading == whole.passes[0].reading
    assert kept.passes[1] is whole.passes[1]
    assert limited(kept) == (kept, 0)


def test_a_probe_refused_for_its_metadata_is_still_marked_as_a_probe() -> None:
    huge = {"x": "y" * (limits.METADATA + 1)}
    plain, _ = limited(replace(settled(request(), ["8 6", "5 9"]), metadata=huge))
    assert plain.metadata == {}
    probe, _ = limited(replace(plain, metadata=huge | {PROBE_KEY: "doctor"}))
    assert probe.is_probe
    assert len(probe.metadata) == 1


def test_the_detail_of_an_unreadable_reply_is_cut() -> None:
    whole = settled(request(), ["8 6", "Both are good."])
    unread = Unreadable(reason=Unread.UNPARSABLE, detail="d" * (limits.DETAIL + 1))
    kept, count = limited(
        replace(whole, passes=(whole.passes[0], replace(whole.passes[1], reading=unread)))
    )
    assert count == 0
    assert isinstance(kept.passes[1].reading, Unreadable)
    assert len(kept.passes[1].reading.detail.encode()) <= limits.DETAIL
