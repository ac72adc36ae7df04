"""The passes of one stage, asked in calls of bounded size, without those whose text is known."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from judgestream.apps.judging.asking import Asking, Pause, Tries
from judgestream.apps.judging.kept_texts import KeptTexts
from judgestream.core.passes import Pass
from judgestream.core.types import Reply

SCORES_PER_CALL = 16
TEXTS_PER_CALL = 8
"""Passes of one call. A call has one deadline, and a text takes as long as many scores."""


class Calls:
    """Asks the passes of a stage. A failed call is asked again; the calls before it are not."""

    def __init__(self, asking: Asking, texts: KeptTexts) -> None:
        self._asking = asking
        self._texts = texts

    async def replies(self, stage: Sequence[Pass], tries: Tries, pause: Pause) -> list[Reply]:
        """One reply per pass, in order.

        Raises:
            PoisonError: as `Asking.ask`.
        """
        replies = {k: kept for k, one in enumerate(stage) if (kept := self._texts.get(one))}
        for call in calls(stage, [k for k in range(len(stage)) if k not in replies]):
            asked = [stage[k] for k in call]
            for k, reply in zip(call, await self._asking.ask(asked, tries, pause), strict=True):
                self._texts.keep(stage[k], reply)
                replies[k] = reply
        return [replies[k] for k in range(len(stage))]


def calls(stage: Sequence[Pass], wanted: Sequence[int]) -> Iterator[Sequence[int]]:
    """The wanted passes' indices in groups that one call can have: of one grammar, and not too many."""
    for _, group in groupby(wanted, lambda k: stage[k].grammar):
        alike = list(group)
        most = TEXTS_PER_CALL if stage[alike[0]].is_text else SCORES_PER_CALL
        for start in range(0, len(alike), most):
            yield alike[start : start + most]
