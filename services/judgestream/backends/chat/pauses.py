"""Pauses between tries: as long as the endpoint asks of everybody, and longer after each failure."""

import asyncio
import random
from collections.abc import Sequence
from time import monotonic

from judgestream.backends.chat.endpoint import Endpoint
from judgestream.core.backoff import Backoff
from judgestream.core.errors import JudgeOverloaded, JudgestreamError, JudgeUnavailable

LONGEST_PAUSE_S = 20.0


class Pauses:
    """When an endpoint may be asked again. Times are of `monotonic`, in seconds."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._backoff = Backoff(
            first_s=endpoint.backoff_s,
            longest_s=LONGEST_PAUSE_S,
            draw=random.Random().random,  # noqa: S311 - spreads retries, keeps no secret
        )
        self._quiet_until = 0.0
        self._quiet_words = ""

    def ask_for_quiet(self, after_s: float, words: str) -> None:
        """The endpoint asks, in these words, to come again after so long: nobody asks it before."""
        self._quiet_until = max(self._quiet_until, monotonic() + after_s)
        self._quiet_words = words

    async def quiet(self, started: float) -> None:
        """Wait until the time that the endpoint gave to anybody; told at once where that is too long."""
        rest = self._quiet_until - monotonic()
        if rest <= 0:
            return
        patience = min(self._endpoint.patience_s, self._endpoint.deadline_s)
        if monotonic() + rest - started > patience:
            raise JudgeOverloaded(
                f"{self._endpoint.url} asks to come again in {rest:.0f} s ({self._quiet_words})"
            )
        await asyncio.sleep(rest)

    async def after(self, failures: Sequence[JudgestreamError], started: float) -> None:
        """Wait after the latest of these failures.

        Raises:
            JudgeUnavailable, JudgeOverloaded: patience would end before the pause does.
        """
        pause = self._backoff(len(failures))
        if monotonic() + pause - started > self._endpoint.patience_s:
            raise self.given_up(failures, monotonic() - started)
        await asyncio.sleep(pause)

    def given_up(self, failures: Sequence[JudgestreamError], seconds: float) -> JudgestreamError:
        """The error for a prompt that is not tried any more."""
        last = failures[-1]
        kind = JudgeOverloaded if isinstance(last, JudgeOverloaded) else JudgeUnavailable
        return kind(
            f"{self._endpoint.url} failed {len(failures)} times in {seconds:.1f} s; the last time: {last}"
        )
