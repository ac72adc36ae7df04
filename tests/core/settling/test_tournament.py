"""Tournaments: the drawn pairs, and their ranking."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations, permutations

import pytest

from judgestream.contracts.codecs.verdicts import verdict_from_message, verdict_to_message
from judgestream.core.errors import InvalidRequest, UnsupportedMode
from judgestream.core.modes import TOURNAMENT, check
from judgestream.core.modes import plan as planned
from judgestream.core.modes.tournament import cycles, pairs_of
from judgestream.core.passes import Pass
from judgestream.core.reconcile import Settlement
from judgestream.core.settling.tournament import settle_tournament
from judgestream.core.templates import CHAT_CHOICE, JUDGELM
from judgestream.core.templates.base import Template
from judgestream.core.types import Options, Orders, ReferenceUse, Release, Reply, Request, Status
from judgestream.core.verdicts import Effort, build_verdict
from judgestream.evaluation.probes import observe
from tests.core.build import NOON, request

WORTH = {"poor": 2, "fair": 5, "good": 7, "best": 9}
RELEASE = Release(name="r", checkpoint_digest="d", template_id="judgelm-v1", max_input_tokens=9)


def asked(answers: Sequence[str] = tuple(WORTH), **options: object) -> Request:
    return request(
        mode="tournament",
        answers=tuple(answers),
        options=Options(**options),  # type: ignore[arg-type]
    )


def reply(one: Pass, wanted: Request, worth: Mapping[str, int] = WORTH) -> Reply:
    """A judge that scores what is written, in shown order."""
    shown = one.transform.apply([candidate.text for candidate in wanted.candidates])
    return Reply(text=" ".join(str(worth[text]) for text in shown))


def settled(wanted: Request, template: Template = JUDGELM) -> Settlement:
    passes = planned(wanted, TOURNAMENT, template)
    return settle_tournament(wanted, [one.result(reply(one, wanted)) for one in passes])


def names(wanted: Request) -> list[str]:
    return [one.transform.name for one in planned(wanted, TOURNAMENT, JUDGELM)]


def test_all_pairs_in_both_orders_by_default() -> None:
    assert names(asked(("a", "b", "c"))) == [
        *("order-0-1", "order-0-2", "order-1-0"),
        *("order-1-2", "order-2-0", "order-2-1"),
    ]
    assert names(asked(("a", "b", "c"), orders=Orders.STRAIGHT)) == [
        *("order-0-1", "order-0-2", "order-1-2")
    ]
    assert len(names(asked([str(k) for k in range(16)]))) == 240
    with_reference = replace(asked(reference_use=ReferenceUse.BOTH), reference="R")
    assert len(names(with_reference)) == 24


def test_a_pass_shows_its_two_answers_only() -> None:
    passes = planned(asked(), TOURNAMENT, JUDGELM)
    shown = passes[1]  # order-0-2
    assert shown.prompt == JUDGELM.forms["pair"].render(
        "Why is the sky blue?", ("poor", "good"), None
    )
    assert "fair" not in shown.prompt


@pytest.mark.parametrize("count", range(3, 17))
def test_every_number_of_pairs_connects_all_candidates_and_is_balanced(count: int) -> None:
    every = cycles(range(count))
    assert sorted(every) == list(combinations(range(count), 2))
    for wanted in range(count - 1, len(every) + 1):
        drawn = every[:wanted]
        joined = {0}
        while grown := {k for pair in drawn if joined & set(pair) for k in pair} - joined:
            joined |= grown
        assert joined == set(range(count))
        played = [sum(k in pair for pair in drawn) for k in range(count)]
        assert max(played) - min(played) <= 2


def test_the_drawn_pairs_depend_on_the_content_only() -> None:
    wanted = asked(pairs=4)
    drawn = pairs_of(wanted)
    assert len(drawn) == 4
    assert pairs_of(replace(wanted, request_id="other")) == drawn
    others = {pairs_of(replace(wanted, question=str(k))) for k in range(20)}
    assert len(others) > 1
    assert pairs_of(asked(pairs=99)) == pairs_of(asked()) == tuple(combinations(range(4), 2))


def test_too_few_pairs_are_refused() -> None:
    wanted = asked(pairs=2)
    with pytest.raises(InvalidRequest, match="options.pairs is 2: 4 candidates need at least 3"):
        check(wanted)
    assert check(asked(pairs=3)) is TOURNAMENT


def test_a_consistent_judge_ranks_by_worth() -> None:
    found = settled(asked())
    assert [one.rank for one in found.scores] == [4, 3, 2, 1]
    scores = [one.score or 0.0 for one in found.scores]
    # every candidate beats all that are worse, so by symmetry the strengths mirror
    assert scores[3] == pytest.approx(-scores[0]) and scores[2] == pytest.approx(-scores[1])
    assert scores[3] > scores[2] > 0
    for one in found.scores:
        assert one.low is not None and one.high is not None and one.score is not None
        assert one.low < one.score < one.high
        assert one.score - one.low == pytest.approx(one.high - one.score)
    assert (found.winner, found.tie, found.flipped) == ("d", False, False)
    assert found.confidence == found.scores[3].p_best
    assert sum(one.p_best or 0.0 for one in found.scores) == pytest.approx(1)


def test_permuted_candidates_have_a_permuted_ranking() -> None:
    places = []
    for order in permutations(WORTH):
        found = settled(asked(order))
        places.append({text: one.rank for text, one in zip(order, found.scores, strict=True)})
    assert places == [{"poor": 4, "fair": 3, "good": 2, "best": 1}] * 24


def test_a_judge_that_always_prefers_the_first_ranks_nobody() -> None:
    wanted = asked()
    passes = planned(wanted, TOURNAMENT, JUDGELM)
    found = settle_tournament(wanted, [one.result(Reply(text="9 2")) for one in passes])
    assert [one.rank for one in found.scores] == [1, 1, 1, 1]
    assert [one.p_best for one in found.scores] == pytest.approx([0.25] * 4)
    # the two orders, each by itself, have opposite winners
    assert (found.winner, found.tie, found.flipped) == ("", True, True)


def test_an_unreadable_pass_costs_its_pair_only() -> None:
    wanted = asked()
    passes = planned(wanted, TOURNAMENT, JUDGELM)
    results = [one.result(reply(one, wanted)) for one in passes]
    at = [one.transform.name for one in passes].index("order-3-0")
    results[at] = passes[at].result(Reply(text="I cannot say"))
    found = settle_tournament(wanted, results)
    both = [one for one in results if set(one.transform.order) != {0, 3}]
    assert len(both) == len(results) - 2
    assert found.scores == settle_tournament(wanted, both).scores
    assert (found.status, found.winner, found.reason) == (Status.SCORED, "d", "")


def test_candidates_that_nothing_connects_are_unscored() -> None:
    wanted = asked(pairs=3)
    passes = planned(wanted, TOURNAMENT, JUDGELM)
    results = [one.result(reply(one, wanted)) for one in passes]
    results[0] = passes[0].result(Reply(text="I cannot say"))
    found = settle_tournament(wanted, results)
    assert (found.status, found.winner) == (Status.UNSCORED, "")
    assert found.reason == f"unparsable: {passes[0].transform.name}"
    assert [one.rank for one in found.scores] == [0, 0, 0, 0]


def test_judges_that_choose_can_hold_a_tournament() -> None:
    wanted = asked()
    passes = planned(wanted, TOURNAMENT, CHAT_CHOICE)
    results = []
    for one in passes:
        first, second = one.transform.apply(list(WORTH.values()))
        results.append(one.result(Reply(text="A" if first > second else "B")))
    assert [one.rank for one in settle_tournament(wanted, results).scores] == [4, 3, 2, 1]


def test_a_template_without_pairs_refuses_the_mode_by_name() -> None:
    single = replace(JUDGELM, id="t", forms={"single": JUDGELM.forms["single"]})
    with pytest.raises(UnsupportedMode, match="template t does not support mode tournament"):
        planned(asked(), TOURNAMENT, single)


def test_the_verdict_survives_the_wire() -> None:
    wanted = asked(pairs=4)
    passes = planned(wanted, TOURNAMENT, JUDGELM)
    verdict = build_verdict(
        request=wanted,
        mode=TOURNAMENT,
        release=RELEASE,
        results=[one.result(reply(one, wanted)) for one in passes],
        effort=Effort(attempts=1, latency_s=0.0, ended_at=NOON),
        verdict_id="v",
        content_digest="c",
    )
    published = verdict_from_message(verdict_to_message(verdict))
    assert [one.transform for one in published.passes] == [one.transform for one in passes]
    assert published.scores == verdict.scores


def test_a_tournament_that_prefers_what_it_sees_first_counts_as_position_bias() -> None:
    wanted = asked()
    passes = planned(wanted, TOURNAMENT, JUDGELM)
    verdict = build_verdict(
        request=wanted,
        mode=TOURNAMENT,
        release=RELEASE,
        results=[one.result(Reply(text="9 2")) for one in passes],
        effort=Effort(attempts=1, latency_s=1.0, ended_at=NOON),
        verdict_id="v",
        content_digest="c",
    )
    published = verdict_from_message(verdict_to_message(verdict))
    for one in (verdict, published):
        assert observe(one) == {"n": 1, "scored": 1, "ordered": 1, "toward_first": 1}
