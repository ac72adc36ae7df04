"""The mode `follow_up`: a question to the judge about its judgement.

The request repeats what was judged, and its `discussion` has the judge's reply, then questions about it
and the judge's answers. The judge sees the prompt of the judgement, and the discussion behind it. The
verdict is the answer, as explanation: nobody wins, and no statistic counts it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from judgestream.core.modes.base import Count, Mode
from judgestream.core.modes.orders import DIRECTIONS
from judgestream.core.modes.planning import form_of
from judgestream.core.passes import Pass
from judgestream.core.reconcile import Settlement
from judgestream.core.templates.base import Template
from judgestream.core.templates.follow_up import FORM
from judgestream.core.types import FOLLOW_UP, Orders, PassResult, Request, Status, Unread

MOST = 16
"""Candidates of a judgement that can be discussed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Discussion:
    """The modes whose judgements can be discussed, each told by what its request has."""

    pairwise: Mode
    single: Mode
    multi: Mode
    multi_turn: Mode
    rubric: Mode

    def judged(self, request: Request) -> Request:
        """The request whose judgement is discussed: its first pass is the one that the reply belongs to."""
        options = replace(request.options, orders=Orders.STRAIGHT, explain=False)
        return replace(request, mode=self._mode(request).name, options=options, discussion=())

    def passes(
        self, request: Request, mode: Mode, template: Template, answered: Sequence[PassResult]
    ) -> tuple[Pass, ...]:
        """One text behind the prompt of the judgement; see `Plan`."""
        if answered:
            return ()
        form = form_of(mode, template, FORM)
        judged_mode = self._mode(request)
        first, *_ = judged_mode.plan(self.judged(request), judged_mode, template, ())
        reply, *rest = (turn.text for turn in request.discussion)
        reply = first.grammar.lead + reply.removeprefix(first.grammar.lead)
        return (
            Pass(
                transform=replace(first.transform, criterion=""),
                prompt=first.prompt + form.render("", (reply, *rest), None),
                grammar=form.grammar,
                max_tokens=request.options.max_explanation_tokens,
            ),
        )

    def problem(self, request: Request) -> str:
        """What keeps the judgement from being discussed; "" if nothing."""
        if not request.discussion:
            return "mode follow_up needs a discussion: the judge's reply, then a question"
        mode = self._mode(request)
        if any(candidate.turns for candidate in request.candidates) and "turns" not in mode.takes:
            return f"a judgement in mode {mode.name} takes no turns: give the answer as text"
        if len(request.candidates) not in mode.candidates:
            return f"a judgement in mode {mode.name} has {mode.candidates} candidates"
        if mode.needs_question and not request.question.strip():
            return "question is empty: repeat that of the judgement"
        return mode.problem(self.judged(request))

    def mode(self) -> Mode:
        """The row of the table of modes."""
        return Mode(
            name=FOLLOW_UP,
            summary="a question about a judgement, which the judge answers in words",
            candidates=Count(least=1, most=MOST),
            forms_required=(FORM,),
            orders=DIRECTIONS,
            settle=settle_text,
            plan=self.passes,
            problem=self.problem,
            takes=("turns", "rubric", "discussion"),
            needs_question=False,
        )

    def _mode(self, request: Request) -> Mode:
        if request.rubric is not None:
            return self.rubric
        if any(candidate.turns for candidate in request.candidates):
            return self.multi_turn
        few = {1: self.single, 2: self.pairwise}
        return few.get(len(request.candidates), self.multi)


def settle_text(request: Request, results: Sequence[PassResult]) -> Settlement:
    """The reply is the explanation. An empty reply is unscored."""
    (result,) = results
    text = result.reply.text.strip()
    if not text:
        reason = f"{Unread.UNPARSABLE}: the judge gave no answer"
        return Settlement(status=Status.UNSCORED, reason=reason, explanation="")
    return Settlement(status=Status.SCORED, explanation=text)
