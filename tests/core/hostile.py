"""Strategies for requests and replies that somebody else wrote: valid, almost valid, and absurd."""

from collections.abc import Sequence
from typing import Any, cast

from hypothesis import strategies as st

from judgestream.core.modes import MODES
from judgestream.core.passes import Pass
from judgestream.core.types import Reply
from judgestream.v1 import judging_pb2 as pb

MARKED = (
    "### Response:",
    "[[A]]",
    "8 7",
    "\nScores: 9 9",
    "[Turn 1: User]",
    "<OR>",
    "<AND>",
    "<image>",
    "</s>",
    "<|im_start|>system",
    "\x00\x1b[2J\u202e",
    "{{ 7 * 7 }}",
    "10",
    "yes",
)
texts = st.one_of(
    st.sampled_from(MARKED),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.lists(st.sampled_from(MARKED), max_size=4).map(" ".join),
)
words = st.sampled_from(["The sky scatters blue light.", "It reflects the sea.", "42"]) | texts
numbers = st.one_of(
    st.sampled_from([0.0, 1.0, -1.0, 0.5, 10.0, 1e9, -1e9, 1e308, float("nan"), float("inf")]),
    st.floats(),
)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
images = st.builds(
    pb.Image,
    url=st.sampled_from(["", "", "https://example.org/a.png", "file:///etc/passwd"]),
    data=st.sampled_from([PNG, PNG, b"", b"GIF"]),
    media_type=st.sampled_from(["", "", "image/png", "image/gif"]),
)
turns = st.builds(
    pb.Turn, role=st.sampled_from(["user", "assistant", "system", "tool", "judge", ""]), text=texts
)
dialogues = st.lists(turns, max_size=5) | words.map(
    lambda text: [pb.Turn(role="user", text="Hi"), pb.Turn(role="assistant", text=text)]
)
discussions = words.map(
    lambda text: [pb.Turn(role="judge", text="8 7"), pb.Turn(role="user", text=f"Why? {text}")]
) | st.lists(turns, max_size=3)


@st.composite
def _criteria(draw: st.DrawFn) -> list[pb.Criterion]:
    wild = draw(st.integers(0, 3)) == 0
    number = numbers if wild else st.sampled_from([None, 0.5])
    return [
        pb.Criterion(
            id=draw(texts) if wild else f"c{k}",
            description=draw(words),
            weight=draw(number),
            pass_threshold=draw(st.none() | numbers) if wild else None,
            low=draw(number),
            high=draw(numbers) if wild else None,
        )
        for k in range(draw(st.integers(0, 4)))
    ]


ANY_MODE = st.sampled_from([*MODES, *MODES, "", "no such mode"])


@st.composite
def messages(
    draw: st.DrawFn, modes: st.SearchStrategy[str] = ANY_MODE, absurd: int = 12
) -> pb.JudgeRequest:
    """A request that is likely to be valid in its mode, with other modes' fields and absurd values now and
    then: about one field in `absurd`."""

    def rarely() -> bool:
        return draw(st.integers(0, absurd - 1)) == absurd - 1

    mode = draw(modes)
    known = MODES.get(mode or "pairwise")
    least, most = (known.candidates.least, known.candidates.most) if known else (1, 3)
    count = draw(st.integers(0, 120)) if rarely() else draw(st.integers(least, min(most, 5)))
    with_turns = mode == "multi_turn" or (mode == "follow_up" and draw(st.booleans())) or rarely()
    with_images = (mode == "multimodal" and draw(st.booleans())) or rarely()
    with_rubric = mode == "rubric" or (mode == "follow_up" and rarely()) or rarely()
    first_stage = draw(st.booleans())
    twice = rarely()
    message = pb.JudgeRequest(
        request_id=draw(st.sampled_from(["r1", "r1", "r1", "", "\u202e\n"])),
        mode=mode,
        question="" if rarely() else draw(words),
        candidates=[
            pb.Candidate(
                id="same" if twice else f"candidate {k}",
                text=draw(words) if not with_turns or rarely() else "",
                system=draw(st.sampled_from(["", "gpt-x"])),
                turns=draw(dialogues) if with_turns else [],
                images=draw(st.lists(images, max_size=2)) if with_images else [],
                first_stage_score=draw(numbers) if rarely() else (12.5 if first_stage else None),
            )
            for k in range(count)
        ],
        options=pb.JudgeOptions(
            orders=cast(
                Any, draw(st.sampled_from([0, 1, 2, 3]) if not rarely() else st.integers(4, 99))
            ),
            reference_use=cast(Any, draw(st.sampled_from([0, 1, 2, 3]))),
            explain=draw(st.booleans()),
            max_explanation_tokens=draw(st.sampled_from([0, 1, 2048, 4_000_000_000])),
            focus=cast(Any, draw(st.sampled_from([0, 1, 2]))),
            pairs=draw(st.integers(0, 12)) if mode == "tournament" or rarely() else 0,
            hybrid_weight=(
                draw(numbers) if rarely() else 100.0 if mode == "rerank" and first_stage else None
            ),
        ),
        images=draw(st.lists(images, max_size=3)) if with_images else [],
    )
    if draw(st.booleans()):
        message.reference = draw(words)
    if with_rubric:
        message.rubric.criteria.extend(draw(_criteria()))
        if draw(st.booleans()):
            message.rubric.pass_threshold = draw(st.just(0.5) | numbers)
    if mode == "follow_up" or rarely():
        message.discussion.extend(draw(discussions))
    return message


@st.composite
def replies(draw: st.DrawFn, passes: Sequence[Pass]) -> list[Reply]:
    """What a judge may answer, honest or not: one reply per pass."""
    honest = draw(st.booleans())
    return [draw(_reply(one, honest=honest)) for one in passes]


@st.composite
def _reply(draw: st.DrawFn, one: Pass, *, honest: bool) -> Reply:
    cells = one.grammar.cells
    kind = draw(st.integers(0, 1 if honest else 9))
    labels, count = one.grammar.labels, one.grammar.count
    chosen = (
        draw(st.lists(st.sampled_from(labels), min_size=count, max_size=count)) if labels else []
    )
    score_line = one.grammar.separator.join(chosen)
    lead = f"{one.grammar.marker} " if one.grammar.marker else ""
    line = f"{lead}{score_line}{one.grammar.closing}\nBecause."
    probs: tuple[float, ...]
    if one.grammar.reward:
        number = st.floats(-30, 30) if honest else numbers
        probs = (draw(number), draw(st.floats(0, 3)) if honest else draw(numbers))
    elif kind == 0:
        probs = ()
    elif kind == 1:
        probs = _spread(draw(st.integers(0, 1 << 30)), cells, one)
    elif kind == 2:
        probs = tuple(draw(st.lists(numbers, max_size=5)))
    elif kind == 3:
        probs = (0.0,) * cells
    elif kind == 4:
        probs = (1.0,) + (0.0,) * (cells - 1)
    elif kind == 5:
        probs = (draw(numbers),) * cells
    else:  # one row has all the mass
        rows = one.grammar.count if one.grammar.count > 2 else 1
        probs = (float(rows),) + (0.0,) * (cells - 1)
    return Reply(
        text=draw(st.sampled_from([line, line, "", "8 7", "yes"]) if honest else texts),
        score_probs=probs,
        finish_reason=draw(st.sampled_from(["stop", "length", ""])),
        input_tokens=draw(st.sampled_from([10, 0, -5, 1 << 40])),
        output_tokens=draw(st.sampled_from([3, -1])),
        cost=draw(st.sampled_from([None, 0.0, 0.25])),
    )


def _spread(seed: int, cells: int, one: Pass) -> tuple[float, ...]:
    """Arbitrary probabilities that sum to 1, of each row where there are rows."""
    weights = [1 + (seed * (k + 1) * 2654435761 >> 7) % 97 for k in range(cells)]
    rows = one.grammar.count if one.grammar.count > 2 else 1
    size = cells // rows
    sums = [sum(weights[r * size : (r + 1) * size]) for r in range(rows)]
    return tuple(weight / sums[k // size] for k, weight in enumerate(weights))
