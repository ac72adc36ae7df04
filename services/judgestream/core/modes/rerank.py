"""The mode `rerank`: documents ranked by whether they help with a query.

JudgeRank (arXiv 2411.00142) in three stages: the query is analysed once, then every document, then every
document is judged with a yes or no. Without `explain` there is only the last stage. Each document is judged
alone, so no order of the documents plays a part.
"""

from collections.abc import Sequence

from judgestream.core.modes.base import Count, Mode
from judgestream.core.modes.orders import DIRECTIONS
from judgestream.core.modes.planning import bounded, form_of
from judgestream.core.passes import Pass
from judgestream.core.settling.relevance import settle_relevance
from judgestream.core.templates.base import Template
from judgestream.core.templates.relevance import DOCUMENT_ANALYSIS, QUERY_ANALYSIS, RELEVANCE
from judgestream.core.transforms import Transform
from judgestream.core.types import PassResult, Request

MOST = 100
"""Documents of one request: as many as JudgeRank takes from the first stage."""

ANALYSIS = "analysis"
QUERY = Transform(order=(), partial=True, criterion=ANALYSIS)


def stages(
    request: Request, mode: Mode, template: Template, answered: Sequence[PassResult]
) -> tuple[Pass, ...]:
    """The passes of the next stage, see `Plan`."""
    stage = _Stage(request, mode, template, answered)
    analysed = 1 + len(request.candidates)
    if not request.options.explain:
        return () if answered else stage.judgements()
    if not answered:
        return stage.query_analysis()
    if len(answered) == 1:
        return stage.document_analyses()
    return stage.judgements() if len(answered) == analysed else ()


class _Stage:
    """The passes of each stage. `answered` has the analyses so far."""

    def __init__(
        self, request: Request, mode: Mode, template: Template, answered: Sequence[PassResult]
    ) -> None:
        self._request = request
        self._mode = mode
        self._template = template
        self._texts = {result.transform: result.reply.text.strip() for result in answered}

    def query_analysis(self) -> tuple[Pass, ...]:
        """One pass. It does not depend on the documents, so other requests can use its text."""
        return (self._pass(QUERY_ANALYSIS, QUERY, (), reusable=True),)

    def document_analyses(self) -> tuple[Pass, ...]:
        return bounded(
            self._request,
            (
                self._pass(DOCUMENT_ANALYSIS, analysis_of(k), (candidate.text, self._texts[QUERY]))
                for k, candidate in enumerate(self._request.candidates)
            ),
        )

    def judgements(self) -> tuple[Pass, ...]:
        return bounded(
            self._request,
            (
                self._pass(RELEVANCE, judgement_of(k), (candidate.text, *self._analyses(k)))
                for k, candidate in enumerate(self._request.candidates)
            ),
        )

    def _analyses(self, document: int) -> tuple[str, ...]:
        if not self._texts:
            return ()
        return self._texts[QUERY], self._texts[analysis_of(document)]

    def _pass(
        self, form_name: str, transform: Transform, shown: Sequence[str], *, reusable: bool = False
    ) -> Pass:
        form = form_of(self._mode, self._template, form_name)
        options = self._request.options
        return Pass(
            transform=transform,
            prompt=form.render(self._request.question, shown, None),
            grammar=form.grammar_for(1),
            max_tokens=0 if form_name == RELEVANCE else options.max_explanation_tokens,
            reasoning=form.reasoning,
            reusable=reusable,
        )


def analysis_of(document: int) -> Transform:
    """The pass that analyses the document with this index."""
    return Transform(order=(document,), partial=True, criterion=ANALYSIS)


def judgement_of(document: int) -> Transform:
    """The pass that judges the document with this index."""
    return Transform(order=(document,), partial=True)


def problem(request: Request) -> str:
    """A hybrid with scores that are not there; "" if none are missing."""
    if request.options.hybrid_weight is None:
        return ""
    missing = [
        f"candidates[{k}]"
        for k, candidate in enumerate(request.candidates, start=1)
        if candidate.first_stage_score is None
    ]
    if not missing:
        return ""
    others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    return (
        f"options.hybrid_weight needs a first_stage_score for every document, which {missing[0]}{others}"
        " lacks: give all of them, or leave hybrid_weight out to rank by P(yes) alone"
    )


RERANK = Mode(
    name="rerank",
    summary="a query and 2 to 100 documents, each judged alone: ranked by whether they help with the query",
    candidates=Count(least=2, most=MOST),
    forms_required=(RELEVANCE,),
    orders=DIRECTIONS,
    settle=settle_relevance,
    takes_reference=False,
    plan=stages,
    problem=problem,
)
