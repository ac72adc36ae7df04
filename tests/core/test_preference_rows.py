"""Preference rows in every published form: where the question ends, which answer wins, and when none does."""

import pytest

from judgestream.core.formats.reasons import Aside, NoLabel
from tests.core.test_formats import convert, set_aside

Row = dict[str, object]


def said(*texts: str, first: str = "user") -> list[dict[str, str]]:
    """Messages by user and assistant in turn."""
    roles = ("user", "assistant") if first == "user" else ("assistant", "user")
    return [{"role": roles[k % 2], "content": text} for k, text in enumerate(texts)]


def hh(*texts: str) -> str:
    names = ("Human", "Assistant")
    return "".join(f"\n\n{names[k % 2]}: {text}" for k, text in enumerate(texts))


def read(row: Row, name: str = "trl") -> tuple[str, str, str, list[str]]:
    """Question, chosen and rejected answer, winners."""
    done = convert(name, row)
    answers = {candidate.id: candidate.text for candidate in done.request.candidates}
    winners = [label.winner for label in done.labels]
    return done.request.question, answers["chosen"], answers["rejected"], winners


PLAIN = ("Name a planet with rings.", "Saturn.", "The Moon.", ["chosen"])


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": PLAIN[0], "chosen": PLAIN[1], "rejected": PLAIN[2]},
        {"prompt": PLAIN[0], "chosen": said(*PLAIN[:2]), "rejected": said(PLAIN[0], PLAIN[2])},
        {
            "prompt": f" {PLAIN[0]}\n",
            "chosen": said(*PLAIN[:2]),
            "rejected": said(PLAIN[0], PLAIN[2]),
        },
        {
            "prompt": PLAIN[0],
            "chosen": said(PLAIN[1], first="assistant"),
            "rejected": said(PLAIN[2], first="assistant"),
        },
        {
            "prompt": said(PLAIN[0]),
            "chosen": said(PLAIN[1], first="assistant"),
            "rejected": said(PLAIN[2], first="assistant"),
        },
        {
            "prompt": said(PLAIN[0]),
            "chosen": said(*PLAIN[:2]),
            "rejected": said(PLAIN[0], PLAIN[2]),
        },
        {"prompt": said(PLAIN[0]), "chosen": PLAIN[1], "rejected": PLAIN[2]},
        {"chosen": said(*PLAIN[:2]), "rejected": said(PLAIN[0], PLAIN[2])},
        {"chosen": hh(*PLAIN[:2]), "rejected": hh(PLAIN[0], PLAIN[2])},
        {"prompt": hh(PLAIN[0], "").rstrip(), "chosen": PLAIN[1], "rejected": PLAIN[2]},
        {
            "prompt": PLAIN[0],
            "chosen": f"{PLAIN[0]} {PLAIN[1]}",
            "rejected": f"{PLAIN[0]} {PLAIN[2]}",
        },
        {
            "question": PLAIN[0],
            "chosen": PLAIN[1],
            "rejected": PLAIN[2],
            "score_chosen": 9,
            "score_rejected": 1.0,
        },
        {
            "conversations": [{"from": "human", "value": PLAIN[0]}],
            "chosen": {"from": "gpt", "value": PLAIN[1]},
            "rejected": {"from": "gpt", "value": PLAIN[2]},
        },
        {
            "prompt": PLAIN[0],
            "prompt_id": "x",
            "messages": said(*PLAIN[:2]),
            "chosen": said(*PLAIN[:2]),
            "rejected": said(PLAIN[0], PLAIN[2]),
            "score_chosen": 8.5,
            "score_rejected": 8.0,
        },
        {
            "prompt": PLAIN[0],
            "chosen": '[{"role": "assistant", "content": "Saturn."}]',
            "rejected": '[{"role": "assistant", "content": "The Moon."}]',
        },
    ],
)
def test_every_published_form_of_a_row_is_the_same_request(row: Row) -> None:
    assert read(row) == PLAIN


def test_earlier_turns_belong_to_the_question() -> None:
    opening = said("Hi.", "Hello!", PLAIN[0])
    row: Row = {"chosen": [*opening, *said(PLAIN[1], first="assistant")]}
    row["rejected"] = [*opening, *said(PLAIN[2], first="assistant")]
    question, *answers = read(row)
    assert question == f"User:\nHi.\n\nAssistant:\nHello!\n\nUser:\n{PLAIN[0]}"
    assert answers == [PLAIN[1], PLAIN[2], ["chosen"]]
    assert read(row | {"prompt": PLAIN[0]})[0] == question
    assert read(row | {"prompt": "Hi."})[0] == question
    row = {
        "chosen": hh("Hi.", "Hello!", *PLAIN[:2]),
        "rejected": hh("Hi.", "Hello!", PLAIN[0], PLAIN[2]),
    }
    assert read(row)[0] == question


def test_answers_over_the_same_turns_of_the_user_are_numbered() -> None:
    row: Row = {"chosen": said("A?", "a1", "B?", "b1"), "rejected": said("A?", "a2", "B?", "b2")}
    assert read(row) == (
        "Turn 1:\nA?\n\nTurn 2:\nB?",
        "Turn 1:\na1\n\nTurn 2:\nb1",
        "Turn 1:\na2\n\nTurn 2:\nb2",
        ["chosen"],
    )


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (
            {"prompt": "Other?", "chosen": said("Q?", "a"), "rejected": said("Q?", "b")},
            Aside.PROMPT_DIFFERS,
        ),
        (
            {"prompt": said("Other?"), "chosen": said("Q?", "a"), "rejected": said("Q?", "b")},
            Aside.PROMPT_DIFFERS,
        ),
        (
            {"prompt": said("Q?"), "chosen": said("Q?", "a"), "rejected": said("P?", "b")},
            Aside.PROMPT_DIFFERS,
        ),
        ({"chosen": said("Q?", "a"), "rejected": said("P?", "b")}, Aside.NO_PROMPT),
        ({"chosen": "The sky is blue.", "rejected": "The sky is green."}, Aside.NO_PROMPT),
        ({"chosen": hh("Q?", "a"), "rejected": "b"}, Aside.NO_PROMPT),
        (
            {"chosen": said("Q?", "a", "R?", "c"), "rejected": said("Q?", "b", "S?", "d")},
            Aside.USER_IN_ANSWER,
        ),
        ({"chosen": said("Q?", "a"), "rejected": said("Q?")}, Aside.NO_ANSWER),
        ({"chosen": said("Q?"), "rejected": said("Q?")}, Aside.NO_ANSWER),
    ],
)
def test_where_the_reading_is_not_certain_the_row_is_set_aside(row: Row, reason: Aside) -> None:
    assert set_aside("trl", row) is reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"rejected": PLAIN[1]}, NoLabel.IDENTICAL_ANSWERS),
        ({"rejected": f"{PLAIN[1]}\n"}, NoLabel.IDENTICAL_ANSWERS),
        ({"score_chosen": 7, "score_rejected": 7.0}, NoLabel.EQUAL_SCORES),
        ({"score_chosen": 2, "score_rejected": 8.5}, NoLabel.SCORES_CONTRADICT),
        ({"chosen_rating": "2", "rejected_rating": "4.5"}, NoLabel.SCORES_CONTRADICT),
    ],
)
def test_a_row_that_names_no_winner_is_judged_without_a_label(change: Row, reason: NoLabel) -> None:
    row: Row = {"prompt": PLAIN[0], "chosen": PLAIN[1], "rejected": PLAIN[2]}
    done = convert("trl", row | change)
    assert (done.labels, done.unlabelled) == ((), (reason,))
    assert done.request.question == PLAIN[0]


def test_identical_conversations_keep_their_answer() -> None:
    row: Row = {"chosen": said("Q?", "a"), "rejected": said("Q?", "a")}
    assert read(row) == ("Q?", "a", "a", [])


@pytest.mark.parametrize(
    "given",
    [
        {"messages": said(PLAIN[0]), "tools": [], "parallel_tool_calls": True},
        said(PLAIN[0]),
        PLAIN[0],
    ],
)
def test_openais_preference_rows_are_read(given: object) -> None:
    row: Row = {
        "input": given,
        "preferred_output": said(PLAIN[1], first="assistant"),
        "non_preferred_output": said(PLAIN[2], first="assistant"),
    }
    assert read(row, "openai-preference") == PLAIN
    swapped = row | {"preferred_output": said(PLAIN[0], PLAIN[1])}
    assert set_aside("openai-preference", swapped) is Aside.USER_IN_ANSWER


class TestReplies:
    ASK: Row = {"messages": said("Weather in Oslo?")}

    def answers(self, *replies: object) -> list[str]:
        done = convert("openai", self.ASK | {"choices": list(replies)})
        return [candidate.text for candidate in done.request.candidates]

    def test_a_refusal_and_a_tool_call_are_answers(self) -> None:
        refusal = {"message": {"role": "assistant", "content": None, "refusal": "I will not."}}
        call = {
            "id": "c",
            "type": "function",
            "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
        }
        called = {"message": {"role": "assistant", "content": None, "tool_calls": [call]}}
        part = {"message": {"content": [{"type": "refusal", "refusal": "I will not."}]}}
        assert self.answers(refusal, called) == [
            "I will not.",
            'Tool call: weather({"city": "Oslo"})',
        ]
        assert self.answers(part, "x")[0] == "I will not."

    def test_a_reply_without_anything_is_set_aside_and_an_empty_text_is_an_answer(self) -> None:
        nothing = {"message": {"role": "assistant", "content": None}}
        assert set_aside("openai", self.ASK | {"choices": ["x", nothing]}) is Aside.NO_ANSWER
        assert self.answers("x", "") == ["x", ""]

    def test_an_image_is_set_aside(self) -> None:
        image = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]
        assert set_aside("openai", {"messages": image, "choices": ["a", "b"]}) is Aside.NOT_TEXT
