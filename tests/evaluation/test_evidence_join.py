"""The join behind the evidence: any order, any number of deliveries, and what takes no part."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judgestream.core.known_answers import NAME_KEY, OF_KEY, PERTURBED_KEY
from judgestream.core.transforms import Transform
from judgestream.core.types import (
    PROBE_KEY,
    CandidateScore,
    Label,
    MemberReading,
    PassResult,
    Reading,
    Reply,
    Status,
    Verdict,
)
from judgestream.evaluation import evidence_join
from judgestream.evaluation.evidence_join import EvidenceJoin, reduced
from judgestream.evaluation.gate import Evidence, paired_item

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NEW, OLD, BEST = "new", "old", "best"
SCORES = (CandidateScore(candidate_id="x", score=7.0), CandidateScore(candidate_id="y", score=6.0))


def verdict(release: str, request_id: str, winner: str = "x", **fields: object) -> Verdict:
    given: dict[str, object] = dict(
        verdict_id=f"{release}-{request_id}",
        request_id=request_id,
        mode="pairwise",
        status=Status.SCORED,
        requested_at=NOW,
        judged_at=NOW,
        release=release,
        winner=winner,
        tie=not winner,
        scores=SCORES,
        content_digest=f"content of {request_id}",
        prompt_digest=f"prompt of {request_id}",
        latency_s=1.0,
    )
    return Verdict(**{**given, **fields})  # type: ignore[arg-type]  # of mixed types


def failed(release: str, request_id: str) -> Verdict:
    return verdict(
        release, request_id, "", tie=False, status=Status.FAILED, scores=(), error_class="too_old"
    )


def label(request_id: str, winner: str = "x", annotator: str = "ann", at: int = 0) -> Label:
    return Label(
        label_id=f"{request_id}-{annotator}",
        request_id=request_id,
        annotator=annotator,
        labelled_at=NOW + timedelta(seconds=at),
        winner=winner,
    )


def join(**changes: object) -> EvidenceJoin:
    made: dict[str, object] = {"baselines": {"stable": OLD}, "since": NOW}
    return EvidenceJoin(NEW, **{**made, **changes})  # type: ignore[arg-type]


def evidence(of: EvidenceJoin, baseline: str = "stable") -> Evidence:
    of.look()
    (found,) = (one.evidence for one in of.comparisons() if one.baseline == baseline)
    return found


def fed(records: Sequence[Verdict | Label], **changes: object) -> EvidenceJoin:
    made = join(**changes)
    for record in records:
        made.label(record) if isinstance(record, Label) else made.verdict(record)
    return made


RECORDS: Sequence[Verdict | Label] = [
    *(verdict(NEW, f"r{k}", "xy"[k % 2]) for k in range(6)),
    *(verdict(OLD, f"r{k}", "x") for k in range(1, 8)),
    failed(NEW, "r7"),
    verdict(BEST, "r2", "y"),
    label("r1", "x"),
    label("r1", "y", "other", at=1),
    label("r1", "y", "third", at=1),
    label("r2", "x", at=5),
    label("r2", "y", at=1),  # older than the one before
    label("r7", "x"),
]


@settings(max_examples=60, deadline=None)
@given(st.permutations([*RECORDS, *RECORDS[:9], *RECORDS[-4:]]))
def test_order_and_redeliveries_change_nothing(records: list[Verdict | Label]) -> None:
    found = evidence(fed(records))
    assert found == evidence(fed(RECORDS))
    assert found.tallies["scored"].items == {"r1", "r2", "r3", "r4", "r5", "r7"}
    assert found.tallies["labels"].items == {"r1", "r2", "r7"}
    # r1: the majority says y, as the new judge; r2: the latest vote is x, as both; r7: only the old
    assert (found.tallies["labels"].gained, found.tallies["labels"].lost) == (1, 1)
    assert (found.tallies["scored"].gained, found.tallies["scored"].lost) == (0, 1)


@settings(max_examples=30, deadline=None)
@given(st.permutations(RECORDS), st.integers(1, 5))
def test_looks_in_between_change_nothing_but_the_votes_that_came_too_late(
    records: list[Verdict | Label], every: int
) -> None:
    made = join()
    for count, record in enumerate(records):
        made.label(record) if isinstance(record, Label) else made.verdict(record)
        if count % every == 0:
            made.look()
    found, whole = evidence(made), evidence(fed(RECORDS))
    assert found.tallies["scored"].items == whole.tallies["scored"].items
    assert found.tallies["labels"].items == whole.tallies["labels"].items


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ([verdict(NEW, "r", content_digest="")], "no_content"),
        ([verdict(NEW, "r", judged_at=NOW - timedelta(seconds=1))], "earlier"),
        ([verdict(NEW, "r"), verdict(OLD, "r", content_digest="other")], "ambiguous"),
        ([label("", "x")], "bad_label"),
        ([label("r", "")], "bad_label"),
    ],
)
def test_what_takes_no_part_is_counted(records: list[Verdict | Label], reason: str) -> None:
    made = fed([*records, verdict(OLD, "r")])
    assert made.counts[reason] == 1
    assert not evidence(made).tallies["scored"].items


def test_other_releases_probes_of_doctor_and_follow_ups_are_ignored() -> None:
    made = fed(
        [
            verdict("third", "r1"),
            verdict(NEW, "r2", metadata={PROBE_KEY: "doctor"}),
            verdict(OLD, "r2", metadata={PROBE_KEY: "doctor"}),
            verdict(NEW, "r3", mode="follow_up"),
            verdict(OLD, "r3", mode="follow_up"),
        ]
    )
    assert not evidence(made).tallies["scored"].items
    assert not +made.counts


def test_an_id_that_turns_out_ambiguous_takes_no_part_though_it_was_paired() -> None:
    other = verdict(OLD, "r", mode="multi", content_digest="other")
    assert (
        not evidence(fed([verdict(NEW, "r"), verdict(OLD, "r"), label("r"), other]))
        .tallies["scored"]
        .items
    )


def test_a_scored_verdict_replaces_a_failed_one_before_the_look() -> None:
    made = fed([failed(NEW, "r"), verdict(NEW, "r"), verdict(OLD, "r")])
    assert evidence(made).tallies["scored"].lost == 0


def test_each_baseline_has_its_own_evidence() -> None:
    made = fed(RECORDS, baselines={"stable": OLD, "best": BEST})
    assert evidence(made).tallies["scored"].items > evidence(made, "best").tallies["scored"].items
    assert evidence(made, "best").tallies["scored"].items == {"r2"}


def test_a_label_that_comes_after_the_look_counts_for_the_labels_only() -> None:
    made = fed([verdict(NEW, "r"), verdict(OLD, "r", "y")])
    assert not evidence(made).tallies["labels"].items
    before = evidence(made).tallies["scored"]
    made.label(label("r"))
    assert evidence(made).tallies["labels"].gained == 1
    assert evidence(made).tallies["scored"] == before


def test_a_probe_counts_for_its_guard_once_the_verdicts_on_its_request_are_known() -> None:
    marks = {
        PROBE_KEY: "known answers",
        NAME_KEY: "fake-reference",
        OF_KEY: "r",
        PERTURBED_KEY: "y",
    }
    records = [
        verdict(NEW, "p", "x", metadata=marks),
        verdict(OLD, "p", "x", metadata=marks),
        verdict(NEW, "r"),
        verdict(OLD, "r"),
    ]
    waiting = fed(records[:3])
    assert not evidence(waiting).tallies["known_answers"].items
    waiting.verdict(records[3])
    found = evidence(waiting)
    assert found.tallies["known_answers"].items == {"p"}
    assert found.tallies["scored"].items == {"r"}
    assert found == evidence(fed(records))


def test_memory_is_bounded_and_drops_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence_join, "MOST_LABELLED", 5)
    made = join(most_open=10, most_items=8)
    for k in range(30):
        made.verdict(verdict(OLD, f"alone {k}"))
    for k in range(30):
        made.verdict(verdict(NEW, f"unpaired {k}"))
    for k in range(12):
        made.verdict(verdict(NEW, f"r{k}"))
        made.verdict(verdict(OLD, f"r{k}"))
        made.label(label(f"r{k}"))
    assert len(evidence(made).tallies["scored"].items) == 8
    assert made.counts["unshadowed"] == 30
    assert made.counts["unpaired"] == 30
    assert made.counts["labels"] == 7
    assert made.counts["surplus"] == 4


STRAIGHT = Transform.from_name("straight", 2)


def orders(*, win: float, swapped_win: float) -> tuple[PassResult, ...]:
    """Both orders of a pair, with P(first candidate wins) in each."""
    return tuple(
        PassResult(
            transform=transform,
            reading=Reading(means=(7.0, 6.0), greedy=(7, 6), win=p, tie=0.0, lose=1.0 - p),
            reply=Reply(text="7 6"),
        )
        for transform, p in ((STRAIGHT, win), (STRAIGHT.reversed, swapped_win))
    )


RANKED = (*SCORES, CandidateScore(candidate_id="z", score=5.0))
MEMBER = MemberReading(release="m", status=Status.SCORED)


@pytest.mark.parametrize(
    ("fields", "consistent"),
    [
        pytest.param({"passes": orders(win=0.9, swapped_win=0.8)}, True, id="consistent"),
        pytest.param({"passes": orders(win=0.9, swapped_win=0.2)}, False, id="not consistent"),
        pytest.param(
            {"passes": orders(win=0.9, swapped_win=0.8), "members": (MEMBER,)}, None, id="jury"
        ),
        pytest.param({"scores": RANKED, "mode": "rerank", "winner": "x"}, None, id="ranking"),
    ],
)
def test_what_is_kept_of_a_verdict_gives_the_same_item(
    fields: dict[str, object], consistent: bool | None
) -> None:
    new, old = (verdict(release, "a", **fields) for release in (NEW, OLD))  # type: ignore[arg-type]
    whole = paired_item(new, old)
    assert paired_item(reduced(new), reduced(old)) == whole
    assert whole.new.consistent is consistent
