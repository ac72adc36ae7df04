"""Votes, scores and judgements as their publishers write them: who wins, and when there is no label."""

from math import nan

import pytest

from judgestream.core.formats.base import finish
from judgestream.core.formats.fields import InvalidRecord
from judgestream.core.formats.judge_prompts import judged
from judgestream.core.formats.reasons import Aside, NoLabel
from judgestream.core.types import ReferenceUse
from tests.core.format_rows import ASK, HI, ROWS, WHAT
from tests.core.test_formats import NOON, convert, draft, set_aside

Row = dict[str, object]


def winners(name: str, change: Row) -> tuple[list[str], list[NoLabel]]:
    done = convert(name, ROWS[name] | change)
    return [label.winner for label in done.labels], list(done.unlabelled)


@pytest.mark.parametrize(
    ("word", "winner"),
    [
        ("model_a", "1"),
        ("model_b", "2"),
        ("tie", ""),
        ("tie (bothbad)", ""),
        ("both_bad", ""),
        (1, "1"),
        (2.0, "2"),
        ("2.0", "2"),
        ("A", "1"),
        ("atlas", "1"),
        ("birch", "2"),
    ],
)
def test_arenas_words_for_the_winner(word: object, winner: str) -> None:
    assert winners("arena", {"winner": word}) == ([winner], [])


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        (None, NoLabel.NO_WINNER),
        ("", NoLabel.NO_WINNER),
        (nan, NoLabel.NO_WINNER),
        (0, NoLabel.UNKNOWN_WINNER),
        (3, NoLabel.UNKNOWN_WINNER),
        (True, NoLabel.UNKNOWN_WINNER),
        ("cedar", NoLabel.UNKNOWN_WINNER),
        (["model_a"], NoLabel.UNKNOWN_WINNER),
        (1.5, NoLabel.UNKNOWN_WINNER),
    ],
)
def test_an_unknown_winner_word_gives_no_label(word: object, reason: NoLabel) -> None:
    assert winners("arena", {"winner": word}) == ([], [reason])
    assert winners("pairs", {"winner": word}) == ([], [reason])


def test_a_vote_is_on_the_turns_that_were_seen() -> None:
    more = [{"role": "user", "content": "And?"}, {"role": "assistant", "content": "So."}]
    row: Row = {"conversation_a": [ASK, WHAT, *more], "conversation_b": [ASK, HI, *more]}
    first = convert("arena", ROWS["arena"] | row | {"turn": 1}).request
    assert (first.question, first.candidates[0].text) == ("Hello?", "What.")
    both = convert("arena", ROWS["arena"] | row | {"turn": 2.0}).request
    assert both.question == "Turn 1:\nHello?\n\nTurn 2:\nAnd?"
    assert both.candidates[1].text == "Turn 1:\nGood day.\n\nTurn 2:\nSo."
    assert set_aside("arena", ROWS["arena"] | row | {"turn": 3}) is Aside.NO_ANSWER


def test_an_arena_table_has_one_flag() -> None:
    assert winners("arena-table", {}) == (["2"], [])
    assert winners("arena-table", {"winner_model_b": "0", "winner_tie": "1"}) == ([""], [])
    assert winners("arena-table", {"winner_model_a": 1}) == ([], [NoLabel.UNKNOWN_WINNER])
    assert winners("arena-table", {"winner_model_b": None}) == ([], [NoLabel.NO_WINNER])


class TestJudgelmWithReference:
    """Score [8, 2] without the reference, [2, 8] with it."""

    ROW: Row = ROWS["judgelm"] | {"reference": {"text": "five"}, "score": [8, 2]}
    BOTH = ROW | {"score_w_reference": [2, 8]}

    def label(self, row: Row, use: ReferenceUse | None = None) -> tuple[list[str], ReferenceUse]:
        done = finish(draft("judgelm", row), at=NOON, reference_use=use)
        return [label.winner for label in done.labels], done.request.options.reference_use

    def test_the_label_fits_what_the_judge_is_shown(self) -> None:
        assert self.label(self.BOTH) == (["2"], ReferenceUse.AUTO)
        assert self.label(self.ROW) == (["1"], ReferenceUse.NEVER)
        assert self.label(self.BOTH | {"reference": None}) == (["1"], ReferenceUse.AUTO)

    def test_another_use_takes_the_other_label_or_none(self) -> None:
        assert self.label(self.BOTH, ReferenceUse.NEVER) == (["1"], ReferenceUse.NEVER)
        assert self.label(self.BOTH, ReferenceUse.BOTH) == ([], ReferenceUse.BOTH)
        assert self.label(self.ROW, ReferenceUse.AUTO) == ([], ReferenceUse.AUTO)
        same = self.BOTH | {"score": [1, 3]}
        assert self.label(same, ReferenceUse.BOTH) == (["2"], ReferenceUse.BOTH)
        lost = finish(draft("judgelm", self.ROW), at=NOON, reference_use=ReferenceUse.AUTO)
        assert lost.unlabelled == (NoLabel.OTHER_REFERENCE_USE,)


@pytest.mark.parametrize(
    ("value", "winner"), [(0, ""), (1.0, "1"), ("2", "2"), ("2.0", "2"), ("two", None)]
)
def test_numbers_that_a_table_made_floats_or_text_count(value: object, winner: str | None) -> None:
    if winner is None:
        with pytest.raises(InvalidRecord, match="annotator1: must be 0"):
            convert("pandalm", ROWS["pandalm"] | {"annotator1": value})
    else:
        assert winners("pandalm", {"annotator1": value})[0][0] == winner


@pytest.mark.parametrize(("label", "winner"), [(0, "1"), (1, "2"), (2, ""), (0.0, "1")])
def test_autojs_labels_count_from_nought(label: object, winner: str) -> None:
    assert winners("autoj", {"label": label}) == ([winner], [])


@pytest.mark.parametrize(
    ("preference", "found"),
    [
        (1, ["1"]),
        (2.0, ["2"]),
        (1.4999, ["1"]),
        (1.73, ["2"]),
        (1.5, [""]),
        (0, [""]),
        ("2", ["2"]),
        (None, []),
        (2.5, []),
        (-1, []),
    ],
)
def test_alpaca_evals_preference_is_between_one_and_two(
    preference: object, found: list[str]
) -> None:
    assert winners("alpaca-eval", {"preference": preference})[0] == found


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ("model_1", "model_1", ["1"]),
        ("model_2", "model_2", ["2"]),
        ("tie", "tie", [""]),
        ("model_1", "model_2", [""]),
        ("model_1", "tie", [""]),
        ("error", "model_1", []),
        ("error", "error", []),
    ],
)
def test_mt_bench_wins_in_both_orders_or_ties(first: str, second: str, found: list[str]) -> None:
    assert winners("mt-bench-pairs", {"g1_winner": first, "g2_winner": second})[0] == found


def test_mt_benchs_prompts_give_their_texts_back() -> None:
    pair = convert("mt-bench-pairs", ROWS["mt-bench-pairs"]).request
    assert (pair.question, [c.text for c in pair.candidates]) == ("2 + 2?", ["4", "5"])
    single = draft("mt-bench-single", ROWS["mt-bench-single"])
    assert (single.question, single.candidates[0].text, single.reference) == ("2 + 2?", "4", "four")
    talk = (
        "<|The Start of Assistant {0}'s Conversation with User|>\n\n"
        "### User:\nA?\n\n### Assistant {0}:\n{1}\n\n### User:\nB?\n\n### Assistant {0}:\n{2}\n\n"
        "<|The End of Assistant {0}'s Conversation with User|>"
    )
    found = judged(talk.format("A", "a1", "b1") + "\n\n\n" + talk.format("B", "a2", "b2"), 2)
    assert found is not None and found.question == "Turn 1:\nA?\n\nTurn 2:\nB?"
    assert found.answers == ("Turn 1:\na1\n\nTurn 2:\nb1", "Turn 1:\na2\n\nTurn 2:\nb2")
    assert judged("Which is better?", 2) is None
    marker = str(ROWS["mt-bench-pairs"]["g1_user_prompt"]).replace(
        "\n5\n", "\n[The Start of Assistant C]\n"
    )
    assert judged(marker, 2) is None


def test_only_a_right_and_a_wrong_solution_make_a_label() -> None:
    right, wrong = ({"solution": f"A: {k}", "is_correct": k == 4} for k in (4, 5))
    assert winners("gsm8k", {"6b": wrong, "175b": right}) == (["2"], [])
    assert winners("gsm8k", {"6b": right, "175b": wrong}) == (["1"], [])
    again = right | {"solution": "A:4"}
    assert winners("gsm8k", {"6b": right, "175b": again}) == ([], [NoLabel.EQUAL_SCORES])


def test_a_perturbation_is_metadata_and_not_a_label() -> None:
    done = convert("judgement-bias", ROWS["judgement-bias"])
    assert (done.labels, done.request.metadata) == ((), {"perturb_1": "gender"})
