"""A worker that asks the second order of a pair only where the first is unsure."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from judgestream.apps.judging.asking import Tries
from judgestream.apps.judging.calls import PAUSE_S
from judgestream.apps.judging.one_release import OneRelease, Task
from judgestream.contracts.codecs.verdicts import verdict_from_message, verdict_to_message
from judgestream.core.modes import MODES
from judgestream.core.passes import Pass
from judgestream.core.types import Options, Orders, ReferenceUse, Release, Reply, Status, Verdict
from judgestream.evaluation.position import lean_of
from judgestream.evaluation.savings import both_orders
from judgestream.settings import Judging
from tests.core.build import request

SURE = tuple(0.9 if k == 73 else 0.1 / 99 for k in range(100))  # "8 4"
UNSURE = (0.01,) * 100


@dataclass
class Judge:
    """Replies with these probabilities of its score lines."""

    probabilities: tuple[float, ...]
    text: str = "8 4"
    asked: list[list[str]] = field(default_factory=list)
    release: Release = Release(
        name="judgelm-0", checkpoint_digest="00", template_id="judgelm-v1", max_input_tokens=2048
    )

    async def ask(self, passes: Sequence[Pass]) -> list[Reply]:
        self.asked.append([one.transform.name for one in passes])
        return [
            Reply(text=self.text, score_probs=self.probabilities, input_tokens=9) for _ in passes
        ]


def judged(
    judge: Judge,
    *,
    orders: Orders = Orders.BOTH,
    reference: str | None = None,
    share: float = 0.01,
    **settings: Any,
) -> Verdict:
    """The verdict of a worker that judges this share of the pairs in both orders whatever the confidence."""
    options = Options(orders=orders, reference_use=ReferenceUse.BOTH)
    asked = request(options=options, reference=reference)
    release = OneRelease(judge, Judging(**settings), swap_rate=lambda _: share)
    mode = MODES[asked.mode]
    task = Task(
        request=asked,
        mode=mode,
        plans=release.plans(asked, mode),
        verdict_id="verdict-0",  # draws the straight order first
        content_digest="c",
    )

    async def pause(seconds: float) -> None:
        assert seconds == PAUSE_S, "nothing fails here, so only calls are apart"

    return asyncio.run(release.judged(task, Tries(), pause))


POLICY: dict[str, Any] = {"second_order_below": 0.8}


def test_a_sure_first_order_is_enough() -> None:
    judge = Judge(SURE)
    found = judged(judge, **POLICY)
    assert judge.asked == [["straight"]]
    assert (found.status, found.winner, found.flipped) == (Status.SCORED, "a", None)
    assert found.confidence is not None and found.confidence > 0.9
    assert found.input_tokens == 9


def test_an_unsure_one_is_followed_by_the_other_order() -> None:
    judge = Judge(UNSURE)
    found = judged(judge, **POLICY)
    assert judge.asked == [["straight"], ["swapped"]]
    assert [one.because_unsure for one in found.passes] == [False, True]
    assert found.tie or found.winner == ""
    assert found.flipped is not None
    assert lean_of(found) is None and both_orders(found) is None  # not a fair sample
    assert verdict_from_message(verdict_to_message(found)).passes[1].because_unsure


def test_with_and_without_the_reference_both_straight_passes_decide() -> None:
    judge = Judge(UNSURE)
    judged(judge, reference="Rayleigh.", **POLICY)
    assert judge.asked == [["straight+reference", "straight"], ["swapped+reference", "swapped"]]


def test_a_pair_of_the_sample_is_asked_in_both_orders_at_once() -> None:
    judge = Judge(SURE)
    found = judged(judge, share=1.0, **POLICY)
    assert [sorted(one) for one in judge.asked] == [["straight", "swapped"]]
    assert lean_of(found) is not None and both_orders(found) is not None


def test_without_the_policy_one_order_is_all() -> None:
    judge = Judge(UNSURE)
    found = judged(judge)
    assert len(judge.asked) == 1 and len(judge.asked[0]) == 1
    assert found.both_orders_probability == 0.01


def test_a_request_for_one_order_is_asked_as_it_is() -> None:
    judge = Judge(UNSURE)
    judged(judge, orders=Orders.STRAIGHT, **POLICY)
    assert judge.asked == [["straight"]]


def test_an_unreadable_first_order_ends_it() -> None:
    judge = Judge((), text="I cannot say")
    found = judged(judge, **POLICY)
    assert judge.asked == [["straight"]]
    assert found.status is Status.UNSCORED
