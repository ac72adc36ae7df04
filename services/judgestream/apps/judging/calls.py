"""The passes of one stage, asked in calls of bounded size, without those whose text is known."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import groupby

from judgestream.apps.judging.asking import Asking, Pause, Tries
from judgestream.apps.judging.kept_texts import KeptTexts
from judgestream.core.limits import KIB
from judgestream.core.passes import Pass
from judgestream.core.types import Reply

SCORES_PER_CALL = 16
TEXTS_PER_CALL = 8
"""Passes of one call. A call has one deadline, and a text takes as long as many scores."""

CHARACTERS_PER_CALL = 128 * KIB
"""Characters of the prompts of one call with several passes: about 30,000 tokens, which two CPU cores read
well within the default deadline."""

PAUSE_S = 0.001
"""Pause before a further call of a request. It shows the watchdog that the request makes progress, and ends
the request where its partition is revoked. A pause of 0 would end before it could see that."""


class Calls:
    """Asks the passes of a stage. A failed call is asked again; the calls before it are not."""

    def __init__(self, asking: Asking, texts: KeptTexts) -> None:
        self._asking = asking
        self._texts = texts

    async def replies(self, stage: Sequence[Pass], tries: Tries, pause: Pause) -> list[Reply]:
        """One reply per pass, in order.

        Raises:
            PoisonError: as `Asking.ask`; and what `pause` raises.
        """
        for one in stage:
            if await self._texts.wait(one):
                await pause(PAUSE_S)
        replies = {k: kept for k, one in enumerate(stage) if (kept := self._texts.get(one))}
        wanted = [k for k in range(len(stage)) if k not in replies]
        with ExitStack() as stack:
            for k in wanted:
                stack.enter_context(self._texts.asking(stage[k]))
            for call in calls(stage, wanted):
                for k, reply in zip(call, await self._call(call, stage, tries, pause), strict=True):
                    self._texts.keep(stage[k], reply)
                    replies[k] = reply
        return [replies[k] for k in range(len(stage))]

    async def _call(
        self, call: Sequence[int], stage: Sequence[Pass], tries: Tries, pause: Pause
    ) -> list[Reply]:
        if tries.answered:
            tries.next_call()
            await pause(PAUSE_S)
        replies = await self._asking.ask([stage[k] for k in call], tries, pause)
        tries.answered = True
        return replies


def calls(stage: Sequence[Pass], wanted: Sequence[int]) -> Iterator[Sequence[int]]:
    """The wanted passes' indices in groups that one call can have: of one grammar, few, and short together.

    Passes of one call share their common prefixes inside the engine. A pass that is longer than the limit has
    a separate call.
    """
    for _, group in groupby(wanted, lambda k: stage[k].grammar):
        call: list[int] = []
        characters = 0
        for k in group:
            size = len(stage[k].prompt)
            most = TEXTS_PER_CALL if stage[k].is_text else SCORES_PER_CALL
            if call and (len(call) == most or characters + size > CHARACTERS_PER_CALL):
                yield call
                call, characters = [], 0
            call.append(k)
            characters += size
        yield call
