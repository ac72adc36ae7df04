"""Mode `rerank`: its stages, and rankings worked by hand."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgestream.contracts.codecs.verdicts import verdict_from_message, verdict_to_message
from judgestream.core.errors import InvalidRequest, UnsupportedMode
from judgestream.core.modes import MODES, RERANK, check, plan
from judgestream.core.passes import Pass
from judgestream.core.reconcile import Settlement
from judgestream.core.templates import CHAT, CHAT_CHOICE, JUDGELM
from judgestream.core.templates.base import Template
from judgestream.core.types import (
    Candidate,
    Options,
    PassResult,
    Release,
    Reply,
    Request,
    Status,
    Unread,
    Verdict,
)
from judgestream.core.verdict_text import details
from judgestream.core.verdicts import Effort, build_verdict
from judgestream.evaluation.probes import observe
from tests.core.build import NOON

DOCUMENTS = ("Air scatters blue light.", "Bread needs flour.", "The sea is blue, too.")
BM25 = (11.5, 14.0, 3.25)


def request(options: Options | None = None, scores: Sequence[float | None] = BM25) -> Request:
    return Request(
        request_id="r1",
        mode="rerank",
        question="Why is the sky blue?",
        candidates=tuple(
            Candidate(id=f"d{k}", text=text, first_stage_score=scores[k])
            for k, text in enumerate(DOCUMENTS)
        ),
        requested_at=NOON,
        options=options or Options(),
    )


def yes(share: float, *, inside: float = 1.0) -> Reply:
    return Reply(text="yes", score_probs=(share * inside, (1 - share) * inside))


def judged(*shares: float, options: Options | None = None) -> Settlement:
    """The settlement of judgements with these P(yes), in the documents' order."""
    asked = request(options)
    passes = plan(asked, RERANK, CHAT)
    results = [one.result(yes(share)) for one, share in zip(passes, shares, strict=True)]
    assert plan(asked, RERANK, CHAT, results) == ()
    return RERANK.settle(asked, results)


def ranks(settled: Settlement) -> list[tuple[float | None, int]]:
    return [(score.score, score.rank) for score in settled.scores]


def test_every_document_is_judged_alone_and_in_one_stage() -> None:
    passes = plan(request(), RERANK, CHAT)
    assert [one.transform.name for one in passes] == ["order-0", "order-1", "order-2"]
    assert all(one.max_tokens == 0 and not one.is_text for one in passes)
    for one, text in zip(passes, DOCUMENTS, strict=True):
        assert [other for other in DOCUMENTS if other in one.prompt] == [text]
    backwards = replace(request(), candidates=request().candidates[::-1])
    prompts = [one.prompt for one in plan(backwards, RERANK, CHAT)]
    assert prompts == [one.prompt for one in passes][::-1], "the order of documents plays no part"


def test_with_explain_the_query_then_each_document_then_each_judgement() -> None:
    asked = request(Options(explain=True, max_explanation_tokens=40))
    (first,) = plan(asked, RERANK, CHAT)
    assert first.transform.name == "none/analysis" and first.is_text and first.reusable
    assert first.max_tokens == 40 and not any(text in first.prompt for text in DOCUMENTS)

    answered = [first.result(Reply(text="\nThe cause of a colour.\n"))]
    second = plan(asked, RERANK, CHAT, answered)
    assert [one.transform.name for one in second] == [f"order-{k}/analysis" for k in range(3)]
    assert all(one.is_text and not one.reusable for one in second)
    assert all("The cause of a colour.\n=====" in one.prompt for one in second)

    answered += [one.result(Reply(text=f"note {k}")) for k, one in enumerate(second)]
    third = plan(asked, RERANK, CHAT, answered)
    assert [one.transform.name for one in third] == ["order-0", "order-1", "order-2"]
    for k, one in enumerate(third):
        assert "The cause of a colour." in one.prompt and one.max_tokens == 0
        assert [n for n in range(3) if f"note {n}" in one.prompt] == [k]

    answered += [one.result(yes(0.5)) for one in third]
    assert plan(asked, RERANK, CHAT, answered) == ()


def test_the_first_pass_is_the_same_for_other_documents() -> None:
    options = Options(explain=True)
    other = replace(request(options), candidates=request().candidates[:2], request_id="r2")
    assert plan(other, RERANK, CHAT) == plan(request(options), RERANK, CHAT)


def test_the_score_is_the_share_of_yes_and_the_highest_is_first() -> None:
    settled = judged(0.75, 0.125, 0.5)
    assert settled.status is Status.SCORED
    assert ranks(settled) == [(0.75, 1), (0.125, 3), (0.5, 2)]
    assert (settled.winner, settled.tie, settled.confidence) == ("d0", False, None)


def test_mass_outside_yes_and_no_does_not_count() -> None:
    asked = request()
    passes = plan(asked, RERANK, CHAT)
    results = [
        one.result(yes(share, inside=inside))
        for one, share, inside in zip(passes, (0.6, 0.6, 0.2), (1.0, 0.96, 0.96), strict=True)
    ]
    # .576 / (.576 + .384) = .6
    assert ranks(RERANK.settle(asked, results)) == [(0.6, 1), (0.6, 1), (0.2, 3)]


def test_equal_scores_share_a_rank_and_a_shared_first_rank_is_a_tie() -> None:
    settled = judged(0.25, 0.8, 0.8)
    assert ranks(settled) == [(0.25, 3), (0.8, 1), (0.8, 1)]
    assert (settled.winner, settled.tie) == ("", True)
    assert ranks(judged(0.5, 0.25, 0.25)) == [(0.5, 1), (0.25, 2), (0.25, 2)]


def test_differences_within_a_judge_s_rounding_are_ties() -> None:
    assert ranks(judged(0.5, 0.5 + 3e-7, 0.1)) == [(0.5, 1), (0.5, 1), (0.1, 3)]


def test_a_hybrid_is_the_weight_times_the_share_of_yes_plus_the_first_stage_score() -> None:
    # 100 * .75 + 11.5 = 86.5; 100 * .74 + 14 = 88; 100 * .85 + 3.25 = 88.25
    settled = judged(0.75, 0.74, 0.85, options=Options(hybrid_weight=100))
    assert ranks(settled) == [(86.5, 3), (88.0, 2), (88.25, 1)]
    # 2 * .75 + 11.5 = 13; 2 * 0 + 14 = 14; 2 * .85 + 3.25 = 4.95
    assert ranks(judged(0.75, 0.0, 0.85, options=Options(hybrid_weight=2)))[1] == (14.0, 1)


def test_a_document_without_a_first_stage_score_is_refused_for_a_hybrid() -> None:
    asked = request(Options(hybrid_weight=100), scores=(1.0, None, None))
    with pytest.raises(
        InvalidRequest, match=r"first_stage_score .* candidates\[2\] and 1 more lacks"
    ):
        check(asked)
    check(request(scores=(1.0, None, None)))


def test_what_else_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="mode rerank takes no reference answer"):
        check(replace(request(), reference="Rayleigh"))
    one = replace(request(), candidates=request().candidates[:1])
    with pytest.raises(InvalidRequest, match="takes 2 to 100 candidates, not 1"):
        check(one)
    pair = replace(request(), candidates=request().candidates[:2], mode="pairwise")
    with pytest.raises(InvalidRequest, match="options.hybrid_weight is for mode rerank only"):
        check(replace(pair, options=Options(hybrid_weight=1)))


def test_a_judgement_that_cannot_be_read_leaves_the_request_unscored() -> None:
    asked = request()
    passes = plan(asked, RERANK, CHAT)
    replies = [yes(0.5), yes(0.5, inside=0.9), yes(0.5)]
    settled = RERANK.settle(asked, [p.result(r) for p, r in zip(passes, replies, strict=True)])
    assert settled.status is Status.UNSCORED
    assert settled.reason == f"{Unread.OUTSIDE_GRAMMAR}: order-1 (1 of 3 documents)"
    assert ranks(settled) == [(None, 0)] * 3


@given(st.permutations(range(3)), st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_the_order_of_the_documents_moves_no_score_and_no_rank(
    order: list[int], shares: list[float]
) -> None:
    asked = request(Options(hybrid_weight=10))
    moved = replace(asked, candidates=tuple(asked.candidates[k] for k in order))

    def scores(of: Request, shown: Sequence[float]) -> dict[str, tuple[float | None, int]]:
        passes = plan(of, RERANK, CHAT)
        results = [one.result(yes(share)) for one, share in zip(passes, shown, strict=True)]
        settled = RERANK.settle(of, results)
        return {score.candidate_id: (score.score, score.rank) for score in settled.scores}

    assert scores(moved, [shares[k] for k in order]) == scores(asked, shares)


def test_a_judge_of_texts_alone_ranks_by_its_yes_and_no() -> None:
    asked = request()
    passes = plan(asked, RERANK, CHAT_CHOICE)
    results = [
        one.result(Reply(text=t)) for one, t in zip(passes, ("No.", "yes", "no"), strict=True)
    ]
    assert ranks(RERANK.settle(asked, results)) == [(0.0, 2), (1.0, 1), (0.0, 2)]


def test_a_judge_of_numbers_counts_its_scale_from_0_to_1() -> None:
    asked = request()
    passes = plan(asked, RERANK, JUDGELM)
    results = [one.result(Reply(text=t)) for one, t in zip(passes, ("10", " 4", "1"), strict=True)]
    # 10 is 1, 4 is 3/9, 1 is 0
    assert ranks(RERANK.settle(asked, results)) == [(1.0, 1), (0.333333, 2), (0.0, 3)]


def verdict_of(options: Options) -> Verdict:
    asked = request(options)
    results: list[PassResult] = []
    stage: tuple[Pass, ...] = plan(asked, RERANK, CHAT)
    while stage:
        results += [one.result(Reply(text="Notes.") if one.is_text else yes(0.5)) for one in stage]
        stage = plan(asked, RERANK, CHAT, results)
    return build_verdict(
        request=asked,
        mode=RERANK,
        release=Release(
            name="chat-0", checkpoint_digest="00", template_id="chat-v1", max_input_tokens=99
        ),
        results=results,
        effort=Effort(attempts=1, latency_s=0.0, ended_at=NOON),
        verdict_id="v1",
        content_digest="c",
    )


def test_a_verdict_has_every_text_and_survives_the_wire() -> None:
    verdict = verdict_of(Options(explain=True))
    assert verdict.explanation == "Notes." and len(verdict.passes) == 7
    assert verdict_of(Options()).explanation == ""
    published = verdict_from_message(verdict_to_message(verdict))
    assert published.scores == verdict.scores
    assert [one.transform for one in published.passes] == [o.transform for o in verdict.passes]
    assert [one.reading for one in published.passes] == [o.reading for o in verdict.passes]


def test_people_see_the_ranking_and_the_analyses() -> None:
    lines = list(details(verdict_of(Options(explain=True))))
    assert "outcome:         TIE" in lines and "ranking:         d0 = d1 = d2" in lines
    assert "answer d1:       rank 1, score 0.50, 18 characters" in lines
    assert (
        "pass order-1/analysis: Notes." in lines
        and "pass order-1:    means 0.50, greedy 1" in lines
    )


def test_bias_counts_know_no_position() -> None:
    """Each document is judged alone, so there is no order whose change could be counted."""
    counts = observe(verdict_of(Options()))
    assert counts == {"n": 1, "scored": 1}


@pytest.mark.parametrize("template", [CHAT, CHAT_CHOICE, JUDGELM], ids=lambda one: one.id)
def test_a_template_without_a_form_refuses_the_mode_by_name(template: Template) -> None:
    def without(name: str) -> Template:
        forms = {form: value for form, value in template.forms.items() if form != name}
        return Template(id=template.id, forms=forms, markers=template.markers)

    refusal = f"template {template.id} does not support mode rerank: it has no form "
    with pytest.raises(UnsupportedMode, match=refusal + "relevance"):
        plan(request(), RERANK, without("relevance"))
    with pytest.raises(UnsupportedMode, match=refusal + "query_analysis"):
        plan(request(Options(explain=True)), RERANK, without("query_analysis"))
    plan(request(), RERANK, without("query_analysis"))


def test_the_mode_is_a_row_of_the_table() -> None:
    assert MODES["rerank"] is RERANK
