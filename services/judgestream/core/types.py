"""The values that cross every boundary: request, pass, reading, verdict. Glossary: docs/concepts.md."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from judgestream.core.conversation import Focus, Turn, said_length
from judgestream.core.rubric import CriterionScore, Rubric
from judgestream.core.templates.base import Grammar
from judgestream.core.transforms import Transform

PROBE_KEY = "judgestream.probe"
"""Metadata key of requests that only test the pipeline. Their verdicts are excluded from every statistic,
export and training set, and counted as excluded. The value names the sender of the probe."""

FOLLOW_UP = "follow_up"
"""The mode of questions about a judgement. Their verdicts are answers in words, not judgements."""

RERANK = "rerank"
"""The mode that ranks documents, each judged alone. Two of them are not a pair of answers."""


class Orders(StrEnum):
    """The candidate orders that are shown to the judge.

    both        straight and reversed: cancels position bias of two candidates, and measures it
    straight    as given: half the cost, no protection against position bias
    rotations   every candidate stands at every position once: as many orders as candidates
    """

    BOTH = "both"
    STRAIGHT = "straight"
    ROTATIONS = "rotations"


class ReferenceUse(StrEnum):
    """The use of a request's reference answer in the prompts.

    auto    with the reference if the request has one
    never   without it
    both    every order twice, with and without it; all passes have equal weight
    """

    AUTO = "auto"
    NEVER = "never"
    BOTH = "both"


class Status(StrEnum):
    """The kind of a verdict.

    scored      every reply was parsed
    unscored    judged, but a reply could not be parsed: `reason` says why
    failed      not judged: `error_class` says why; the request is in the dead letters
    """

    SCORED = "scored"
    UNSCORED = "unscored"
    FAILED = "failed"


class Unread(StrEnum):
    """Why a reply has no reading. Such a reply counts as neither a tie nor a zero.

    outside_grammar   too much probability outside the allowed scores
    unparsable        the text has no score line of the expected form
    truncated         the reply ended at the token limit before its scores were complete
    other             published by a newer version, for a reason that this version does not know
    """

    OUTSIDE_GRAMMAR = "outside_grammar"
    UNPARSABLE = "unparsable"
    TRUNCATED = "truncated"
    OTHER = "other"


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """One image: its URL, or the bytes of its file (see `core.images`).

    media_type   "" means: as the bytes say
    """

    url: str = ""
    data: bytes = b""
    media_type: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """One answer under judgement. `system` names the model that produced it, if known.

    images              shown before the text
    turns               the conversation under judgement, instead of `text`
    first_stage_score   of a document in mode rerank: the retriever's score, on any scale
    """

    id: str
    text: str = ""
    system: str = ""
    images: tuple[Image, ...] = ()
    turns: tuple[Turn, ...] = ()
    first_stage_score: float | None = None

    @property
    def length(self) -> int:
        """Characters in the answer; of a conversation, in what the assistant says."""
        return said_length(self.turns) if self.turns else len(self.text)


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """A request's choices.

    orders                    the candidate orders to judge
    reference_use             whether the prompts show the reference answer
    explain                   whether the first pass also writes an explanation
    max_explanation_tokens    limit of that explanation, 1 to `limits.EXPLANATION_TOKENS`
    focus                     of conversations: what of them is judged
    pairs                     number of pairs that a tournament judges; 0: all
    hybrid_weight             of P(yes), to which mode rerank adds the first-stage score; None: P(yes) alone
    """

    orders: Orders = Orders.BOTH
    reference_use: ReferenceUse = ReferenceUse.AUTO
    explain: bool = False
    max_explanation_tokens: int = 256
    focus: Focus = Focus.WHOLE
    pairs: int = 0
    hybrid_weight: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A task to judge: a question and candidate answers. `requested_at` is also the verdict's event time.

    images   of the question, shown before its text
    rubric       what the answer is scored for, in mode rubric
    discussion   the judge's reply, then questions about it and its answers, in mode follow_up
    """

    request_id: str
    mode: str
    question: str
    candidates: tuple[Candidate, ...]
    requested_at: datetime
    reference: str | None = None
    options: Options = field(default_factory=Options)
    metadata: Mapping[str, str] = field(default_factory=dict)
    images: tuple[Image, ...] = ()
    rubric: Rubric | None = None
    discussion: tuple[Turn, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """A judge's output for one prompt, before parsing.

    text          the greedily decoded text: the score line, then the explanation if one was requested. Of a
                  judge that reasons first: the first reasoning, the marker, the score line
    score_probs   joint probability of the score labels, row-major over the shown positions (shape
                  `len(labels) ** positions`). It sums to 1 less the mass outside the grammar. For three or
                  more positions, one distribution per position (shape `positions, len(labels)`), each with
                  such a sum. Of a reward model: the answer's value and the margin of a tie. Empty if the
                  judge returns text only.
    latency_s     of the call, in seconds
    cost          in US dollars, at the release's prices; None if it states none
    reasonings    reasonings that `score_probs` is averaged over; 0: the scores came first
    """

    text: str
    score_probs: tuple[float, ...] = ()
    finish_reason: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    latency_s: float = 0.0
    cost: float | None = None
    reasonings: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """A parsed reply. Per-position values are in the order shown to the judge until `passes.restored`
    maps them back to the request's order.

    means            expected score per position, under the joint distribution; empty for a choice
    greedy           the scores in the greedily decoded text (JudgeLM's own field); empty for a choice
    win, tie, lose   P(first > second), P(equal), P(first < second); None unless two candidates compare
    outside          probability mass outside the score grammar, 0 to 1
    values           of a reward model: the shown answer's value and the margin of a tie, in units of log-odds
    p_best           P(the shown candidate is the best of those shown), ties shared equally; empty unless
                     three or more are scored together
    """

    means: tuple[float, ...]
    greedy: tuple[float, ...]
    win: float | None = None
    tie: float | None = None
    lose: float | None = None
    outside: float = 0.0
    values: tuple[float, ...] = ()
    p_best: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Unreadable:
    """A reply that could not be parsed, and the reason."""

    reason: Unread
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class PassResult:
    """One judged pass: its reading, and the raw reply.

    The reading is of the candidates that the pass shows, in the request's order (`transform.shown`).

    grammar   that the reply was read with; None for a published pass
    release   the member of a jury that gave it; "" for a single release
    because_unsure   asked only because earlier passes were unsure, see `core.escalation`
    """

    transform: Transform
    reading: Reading | Unreadable
    reply: Reply
    grammar: Grammar | None = field(default=None, compare=False)
    release: str = ""
    because_unsure: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """One judge checkpoint under one Triton model name: immutable, identified by its digest.

    template        text of the template file that it was installed with; "" for a bundled template
    control_tokens  of its tokenizer, for servers that parse them from a prompt; escaped in texts under
                    judgement
    """

    name: str
    checkpoint_digest: str
    template_id: str
    max_input_tokens: int
    template: str = ""
    control_tokens: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Style:
    """Counts of an answer's style: words, Markdown headers, list items and bold spans."""

    words: int = 0
    headers: int = 0
    list_items: int = 0
    bold: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class CandidateScore:
    """One candidate's score, and its place in a ranking.

    length      `Candidate.length`, for the length probe
    style       of the answer (see `core.style`); None from a version that did not count it
    p_best      P(this candidate is the best), ties shared equally; None in a mode that does not rank
    rank        1 is the best; equal candidates share a rank, and the next one skips (1, 1, 3); 0: no rank
    low, high   95 % interval of the score, where the mode states one
    criteria    by a rubric: the score of each criterion
    passed      whether the answer passes the rubric; None without thresholds
    """

    candidate_id: str
    score: float | None
    system: str = ""
    length: int = 0
    p_best: float | None = None
    rank: int = 0
    low: float | None = None
    high: float | None = None
    criteria: tuple[CriterionScore, ...] = ()
    passed: bool | None = None
    style: Style | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MemberReading:
    """One member's part in a jury's verdict. Its passes are among the verdict's, marked with its release.

    weight    as in the jury's record; 1 for rules that weigh all members alike
    status    failed: the member refused the request, see `error_class`
    The other fields are as on `Verdict`.
    """

    release: str
    status: Status
    checkpoint_digest: str = ""
    template_id: str = ""
    weight: float = 1.0
    reason: str = ""
    error_class: str = ""
    error_message: str = ""
    winner: str = ""
    tie: bool = False
    p_win: float | None = None
    p_tie: float | None = None
    p_lose: float | None = None
    scores: tuple[CandidateScore, ...] = ()
    flipped: bool | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The outcome of one request, judged by one release.

    winner        candidate id; "" for a tie, for a mode without a winner, and unless status is scored
    tie           whether the judge finds the candidates equal
    p_win, p_tie, p_lose   P(first candidate better), P(equal), P(second better), averaged over all passes
    confidence    the largest of the three: the probability of the outcome, or of either side of a draw
    flipped       whether passes in reversed orders prefer different candidates; None without such passes
    latency_s     from the start of the first attempt to the verdict, in seconds
    content_digest   of the request's content (see `identity.content_digest`); "" if it was not decoded
    answers_cut_to   length in characters that every answer was cut to, to fit the judge's context; 0 if
                     none was cut
    method        how the judge judges: "" by score lines, "reward" by one value per answer
    passed           whether the answer passes its rubric; None without thresholds
    cost             in US dollars for all passes; None if no release that was asked states prices
    members          what each member of a jury found; empty for a single release
    both_orders_probability   with which the pair was to be judged in both orders; None if not sampled
    prompt_digest    of what was asked (see `identity.prompt_digest`): verdicts on one prompt are one cluster
                     in every statistic; "" from a version that did not state it
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
    method: str = ""
    passed: bool | None = None
    cost: float | None = None
    members: tuple[MemberReading, ...] = ()
    prompt_digest: str = ""
    both_orders_probability: float | None = None

    @property
    def is_probe(self) -> bool:
        """Whether the request only tested the pipeline."""
        return PROBE_KEY in self.metadata

    @property
    def is_counted(self) -> bool:
        """Whether statistics count it: a judgement, not a probe nor an answer to a question about another."""
        return not self.is_probe and self.mode != FOLLOW_UP


@dataclass(frozen=True, kw_only=True, slots=True)
class Label:
    """One annotator's judgement of one request. An annotator is a person, a teacher model or a program.

    sampling_probability   with which the request was chosen for labelling, above 0 to 1; None: not stated
    passed                 of a request with one answer, instead of winner and tie: whether it is good enough
    """

    label_id: str
    request_id: str
    annotator: str
    labelled_at: datetime
    winner: str = ""
    tie: bool = False
    sampling_probability: float | None = None
    passed: bool | None = None
