"""Verdicts and contributions for the tests of windows."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from judgestream.core.types import Status, Verdict
from tests.core.build import EQUAL, FIRST, SECOND, result, verdict

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LEANS = {"consistent": (FIRST, FIRST), "first": (FIRST, SECOND), "second": (EQUAL, FIRST)}


def judged(
    request: str,
    *,
    status: Status = Status.SCORED,
    minute: float = 0,
    judged_minute: float = 60,
    lean: str = "consistent",
    prompt: str = "",
    release: str = "judge-1",
    content: str = "c",
) -> Verdict:
    """A verdict requested `minute` minutes after noon; without content, that of an undecodable request."""
    straight, swapped = LEANS[lean]
    scored = status is Status.SCORED
    return replace(
        verdict(
            status=status,
            winner="a" if scored else "",
            passes=(result("straight", straight), result("swapped", swapped)) if scored else (),
        ),
        verdict_id=f"{release} {request} {content or 'bytes'}",
        request_id=request,
        release=release,
        requested_at=NOON + timedelta(minutes=minute),
        judged_at=NOON + timedelta(minutes=judged_minute),
        content_digest=content,
        prompt_digest=prompt or (f"about {request}" if content else ""),
    )
