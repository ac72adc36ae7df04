"""Pauses between retries: what the endpoint asks of all prompts, and exponential back-off per prompt."""

import asyncio
import random
from collections.abc import Sequence
from time import monotonic

from judgestream.backends.chat.endpoint import Endpoint
from judgestream.core.backoff import Backoff
from judgestream.core.errors import JudgeOverloaded, JudgestreamError, JudgeUnavailable

LONGEST_PAUSE_S = 20.0


class Pauses:
    """When an endpoint may be asked again. Times are those of `monotonic`, in seconds."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._backoff = Backoff(
            first_s=endpoint.backoff_s,
            longest_s=LONGEST_PAUSE_S,
            draw=random.Random().random,  # noqa: S311 - spreads retries, keeps no secret
        )
        self._closed_until = 0.0
        self._reason = ""

    def pause_all(self, after_s: float, reason: str) -> None:
        """Send nothing for `after_s` seconds, as the endpoint asks."""
        self._closed_until = max(self._closed_until, monotonic() + after_s)
        self._reason = reason

    async def wait_for_endpoint(self, started: float) -> None:
        """Wait until the endpoint may be asked again.

        Raises:
            JudgeOverloaded: at once, where that takes longer than the endpoint's patience.
        """
        rest = self._closed_until - monotonic()
        if rest <= 0:
            return
        patience = min(self._endpoint.patience_s, self._endpoint.deadline_s)
        if monotonic() + rest - started > patience:
            raise JudgeOverloaded(
                f"{self._endpoint.url} asks to retry in {rest:.0f} s ({self._reason})"
            )
        await asyncio.sleep(rest)

    async def back_off(self, failures: Sequence[JudgestreamError], started: float) -> None:
        """Wait after the latest of a prompt's failures.

        Raises:
            JudgeUnavailable, JudgeOverloaded: patience would end before the pause does.
        """
        pause = self._backoff(len(failures))
        if monotonic() + pause - started > self._endpoint.patience_s:
            raise self.give_up(failures, monotonic() - started)
        await asyncio.sleep(pause)

    def give_up(self, failures: Sequence[JudgestreamError], seconds: float) -> JudgestreamError:
        """The error for a prompt that is not retried any more."""
        last = failures[-1]
        kind = JudgeOverloaded if isinstance(last, JudgeOverloaded) else JudgeUnavailable
        return kind(
            f"{self._endpoint.url} failed {len(failures)} times in {seconds:.1f} s; the last time: {last}"
        )
