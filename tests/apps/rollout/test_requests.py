"""Calls of the API as moves: what is refused, and what is filled in."""

import math

import pytest
from pydantic import SecretStr

from judgestream.adapters.rollout.calls import HEADER
from judgestream.apps.rollout.access import may_change
from judgestream.apps.rollout.requests import Found, Malformed, checked_action, move_of
from judgestream.core.rollout.moves import IllegalMove
from judgestream.core.rollout.state import Action, Rollout
from judgestream.evaluation.gate import Policy
from judgestream.v1 import rollout_pb2 as pb
from tests.core.rollout.build import NOON, after, move, ready, stable

POLICY = Policy()
SHADOWED = after(*stable("old"), *ready("new"), move(Action.SHADOW, "new", share=0.5))


def request(action: str, **fields: object) -> pb.MoveRequest:
    return pb.MoveRequest(action=action, **{"by": "me@here", **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        pytest.param(request("explode", release="a"), "action", id="action"),
        pytest.param(request("fail", release="a"), "action", id="not for callers"),
        pytest.param(request("prepare", release="a"), "action", id="a step"),
        pytest.param(request("promote", release="a", by=" "), "by must", id="nobody"),
        pytest.param(request("promote", release="a", by="trainer"), "by must", id="reserved"),
        pytest.param(request("promote"), "release is empty", id="no release"),
        pytest.param(request("stage"), "release or a location", id="nothing to stage"),
        pytest.param(
            request("stage", release="a", location="/b"), "not both", id="two things to stage"
        ),
        pytest.param(request("retire", release="a", location="/b"), "location", id="location"),
        pytest.param(request("promote", release="a" * 300), "too long", id="long name"),
        pytest.param(request("canary", release="a", share=1.5), "share is 1.5", id="share"),
        pytest.param(request("canary", release="a", share=math.nan), "share", id="no number"),
        pytest.param(request("promote", release="a", where={"k": "v"}), "where", id="where"),
        pytest.param(request("canary", release="a", where={"": "v"}), "empty key", id="no key"),
        pytest.param(
            request("canary", release="a", where={"k": "v" * 5000}), "bytes", id="long where"
        ),
    ],
)
def test_a_malformed_call_names_its_field(wrong: pb.MoveRequest, named: str) -> None:
    with pytest.raises(Malformed, match=named):
        checked_action(wrong)


def test_shares_that_are_left_out_come_from_the_policy_or_stay() -> None:
    def share(action: str, rollout: Rollout, **fields: object) -> float:
        made = request(action, release="new", force=True, **fields)
        return move_of(made, rollout, POLICY, now=NOON).share

    assert share("shadow", after(*ready("new"))) == 1.0
    assert share("shadow", SHADOWED) == 0.5
    assert share("canary", SHADOWED) == POLICY.canary_share
    assert share("canary", SHADOWED, share=0.3) == 0.3


def test_a_canary_that_is_widened_keeps_its_filter() -> None:
    canary = after(move(Action.CANARY, "new", share=0.1, where={"tenant": "a"}), start=SHADOWED)
    wider = request("canary", release="new", share=0.5, force=True)
    assert move_of(wider, canary, POLICY, now=NOON).where == {"tenant": "a"}
    other = request("canary", release="new", share=0.5, force=True, where={"tenant": "b"})
    assert move_of(other, canary, POLICY, now=NOON).where == {"tenant": "b"}


def test_evidence_is_needed_unless_the_move_is_forced_which_is_published() -> None:
    promote = request("promote", release="new", why="friday")
    with pytest.raises(IllegalMove, match="no evidence"):
        move_of(promote, SHADOWED, POLICY, now=NOON)
    promote.force = True
    assert move_of(promote, SHADOWED, POLICY, now=NOON).why == "friday (forced)"
    first = move_of(request("promote", release="new"), after(*ready("new")), POLICY, now=NOON)
    assert first.why == "", "there is nothing to compare the first release with"


def test_what_was_found_is_staged_and_rollback_chooses() -> None:
    found = Found(release="judgelm-1", checkpoint_digest="d", location="s3://b/c")
    staged = move_of(
        request("stage", location="s3://b/c"), Rollout(), POLICY, now=NOON, found=found
    )
    assert (staged.release, staged.checkpoint_digest, staged.location) == (
        "judgelm-1",
        "d",
        "s3://b/c",
    )
    assert move_of(request("rollback"), SHADOWED, POLICY, now=NOON).release == "new"
    with pytest.raises(IllegalMove, match="nothing to roll back"):
        move_of(request("rollback"), Rollout(), POLICY, now=NOON)


def test_only_callers_with_the_key_may_move_where_there_is_one() -> None:
    key = SecretStr("geheim")
    assert may_change(None, SecretStr("")) and may_change(((HEADER, "geheim"),), key)
    assert not may_change(None, key)
    assert not may_change(((HEADER, "other"), ("x", "geheim")), key)
    assert not may_change(((HEADER, b"geheim"),), key)
