"""The verdict of a request: matched by id, content and release, whatever the order of arrival."""

from dataclasses import replace

from judgestream.adapters.kafka.following import Awaited, Results
from judgestream.core.types import Status, Verdict
from judgestream.v1.judging_pb2 import DeadLetter
from tests.core.build import request
from tests.core.build import verdict as built


def verdict(
    request_id: str, *, release: str = "A", content: str = "", status: Status = Status.SCORED
) -> Verdict:
    return replace(
        built(status=status), request_id=request_id, release=release, content_digest=content
    )


def test_every_request_needs_its_own_outcome() -> None:
    results = Results(["r1", "r2"])
    assert results.take_verdict(verdict("r1")) == ["r1"]
    assert results.take_verdict(verdict("r1")) == [], "already known"
    assert results.take_verdict(verdict("r9")) == [], "not ours"
    assert (results.settled, results.waiting) == (False, {"r2"})
    results.take_letter(DeadLetter(request_id="r2"))
    assert results.settled and list(results.letters) == ["r2"]
    assert results.take_verdict(verdict("r2", status=Status.FAILED)) == ["r2"]
    assert not results.letters


def test_a_settled_verdict_replaces_a_failed_one_and_never_the_other_way_round() -> None:
    results = Results(["r1"])
    for status in (Status.FAILED, Status.UNSCORED, Status.SCORED, Status.UNSCORED, Status.FAILED):
        results.take_verdict(verdict("r1", status=status))
    assert results.verdicts["r1"].status is Status.SCORED


def test_a_verdict_on_other_content_under_the_same_id_does_not_count() -> None:
    results = Results([Awaited("r1", "d1")])
    assert results.take_verdict(verdict("r1", content="d2")) == []
    assert results.take_verdict(verdict("r1", content="d1")) == ["r1"]


def test_a_verdict_without_a_content_digest_counts_by_its_id() -> None:
    results = Results([Awaited("r1", "d1")])
    assert results.take_verdict(verdict("r1", status=Status.FAILED)) == ["r1"]
    assert Results(["r1"]).take_verdict(verdict("r1", content="d1")) == ["r1"]


def test_two_contents_under_one_id_are_two_requests() -> None:
    results = Results([Awaited("r1", "1" * 64), Awaited("r1", "2" * 64), Awaited("r1", "1" * 64)])
    assert results.waiting == {"r1 (11111111)", "r1 (22222222)"}
    results.take_verdict(verdict("r1", content="2" * 64))
    assert results.waiting == {"r1 (11111111)"}
    found = results.ordered([Awaited("r1", "1" * 64), Awaited("r1", "2" * 64)])
    assert [one is not None for one in found] == [False, True]


def test_only_the_named_release_counts() -> None:
    results = Results(["r1"], release="A")
    assert results.take_verdict(verdict("r1", release="B")) == []
    assert results.take_verdict(verdict("r1", release="A")) == ["r1"]
    assert results.settled


def test_verdicts_of_two_releases_are_not_mixed_by_arrival() -> None:
    results = Results(["r1", "r2", "r3"])
    for release, request_id in (("B", "r1"), ("A", "r2"), ("B", "r3")):
        results.take_verdict(verdict(request_id, release=release))
    assert not results.waiting and not results.settled, "no release has answered all"
    results.take_verdict(verdict("r1", release="A"))
    results.take_verdict(verdict("r3", release="A"))
    assert results.settled
    assert {one.release for one in results.verdicts.values()} == {"A"}


def test_a_request_is_awaited_by_its_content() -> None:
    asked = request()
    assert Awaited.of(asked) == Awaited.of(replace(asked, metadata={"a": "b"}))
    assert Awaited.of(asked) != Awaited.of(replace(asked, question="?"))
