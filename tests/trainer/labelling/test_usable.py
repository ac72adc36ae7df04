"""A teacher's reply is a judgement, or unusable for a stated reason."""

import pytest

from judgestream.core.templates import CHAT
from judgestream_trainer.data.example import Judgement
from judgestream_trainer.data.teacher import judgement_text
from judgestream_trainer.labelling.journal import Entry
from judgestream_trainer.labelling.usable import judgement_of

GRAMMAR = CHAT.forms["pair"].grammar


@pytest.mark.parametrize(
    ("text", "scores", "explanation"),
    [
        ("7 8\nThe second is better.", (7, 8), "The second is better."),
        ("\n7/10, 8/10\n\nBoth are good.\nReally.\n", (7, 8), "Both are good.\nReally."),
        ("Assistant 1: 9 Assistant 2: 2\nClear.", (9, 2), "Clear."),
        ("5 5", (5, 5), ""),
    ],
)
def test_scores_and_explanation_are_read(
    text: str, scores: tuple[float, float], explanation: str
) -> None:
    result = judgement_of(Entry(key="k", text=text, finish="stop"), GRAMMAR)
    assert result == Judgement(scores=scores, explanation=explanation)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (Entry(key="k", text="  \n"), "empty_reply"),
        (Entry(key="k", text="I'm sorry, but I can't grade these."), "teacher_declined"),
        (Entry(key="k", text="As an AI, I have no opinion."), "teacher_declined"),
        (Entry(key="k", text="The first answer is better.\n8 3"), "unreadable"),
        (Entry(key="k", text="8\nGood."), "unreadable"),
        (Entry(key="k", text="0 8\nBad."), "off_scale"),
        (Entry(key="k", text="7.5 8\nClose."), "off_scale"),
        (Entry(key="k", text="7 8\nBecause the", finish="length"), "cut_off"),
        (Entry(key="k", refused="prompt_too_long", text="8192 tokens"), "prompt_too_long"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_unusable_reply_has_a_reason(entry: Entry, reason: str) -> None:
    assert judgement_of(entry, GRAMMAR) == reason


def test_a_judgement_is_written_as_judgelms_targets_are() -> None:
    assert judgement_text(Judgement(scores=(7.0, 10.0), explanation="So.")) == "7 10\nSo."
