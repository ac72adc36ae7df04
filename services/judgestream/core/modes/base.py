"""A row of the table of modes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from judgestream.core.modes.orders import Order
from judgestream.core.modes.planning import Plan, in_every_order
from judgestream.core.reconcile import Settlement
from judgestream.core.types import Orders, PassResult, Request


@dataclass(frozen=True, kw_only=True, slots=True)
class Count:
    """How many candidates a mode takes."""

    least: int
    most: int

    def __contains__(self, count: int) -> bool:
        return self.least <= count <= self.most

    def __str__(self) -> str:
        return str(self.least) if self.least == self.most else f"{self.least} to {self.most}"


def exactly(count: int) -> Count:
    return Count(least=count, most=count)


def no_problem(_: Request) -> str:
    return ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mode:
    """One way of judging.

    candidates         how many a request must carry
    forms_required     names of the template forms that it needs; the first one renders its passes
    orders             by the request's `Orders` option: number of candidates -> the orders to show, the
                       request's own order first
    settle             readings of all passes -> one settlement
    needs_reference    the mode cannot judge without one
    takes_reference    a request may have one
    without_reference  the form of passes that do not show the reference; "": the first required form. Only
                       such a pass needs the form, so a template may lack it
    takes_images       a request may have images
    takes              further parts that a request may have: of "turns", "rubric" and "discussion"
    needs_question     the mode cannot judge without one
    plan               the passes to ask next, given those that are answered; () when they can be settled.
                       The default asks once, in every order
    problem            what else is wrong with a request; "" if nothing
    by_value           the same mode as reward models judge in it (see `valued`); None: they cannot
    """

    name: str
    summary: str
    candidates: Count
    forms_required: tuple[str, ...]
    orders: Mapping[Orders, Callable[[int], Sequence[Order]]]
    settle: Callable[[Request, Sequence[PassResult]], Settlement]
    needs_reference: bool = False
    takes_reference: bool = True
    without_reference: str = ""
    takes_images: bool = False
    takes: tuple[str, ...] = ()
    needs_question: bool = True
    plan: Plan = field(default=in_every_order)
    problem: Callable[[Request], str] = field(default=no_problem)
    by_value: "Mode | None" = None

    def form_name(self, *, with_reference: bool) -> str:
        """The form that renders a pass."""
        if not with_reference and self.without_reference:
            return self.without_reference
        return self.forms_required[0]
