"""One release as the judge of requests: plans the passes, asks, and builds the verdict."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from judgestream.apps.judging.asking import Asking, Judge, Pause, Tries
from judgestream.apps.judging.calls import Calls
from judgestream.apps.judging.kept_texts import KeptTexts
from judgestream.apps.judging.release_health import HealthStatus
from judgestream.core import truncation
from judgestream.core.control_tokens import without_control_tokens
from judgestream.core.errors import InternalError, JudgestreamError, PromptTooLong
from judgestream.core.escalation import EscalationPolicy, second_order
from judgestream.core.limits import shortened
from judgestream.core.modes import Mode, for_template, plan
from judgestream.core.order_sampling import sampled
from judgestream.core.passes import Pass
from judgestream.core.templates.image_scorer import TRUNCATED
from judgestream.core.types import PassResult, Release, Request, Verdict
from judgestream.core.verdicts import build_verdict
from judgestream.settings import Judging
from judgestream.template_files import template_of

log = logging.getLogger(__name__)

Plans = tuple[tuple[Pass, ...], ...]
"""The first passes of each release that is asked: of a single release, or of the members of a jury."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """A valid request with its mode and the passes of its first stage."""

    request: Request
    mode: Mode
    plans: Plans
    verdict_id: str
    content_digest: str


class RequestsJudge(Protocol):
    """What turns a request into a verdict: one release, or a jury of several."""

    @property
    def release(self) -> Release: ...

    def plans(self, request: Request, mode: Mode) -> Plans:
        """The first passes. Raises UnsupportedMode."""

    async def judged(self, task: Task, tries: Tries, pause: Pause) -> Verdict:
        """The verdict. Raises PoisonError where there is none, and what `pause` raises."""

    @property
    def paused(self) -> bool:
        """Whether requests wait until somebody acts."""

    def end(self) -> None:
        """Nothing more is asked of it."""


def every_pair(_: str) -> float:
    """The share of a judge without sampling."""
    return 1.0


class OneRelease:
    """Asks one release, with retries, and cuts answers where the settings allow it."""

    def __init__(
        self,
        judge: Judge,
        settings: Judging,
        status: HealthStatus | None = None,
        swap_rate: Callable[[str], float] = every_pair,
    ) -> None:
        """`swap_rate`: the release's name -> share of the pairs to judge in both orders."""
        self.release = judge.release
        self._swap_rate = swap_rate
        self._settings = settings
        self._template = template_of(judge.release)
        self._policy = EscalationPolicy(second_order_below=settings.second_order_below)
        self._asking = Asking(judge, settings, status)
        self._calls = Calls(self._asking, KeptTexts(judge.release))

    @property
    def paused(self) -> bool:
        return self._asking.health.paused

    def end(self) -> None:
        self._asking.health.end()

    def plans(self, request: Request, mode: Mode) -> Plans:
        return (self._plan(request, mode),)

    def _plan(
        self, request: Request, mode: Mode, results: Sequence[PassResult] = ()
    ) -> tuple[Pass, ...]:
        """The passes to ask next. Their prompts have no control token that the release's server parses."""
        shown = without_control_tokens(request, self.release.control_tokens)
        return plan(shown, mode, self._template, results)

    async def judged(self, task: Task, tries: Tries, pause: Pause) -> Verdict:
        results, cut_to, share = await self._asked(task, tries, pause)
        try:
            verdict = build_verdict(
                request=task.request,
                mode=for_template(task.mode, self._template),
                release=self.release,
                results=results,
                effort=tries.effort(),
                verdict_id=task.verdict_id,
                content_digest=task.content_digest,
            )
        except Exception as exc:
            raise internal(exc) from exc
        if cut_to or share is not None:
            return replace(verdict, answers_cut_to=cut_to, both_orders_probability=share)
        return verdict

    async def _asked(
        self, task: Task, tries: Tries, pause: Pause
    ) -> tuple[list[PassResult], int, float | None]:
        """The results of all passes, the characters that answers were cut to (0: uncut), and the probability
        of both orders.

        Raises:
            PromptTooLong: `judging.too_long` is `refuse`, or too little would be left of the answers.
            PoisonError: as `Asking.ask`.
        """
        request = task.request
        (planned,), cut_to = task.plans, 0
        rate = self._swap_rate(self.release.name)
        passes, share = sampled(planned, task.verdict_id, rate)
        shorter: Iterator[int] = iter(())
        if self._settings.too_long == "cut":
            shorter = truncation.limits(
                request,
                self.release.max_input_tokens,
                shown=max(len(one.transform.order) for one in passes),
            )
        while True:
            try:
                results = await self._every_stage(
                    request, task.mode, passes, tries, pause, planned=planned
                )
                if self._settings.too_long != "cut":
                    _check_whole(results)
                return results, cut_to, share
            except PromptTooLong:
                cut_to = next(shorter, 0)
                if not cut_to:
                    raise
            request = truncation.with_answers_cut(task.request, cut_to)
            planned = self._plan(request, task.mode)
            passes, share = sampled(planned, task.verdict_id, rate)

    async def _every_stage(
        self,
        request: Request,
        mode: Mode,
        first: tuple[Pass, ...],
        tries: Tries,
        pause: Pause,
        *,
        planned: tuple[Pass, ...],
    ) -> list[PassResult]:
        """The results of the first stage's passes, and of all that the mode plans after them.

        Of the passes `planned` for the first stage, those that `first` lacks follow if the judge is unsure.

        Raises:
            PoisonError: as `Asking.ask`.
        """
        results: list[PassResult] = []
        stage = first
        while stage:
            replies = await self._calls.replies(stage, tries, pause)
            try:
                results += (one.result(reply) for one, reply in zip(stage, replies, strict=True))
                stage = self._plan(request, mode, results) or second_order(
                    self._policy, planned, results
                )
            except JudgestreamError:
                raise
            except Exception as exc:
                raise internal(exc) from exc
        return results


def _check_whole(results: Sequence[PassResult]) -> None:
    """Refuse a value of the beginning of a caption, which an image scorer marks.

    Raises:
        PromptTooLong: there is one.
    """
    tokens = [one.reply.input_tokens for one in results if one.reply.finish_reason == TRUNCATED]
    if tokens:
        raise PromptTooLong(
            f"the question is longer than the {max(tokens)} tokens that this image scorer reads: shorten it,"
            " or set judging.too_long to cut to judge by its beginning"
        )


def internal(exc: Exception) -> InternalError:
    """The error for an unexpected exception, which is logged."""
    log.exception("unexpected error while judging")
    return InternalError(f"{type(exc).__name__}: {shortened(str(exc), 400)}")
