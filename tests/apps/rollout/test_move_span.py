"""The trace of a move, as a collector gets it."""

import asyncio

from judgestream.apps.rollout.desk import Desk
from judgestream.core.rollout.state import Action
from tests.apps.rollout.test_log import Topic, started
from tests.core.rollout.build import move
from tests.traced import recording


def test_every_move_is_traced_whatever_share_of_the_requests_is() -> None:
    async def stage() -> None:
        async with started(Topic(), "one") as one:
            await one.begin_term(prepare=lambda state: state)
            await Desk(one).move(move(Action.STAGE, "a"))

    with recording(share=0.0) as traces:
        asyncio.run(stage())
        (span,) = traces.spans()
    assert (span.name, span.parent) == ("rollout stage", "")
    assert span.attributes["judgestream.release"] == "a"
