"""Probe requests: which requests get one, what it looks like, and that it is the same every time."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from judgestream.core.checks import request_problem
from judgestream.core.conversation import Turn
from judgestream.core.known_answers import (
    KNOWN_ANSWERS,
    NAME_KEY,
    OF_KEY,
    PERTURBED_KEY,
    Effect,
    Pairing,
    allowed,
    probe_request,
    probes_of,
)
from judgestream.core.preference import Preference
from judgestream.core.types import PROBE_KEY, Candidate, Image, Options, Orders, Request

TEXT = (
    "The tower stands in Paris and was opened in 1889. It is 330 metres tall. "
    "For forty years nothing that people had built was taller than this tower of iron."
)
REQUEST = Request(
    request_id="r1",
    mode="pairwise",
    question="Tell me about the tower.",
    candidates=(
        Candidate(id="a", text=TEXT, system="model-a"),
        Candidate(id="b", text=f"I think: {TEXT}", system="model-b"),
    ),
    requested_at=datetime(2026, 11, 26, tzinfo=UTC),
    options=Options(orders=Orders.STRAIGHT, explain=True),
    metadata={"tenant": "t"},
)


@pytest.mark.parametrize("name", KNOWN_ANSWERS)
def test_a_probe_is_marked_valid_and_the_same_every_time(name: str) -> None:
    known = KNOWN_ANSWERS[name]
    probe = probe_request(known, REQUEST, 7)
    assert probe is not None and probe == probe_request(known, REQUEST, 7)
    made = probe.request
    assert request_problem(made) == ""
    assert made.request_id.startswith(f"probe-{name}-")
    assert made.metadata == {
        "tenant": "t",
        PROBE_KEY: "known-answer",
        NAME_KEY: name,
        OF_KEY: "r1",
        PERTURBED_KEY: probe.perturbed,
    }
    assert {one.system for one in made.candidates} == {""}
    assert made.requested_at == REQUEST.requested_at
    assert not made.options.explain
    by_id = {one.id: one.text for one in made.candidates}
    if known.effect is Effect.MIRRORED:
        assert [one.id for one in made.candidates] == ["b", "a"]
    elif known.pairing is Pairing.RIVAL:
        assert list(by_id) == ["a", "b"]
        assert made.options.orders is Orders.STRAIGHT  # as the control was judged
        same = next(one for one in REQUEST.candidates if one.id != probe.perturbed)
        assert by_id[same.id] == same.text
    else:
        assert made.options.orders is Orders.BOTH
        assert by_id["original"] in {one.text for one in REQUEST.candidates}
        assert known.holds(by_id["original"], by_id["changed"])


def test_seed_and_content_make_other_probes() -> None:
    known = KNOWN_ANSWERS["identical"]
    other = replace(REQUEST, question="Something else?")
    probes = [probe_request(known, one, seed) for one in (REQUEST, other) for seed in (0, 1)]
    assert len({one.request.request_id for one in probes if one}) == 4


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(replace(REQUEST, mode="single"), id="another mode"),
        pytest.param(replace(REQUEST, metadata={PROBE_KEY: "doctor"}), id="a probe itself"),
        pytest.param(replace(REQUEST, images=(Image(url="https://a.example/x.png"),)), id="images"),
        pytest.param(replace(REQUEST, candidates=REQUEST.candidates[:1]), id="one answer"),
        pytest.param(replace(REQUEST, candidates=()), id="no answer"),
        pytest.param(
            replace(REQUEST, candidates=(Candidate(id="a", text="x"), Candidate(id="b", text="x"))),
            id="equal answers",
        ),
        pytest.param(
            replace(REQUEST, candidates=(Candidate(id="a", text=" "), Candidate(id="b", text="x"))),
            id="an empty answer",
        ),
        pytest.param(
            replace(
                REQUEST,
                candidates=(
                    Candidate(id="a", turns=(Turn(role="user", text="x"),)),
                    Candidate(id="b", text="y"),
                ),
            ),
            id="a conversation",
        ),
    ],
)
def test_no_probe_is_made_of(request_: Request) -> None:
    assert probes_of(request_, 1.0, 0) == []
    assert probe_request(KNOWN_ANSWERS["identical"], request_, 0) is None


def test_metadata_that_leaves_no_room_gives_way_to_the_marks() -> None:
    crowded = replace(REQUEST, metadata={f"k{k}": "v" for k in range(64)})
    probe = probe_request(KNOWN_ANSWERS["identical"], crowded, 0)
    assert probe is not None
    assert set(probe.request.metadata) == {PROBE_KEY, NAME_KEY, OF_KEY, PERTURBED_KEY}


def test_an_answer_at_its_limit_gets_no_longer_one() -> None:
    large = replace(
        REQUEST, candidates=(REQUEST.candidates[0], Candidate(id="b", text="x" * 2**20))
    )
    found = [probe_request(KNOWN_ANSWERS["injection"], large, seed) for seed in range(20)]
    assert any(one is None for one in found) and any(one is not None for one in found)


def test_the_share_of_accompanied_requests_and_the_mix_of_probes() -> None:
    requests = [replace(REQUEST, request_id=f"r{k}") for k in range(4000)]
    found = [probes_of(one, 0.25, 3) for one in requests]
    assert abs(sum(map(len, found)) / 4000 - 0.25) < 0.03  # 4 standard errors
    names = Counter(one.name for probes in found for one in probes)
    assert set(names) == set(KNOWN_ANSWERS)
    assert min(names.values()) > 60
    assert [probes_of(one, 0.25, 3) for one in requests[:50]] == found[:50]
    assert probes_of(REQUEST, 0.0, 3) == []


def test_all_of_them_on_demand() -> None:
    assert {one.name for one in probes_of(REQUEST, 1.0, 0, most=20)} == set(KNOWN_ANSWERS)
    with pytest.raises(ValueError, match="share of 1.5"):
        probes_of(REQUEST, 1.5, 0)


def test_the_right_verdicts() -> None:
    first, tie, second = Preference
    assert allowed(Effect.SAME, tie) == frozenset({tie})
    assert allowed(Effect.MIRRORED, second) == frozenset({second})
    assert (
        allowed(Effect.AGNOSTIC, tie) == allowed(Effect.AGNOSTIC, first) == frozenset({first, tie})
    )
    assert allowed(Effect.AGNOSTIC, second) is None
    assert allowed(Effect.RELATED, tie) == allowed(Effect.RELATED, second) == frozenset({first})
    assert allowed(Effect.RELATED, first) is None
