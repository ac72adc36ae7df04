"""Prompts of mode `rerank`, and markers that documents and analyses cannot forge."""

import re
from collections.abc import Sequence

import pytest

from judgestream.core.templates import CHAT, CHAT_CHOICE, JUDGELM, JUDGELM_HALVES, messages
from judgestream.core.templates import relevance as forms
from judgestream.core.templates.base import TEXT, Template

QUERY, DOCUMENT = "Why is the sky blue?", "Air scatters blue light most."
CHAT_RELEVANCE = """===== query =====
Why is the sky blue?
===== what the query asks for =====
The cause of a colour.
===== document =====
Air scatters blue light most.
===== what the document contributes =====
It names the cause.
===== end of the material =====

Does the document help to answer the query? Write yes or no and nothing else on the first line."""
NOTES = ("The cause of a colour.", "It names the cause.")


def test_a_chat_judge_sees_query_document_and_both_analyses() -> None:
    prompt = CHAT.forms["relevance"].render(QUERY, (DOCUMENT, *NOTES), None)
    system, user = messages(prompt)
    assert system["content"] == forms.SYSTEM and user["content"] == CHAT_RELEVANCE
    assert CHAT_CHOICE.forms["relevance"].render(QUERY, (DOCUMENT, *NOTES), None) == prompt


def test_without_analyses_their_blocks_are_left_out() -> None:
    prompt = CHAT.forms["relevance"].render(QUERY, (DOCUMENT,), None)
    assert [line for line in prompt.splitlines() if line.startswith("=====")] == [
        "===== query =====",
        "===== document =====",
        "===== end of the material =====",
    ]
    for template in (CHAT, JUDGELM):
        form = template.forms["relevance"]
        assert form.render(QUERY, (DOCUMENT, "", ""), None) == form.render(QUERY, (DOCUMENT,), None)


def test_the_prompts_of_one_query_share_their_beginning_up_to_the_document() -> None:
    for template in (CHAT, JUDGELM):
        form = template.forms["relevance"]
        one, other = (form.render(QUERY, (text, *NOTES), None) for text in ("first", "second"))
        shared = one[: one.index("first")]
        assert other.startswith(shared) and QUERY in shared and NOTES[0] in shared


def test_a_judgelm_judge_scores_the_document_beside_an_empty_answer_with_a_forced_1() -> None:
    form = JUDGELM.forms["relevance"]
    pair = JUDGELM.forms["pair"].render(QUERY, ("", DOCUMENT), None)
    assert form.render(QUERY, (DOCUMENT,), None) == pair + "1"
    asked = f"{QUERY}\n\nWhat the question asks for: {NOTES[0]}"
    shown = f"{DOCUMENT}\n\nWhat this contributes: {NOTES[1]}"
    noted = JUDGELM.forms["pair"].render(asked, ("", shown), None)
    assert form.render(QUERY, (DOCUMENT, *NOTES), None) == noted + "1"


def test_grammars() -> None:
    yes_or_no = CHAT.forms["relevance"].grammar
    assert (yes_or_no.labels, yes_or_no.values) == (("yes", "no"), (1.0, 0.0))
    graded = JUDGELM.forms["relevance"].grammar
    assert graded.lead == " " and graded.labels[3] == "4" and graded.values[3] == 3 / 9
    assert graded.values[0] == 0.0 and graded.values[-1] == 1.0
    halves = JUDGELM_HALVES.forms["relevance"].grammar
    assert halves.labels[1] == "1.5" and halves.values[1] == 0.5 / 9
    for template in (CHAT, JUDGELM):
        assert template.forms["query_analysis"].grammar is TEXT
        assert template.forms["document_analysis"].grammar is TEXT


# Independent readers of frames: letter case and white space do not matter to them.
CHAT_FRAMES = re.compile(
    r"=====\s+(?:query|what\s+the\s+query|document|what\s+the\s+document|end\s+of\s+the\s+material)"
    r"|<<<user\s+message>>>",
    re.IGNORECASE,
)
JUDGELM_FRAMES = re.compile(
    r"\[Question\]|\[The\s+Start\s+of\s+Assistant|\[The\s+End\s+of\s+Assistant|\[System\]|###\s+Response:"
    r"|What\s+the\s+question\s+asks\s+for:|What\s+this\s+contributes:",
    re.IGNORECASE,
)
SHOWN = {"query_analysis": "q", "document_analysis": "qda", "relevance": "qdab"}


@pytest.mark.parametrize(
    ("template", "frames", "marker"),
    [(CHAT, CHAT_FRAMES, marker) for marker in forms.MARKERS]
    + [(JUDGELM, JUDGELM_FRAMES, marker) for marker in forms.JUDGELM_MARKERS],
    ids=lambda part: getattr(part, "id", part),
)
def test_no_text_can_forge_a_frame(
    template: Template, frames: re.Pattern[str], marker: str
) -> None:
    def count(name: str, texts: Sequence[str]) -> int:
        return len(frames.findall(template.forms[name].render(texts[0], texts[1:], None)))

    spaced = marker.replace(" ", "\n")
    for forged in (marker, marker.upper(), spaced, marker + marker, f"x\n\n{marker} 1"):
        for name, shown in SHOWN.items():
            for at in range(len(shown)):
                texts = [forged if k == at else text for k, text in enumerate(shown)]
                assert count(name, texts) == count(name, shown), (name, at, forged)
