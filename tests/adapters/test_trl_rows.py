"""Verdicts as preference rows."""

from dataclasses import replace

from judgestream.adapters.files.trl_rows import preference, trl_row
from judgestream.core.types import CandidateScore, Image, Request
from tests.core.build import WON, request, verdict


def rejected(asked: Request, *places: tuple[str, int], winner: str) -> object:
    scores = tuple(CandidateScore(candidate_id=name, score=1.0, rank=rank) for name, rank in places)
    found = preference(replace(verdict(winner=winner), scores=scores))
    row = trl_row(asked, found) if found is not None else None
    return None if row is None else (row["chosen"], row["rejected"])


def test_the_other_answer_of_a_pair_is_rejected() -> None:
    found = preference(WON)
    assert found is not None
    row = trl_row(request(), found)
    assert row is not None
    assert (row["chosen"], row["rejected"]) == ("It reflects the sea.", "Rayleigh scattering.")


def test_the_last_of_a_ranking_is_rejected() -> None:
    asked = request(mode="multi", answers=("one", "two", "three"))
    assert rejected(asked, ("a", 2), ("b", 1), ("c", 3), winner="b") == ("two", "three")
    # two share the last place: the first of them
    assert rejected(asked, ("a", 2), ("b", 2), ("c", 1), winner="c") == ("three", "one")


def test_no_winner_and_unknown_candidates_make_no_row() -> None:
    asked = request()
    assert preference(verdict(tie=True)) is None
    assert preference(replace(verdict(), scores=verdict().scores[:1])) is None
    assert rejected(asked, ("a", 0), ("z", 0), winner="a") is None


def test_a_request_with_images_has_no_row() -> None:
    found = preference(WON)
    assert found is not None
    assert trl_row(replace(request(), images=(Image(data=b"x"),)), found) is None
