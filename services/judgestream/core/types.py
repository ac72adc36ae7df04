"""The values that cross every boundary: request, pass, reading, verdict (see the README's glossary)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from judgestream.core.transforms import Transform

PROBE_KEY = "judgestream.probe"
"""Metadata key of requests that only test the pipeline. Their verdicts are left out of every statistic,
export and training set, and counted as left out. The value says who probes."""


class Orders(StrEnum):
    """Which candidate orders are shown to the judge."""

    BOTH = "both"  # straight and swapped: a fair verdict, and the position measurement
    STRAIGHT = "straight"  # as given: half the cost, no protection against position bias


class ReferenceUse(StrEnum):
    """How a request's reference answer enters the prompts."""

    AUTO = "auto"  # with the reference when the request carries one
    NEVER = "never"  # without, even when there is one
    BOTH = "both"  # every order twice, with and without; all passes count alike


class Status(StrEnum):
    SCORED = "scored"
    UNSCORED = "unscored"  # judged, but a reply could not be read: `reason` says why
    FAILED = "failed"  # never judged: `error_class` says why; the request is in the dead letters


class Unread(StrEnum):
    """Why a reply has no reading. Never a tie, never a zero."""

    OUTSIDE_GRAMMAR = "outside_grammar"  # too much probability outside the allowed scores
    UNPARSABLE = "unparsable"  # the text has no score line of the expected form
    TRUNCATED = "truncated"  # the reply ended for length before its scores were complete
    OTHER = (
        "other"  # published by a newer version of ours, for a reason that this one does not know
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """One answer under judgement. `system` names the model that produced it, if known."""

    id: str
    text: str
    system: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    orders: Orders = Orders.BOTH
    reference_use: ReferenceUse = ReferenceUse.AUTO
    explain: bool = False
    max_explanation_tokens: int = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What a producer asks to have judged. `requested_at` is the event time of all that follows."""

    request_id: str
    mode: str
    question: str
    candidates: tuple[Candidate, ...]
    requested_at: datetime
    reference: str | None = None
    options: Options = field(default_factory=Options)
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What a judge returned for one prompt, before any template has read it.

    `score_probs` is the joint probability of the score labels, row-major over the shown positions
    (shape `len(labels) ** positions`), and sums to 1 less the mass outside the grammar; of three and more
    positions it is one distribution per position (shape `positions, len(labels)`), each with that sum.
    Empty from a judge that only writes text. `text` is what greedy decoding writes: the score line, then the
    explanation if one was asked for.
    """

    text: str
    score_probs: tuple[float, ...] = ()
    finish_reason: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    latency_s: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """A reply that could be read. All per-position values are in the order that the judge was shown,
    until `passes.restored` puts them back into the request's order.

    means            expected score per position, under the joint distribution; empty for a choice
    greedy           the scores that plain greedy decoding writes (JudgeLM's own field); empty for a choice
    win, tie, lose   P(first > second), P(equal), P(first < second); None with one score only
    outside          probability mass outside the score grammar, 0 to 1
    """

    means: tuple[float, ...]
    greedy: tuple[float, ...]
    win: float | None = None
    tie: float | None = None
    lose: float | None = None
    outside: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Unreadable:
    """A reply that could not be read, and why."""

    reason: Unread
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class PassResult:
    """One pass as it came back: its reading in the request's candidate order, and the raw reply."""

    transform: Transform
    reading: Reading | Unreadable
    reply: Reply


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """One judge checkpoint under one Triton model name: immutable, known by its digest."""

    name: str
    checkpoint_digest: str
    template_id: str
    max_input_tokens: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CandidateScore:
    """`length` is the answer's size in characters: the length-preference probe needs it."""

    candidate_id: str
    score: float | None
    system: str = ""
    length: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The settled outcome of one request by one release.

    winner        candidate id; "" when tied, when the mode has no winner, and unless status is scored
    tie           True when the judge finds the candidates equal
    p_win, p_tie, p_lose   P(first candidate better), P(equal), P(second better), averaged over all passes
    confidence    the largest of the three: the probability of the outcome, on a draw that of either side
    flipped       True when straight and swapped orders lead to different outcomes; None if not both asked
    latency_s     from the first attempt's start to the settled verdict, seconds
    content_digest   of what was judged (see `identity.content_digest`); "" when it could not be decoded
    answers_cut_to   characters that every answer was cut to, to fit the judge's context; 0: none was cut
    """

    verdict_id: str
    request_id: str
    mode: str
    status: Status
    requested_at: datetime
    judged_at: datetime
    release: str = ""
    checkpoint_digest: str = ""
    template_id: str = ""
    reason: str = ""
    error_class: str = ""
    error_message: str = ""
    winner: str = ""
    tie: bool = False
    scores: tuple[CandidateScore, ...] = ()
    p_win: float | None = None
    p_tie: float | None = None
    p_lose: float | None = None
    confidence: float | None = None
    flipped: bool | None = None
    explanation: str = ""
    passes: tuple[PassResult, ...] = ()
    input_tokens: int = 0
    output_tokens: int = 0
    latency_s: float = 0.0
    attempts: int = 1
    metadata: Mapping[str, str] = field(default_factory=dict)
    content_digest: str = ""
    answers_cut_to: int = 0

    @property
    def is_probe(self) -> bool:
        """Whether this request only tested the pipeline."""
        return PROBE_KEY in self.metadata


@dataclass(frozen=True, kw_only=True, slots=True)
class Label:
    """What one annotator (a person, a teacher model, a computed truth) says about one request."""

    label_id: str
    request_id: str
    annotator: str
    labelled_at: datetime
    winner: str = ""
    tie: bool = False
