"""Training data from the stream itself: requests joined with their labels and verdicts."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from judgestream.contracts.codecs.labels import label_from_message
from judgestream.contracts.codecs.requests import request_from_message
from judgestream.contracts.codecs.verdicts import verdict_from_message
from judgestream.contracts.json_mapping import parsed
from judgestream.core.errors import InvalidRequest
from judgestream.core.formats.fields import Fields, InvalidRecord
from judgestream.core.identity import content_digest
from judgestream.core.images import has_images
from judgestream.core.preference import Preference
from judgestream.core.types import PROBE_KEY, Request, Status, Verdict
from judgestream.evaluation.labels import Ballots, NoGold
from judgestream.v1 import judging_pb2 as pb
from judgestream_trainer.data.example import Example, Judgement
from judgestream_trainer.data.outcomes import Kind, Outcome, Reason, Usable
from judgestream_trainer.data.pairs import decided


@dataclass(frozen=True, kw_only=True, slots=True)
class VerdictSummary:
    """The parts of a verdict that an example needs.

    winner    a candidate id, "" for a tie, None unless scored
    informed  whether the explanation was written with the reference shown
    """

    winner: str | None
    explanation: str
    informed: bool

    @classmethod
    def of(cls, verdict: Verdict) -> "VerdictSummary":
        return cls(
            winner=verdict.winner if verdict.status is Status.SCORED else None,
            explanation=verdict.explanation,
            informed=bool(verdict.passes) and verdict.passes[0].transform.with_reference,
        )


class LabelledRequests:
    """Requests, labels and verdicts, joined by request id.

    The labels are the truth: the scores come from the annotators' majority, by the rule of
    `judgestream agreement` (`evaluation.labels`). This truth holds with and without the reference, so a
    request with a reference gets both judgements. A verdict contributes its explanation only if it agrees
    with the label. It also sets the example's group: `agrees`, `differs`, `unscored`, "" without a verdict.
    """

    def __init__(self) -> None:
        self._requests: dict[str, Request] = {}
        self._ballots = Ballots()
        self._faulty: dict[str, None] = {}
        self._verdicts: dict[str, VerdictSummary] = {}
        self._contents: defaultdict[str, set[str]] = defaultdict(set)
        self._probes: set[str] = set()

    def add(self, part: str, fields: Fields) -> None:
        _PARTS[part](self, fields)

    def add_request(self, fields: Fields) -> None:
        message = parsed(fields, pb.JudgeRequest)
        try:
            request = request_from_message(message)
        except InvalidRequest as exc:
            raise InvalidRecord(f"{fields.place}: {exc}") from exc
        request_id = _id(fields, request.request_id)
        self._requests[request_id] = request
        self._contents[request_id].add(content_digest(request))
        if PROBE_KEY in request.metadata:
            self._probes.add(request_id)

    def add_label(self, fields: Fields) -> None:
        message = parsed(fields, pb.Label)
        try:
            label = label_from_message(message)
        except ValueError as exc:
            fields.reject("labelledAt", str(exc))
        request_id = _id(fields, label.request_id)
        if self._ballots.add(label) is not None:
            self._faulty[request_id] = None

    def add_verdict(self, fields: Fields) -> None:
        """A scored verdict takes precedence; among several scored ones, the last."""
        message = parsed(fields, pb.Verdict)
        try:
            verdict = verdict_from_message(message)
        except ValueError as exc:  # a time outside the calendar, an unknown reason
            raise InvalidRecord(f"{fields.place}: {exc}") from exc
        request_id, judged = _id(fields, verdict.request_id), VerdictSummary.of(verdict)
        if verdict.content_digest:
            self._contents[request_id].add(verdict.content_digest)
        if verdict.is_probe:
            self._probes.add(request_id)
        if judged.winner is not None or request_id not in self._verdicts:
            self._verdicts[request_id] = judged

    def outcomes(self) -> Iterator[Outcome]:
        known = [*self._requests, *self._ballots, *self._faulty, *self._verdicts]
        for request_id in dict.fromkeys(known):
            yield self._outcome(request_id)

    def _outcome(self, request_id: str) -> Outcome:
        request = self._requests.get(request_id)
        if request_id in self._probes:
            return Reason.PROBE
        if request is None:
            return Reason.NO_REQUEST
        if len(request.candidates) != 2 or any(one.turns for one in request.candidates):
            return Reason.NOT_A_PAIR
        if has_images(request):
            return Reason.HAS_IMAGES
        if len(self._contents[request_id]) > 1:
            return Reason.AMBIGUOUS
        candidates = tuple(candidate.id for candidate in request.candidates)
        gold = self._ballots.gold(request_id, candidates)
        if gold.side is None:
            if gold.reason is NoGold.NO_LABEL and request_id in self._faulty:
                return Reason.INVALID_LABEL
            return _REASONS[gold.reason or NoGold.NO_LABEL]
        side, winner = gold.side, gold.side.winner(candidates)
        verdict = self._verdicts.get(request_id)
        by = ", ".join(gold.annotators)
        source = f"request {request_id}, labelled by {by}"
        return Usable(example=_example(request, winner, side, verdict, source))


def _example(
    request: Request, winner: str, side: Preference, verdict: VerdictSummary | None, source: str
) -> Example:
    first, second = request.candidates
    agrees = verdict is not None and verdict.winner == winner
    explained = decided(side, verdict.explanation if verdict is not None and agrees else "")
    bare = decided(side)
    informed: Judgement | None = None
    blind = explained
    if request.reference is not None:
        of_informed = verdict is not None and verdict.informed
        blind, informed = (bare, explained) if of_informed else (explained, bare)
    return Example(
        id=f"request-{request.request_id}",
        question=request.question,
        answers=(first.text, second.text),
        systems=(first.system, second.system),
        reference=request.reference,
        blind=blind,
        informed=informed,
        source=source,
        group=_group(verdict, agrees),
    )


def _group(verdict: VerdictSummary | None, agrees: bool) -> str:
    if verdict is None:
        return ""
    if verdict.winner is None:
        return "unscored"
    return "agrees" if agrees else "differs"


def _id(fields: Fields, request_id: str) -> str:
    if not request_id:
        fields.reject("requestId", "is missing: records are joined by it")
    return request_id


_REASONS = {
    NoGold.NO_LABEL: Reason.NO_LABEL,
    NoGold.NO_MAJORITY: Reason.NO_MAJORITY,
    NoGold.UNKNOWN_WINNER: Reason.UNKNOWN_WINNER,
}

_PARTS: Mapping[str, Callable[[LabelledRequests, Fields], None]] = MappingProxyType(
    {
        "verdicts": LabelledRequests.add_verdict,
        "labels": LabelledRequests.add_label,
        "requests": LabelledRequests.add_request,
    }
)
VERDICTS = Kind(
    name="verdicts",
    summary="the output of `judgestream verdicts export`; joined with labels and requests",
    needs=(("verdictId", "verdict_id"), ("requestId", "request_id")),
    join=LabelledRequests,
)
LABELS = Kind(
    name="labels",
    summary="our own labels (judging.proto: Label) in JSON; joined with requests",
    needs=(("annotator",), ("requestId", "request_id")),
    join=LabelledRequests,
)
REQUESTS = Kind(
    name="requests",
    summary="our own requests (judging.proto: JudgeRequest) in JSON; joined with labels",
    needs=(("question",), ("candidates",)),
    join=LabelledRequests,
)
