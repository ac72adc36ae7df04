"""Small literal values for the tests of the core."""

from dataclasses import replace
from datetime import UTC, datetime
from string import ascii_lowercase

from judgestream.core.transforms import Transform
from judgestream.core.types import (
    Candidate,
    CandidateScore,
    Options,
    PassResult,
    Reading,
    Reply,
    Request,
    Status,
    Unread,
    Unreadable,
    Verdict,
)

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
UNREAD = Unreadable(reason=Unread.UNPARSABLE, detail="I cannot say")


def request(
    *,
    mode: str = "pairwise",
    question: str = "Why is the sky blue?",
    answers: tuple[str, ...] = ("Rayleigh scattering.", "It reflects the sea."),
    reference: str | None = None,
    options: Options | None = None,
    request_id: str = "r1",
) -> Request:
    return Request(
        request_id=request_id,
        mode=mode,
        question=question,
        candidates=tuple(
            Candidate(id=name, text=text, system=f"system-{name}")
            for name, text in zip(ascii_lowercase, answers, strict=False)
        ),
        requested_at=NOON,
        reference=reference,
        options=options or Options(),
    )


def reading(win: float, tie: float, lose: float) -> Reading:
    """A pair reading in the request's candidate order."""
    return Reading(means=(5.0 + win, 5.0 + lose), greedy=(6.0, 5.0), win=win, tie=tie, lose=lose)


FIRST, EQUAL, SECOND = reading(0.7, 0.2, 0.1), reading(0.2, 0.6, 0.2), reading(0.1, 0.2, 0.7)


def result(name: str, of: Reading | Unreadable) -> PassResult:
    """A pass by its name on the wire."""
    single = isinstance(of, Reading) and len(of.means) == 1
    transform = Transform.from_name(name, 1 if single else 2)
    return PassResult(transform=transform, reading=of, reply=Reply(text=""))


def verdict(
    *,
    status: Status = Status.SCORED,
    winner: str = "",
    tie: bool = False,
    lengths: tuple[int, ...] = (10, 20),
    passes: tuple[PassResult, ...] = (),
) -> Verdict:
    return Verdict(
        verdict_id="v1",
        request_id="r1",
        mode="pairwise",
        status=status,
        requested_at=NOON,
        judged_at=NOON,
        winner=winner,
        tie=tie,
        scores=tuple(
            CandidateScore(candidate_id="ab"[k], score=5.0, length=length)
            for k, length in enumerate(lengths)
        ),
        passes=passes,
    )


WON = replace(
    verdict(winner="b"),
    p_win=0.1,
    p_tie=0.2,
    p_lose=0.7,
    confidence=0.7,
    flipped=False,
    scores=(
        CandidateScore(candidate_id="a", score=5.5, system="gpt-x", length=10),
        CandidateScore(candidate_id="b", score=None, system="ours", length=20),
    ),
    metadata={"run": "7", "id": "ä"},
    explanation='Said "so",\nthen\rno more.',
)
"""A scored verdict on two systems: one score missing, texts that are hard to print."""
