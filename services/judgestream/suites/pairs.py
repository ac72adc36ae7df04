"""Pairs that were judged in both orders: the figures that most suites have in common.

A published judgement and a verdict become the same `Game`, so the code that is proven on published numbers is
the code that judges our judges.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from judgestream.core.preference import Preference
from judgestream.core.settling.reward import METHOD as REWARD
from judgestream.evaluation.clusters import Mean, clustered_share
from judgestream.evaluation.confusion_figures import chance_corrected_figures, macro_figures
from judgestream.evaluation.order_rules import INCONSISTENT, OrderRule, Outcome
from judgestream.evaluation.position import lean, position_means
from judgestream.evaluation.scored_verdict import ScoredVerdict
from judgestream.evaluation.unreadable import UnreadableRule, outcome
from judgestream.suites.base import Choices, Judged
from judgestream.suites.report import Figure, Report, Table

ONE_ORDER = (OrderRule.AVERAGED, OrderRule.STRAIGHT)
"""The rules that do not compare two orders."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Game:
    """One pair with what a judge said of it, in the order of the pair.

    straight, swapped   the preference of each order; None for one that was not read, or not asked
    averaged            of the averaged probabilities; None if an order was not read
    failed              there is no judgement at all: it is in no figure but its own count
    one_order           there are no two orders to compare: only one was asked (`judging.swap_rate`), the
                        second one only because the first was unsure, or a jury judged
    by_value            a reward model judged each answer alone: both orders are the same, and show no bias
    """

    key: str
    cluster: str
    gold: Preference | None
    straight: Preference | None
    swapped: Preference | None
    averaged: Preference | None = None
    failed: bool = False
    one_order: bool = False
    by_value: bool = False
    facts: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, judged: Judged) -> "Game | None":
        """None for an item without a verdict."""
        if judged.verdict is None:
            return None
        found = ScoredVerdict.of(judged.verdict)
        orders = found.orders if found is not None else None
        straight, swapped = orders or (None, None)
        averaged = found.outcome if found is not None else None
        by_value = judged.verdict.method == REWARD
        if by_value:
            straight = swapped = averaged
        elif orders is None and len(judged.verdict.passes) == 1:
            straight = averaged  # one order was asked: it is the verdict
        return cls(
            key=judged.item.key,
            cluster=judged.item.cluster,
            gold=judged.item.gold,
            straight=straight,
            swapped=swapped,
            averaged=averaged,
            failed=found is None or found.failed or found.malformed,
            one_order=orders is None and not by_value,
            by_value=by_value,
            facts=judged.item.facts,
        )

    def by(self, choices: Choices) -> Outcome:
        """The outcome by the rules; None for a pair without one."""
        if self.failed or (self.one_order and choices.rule not in ONE_ORDER):
            return None
        return outcome(
            choices.rule,
            self.straight,
            self.swapped,
            choices.unreadable,
            averaged=self.averaged,
        )


def games(judged: Iterable[Judged]) -> list[Game]:
    return [game for one in judged if (game := Game.of(one)) is not None]


def hits(played: Sequence[Game], choices: Choices) -> dict[str, float]:
    """By key, 1 where the outcome is the gold one, else 0; pairs without either are left out."""
    return {
        game.key: float(found == game.gold)
        for game in played
        if game.gold is not None and (found := game.by(choices)) is not None
    }


def agreement_report(
    played: Sequence[Game], choices: Choices, *, by: str = "", wanted: int | None = None
) -> Report:
    """Agreement with the gold preferences, position bias, and the agreement by a fact such as `source`.

    Args:
        by: name of the fact; "" for none.
        wanted: number of items that the suite has; None: as many as there are games.
    """
    rows = [(game, game.by(choices)) for game in played]
    labelled = [(game, found) for game, found in rows if game.gold is not None]
    compared = [(game, found) for game, found in labelled if found is not None]
    decided = [
        (game, found)
        for game, found in compared
        if game.gold != Preference.TIE and found != Preference.TIE
    ]
    tables = (_by_group(compared, by),) if by else ()
    return Report(
        figures=(
            Figure.of("agreement", _right(compared)),
            Figure.of("agreement_without_ties", _right(decided)),
            *_of_confusion(compared),
            *position_figures(played),
        ),
        tables=(*tables, counts(rows, choices, wanted=wanted)),
        notes=notes(played, choices),
    )


def position_figures(played: Sequence[Game]) -> tuple[Figure, ...]:
    """Consistency and the leans toward a position, of the pairs whose two orders were read."""
    both = [
        (lean(game.straight, game.swapped), game.cluster)
        for game in played
        if game.straight is not None and game.swapped is not None and not game.by_value
    ]
    means = position_means([one for one, _ in both], [cluster for _, cluster in both])
    names = ("flip_consistency", "bias_toward_first", "bias_toward_second")
    return tuple(Figure.of(name, means[name]) for name in names if name in means)


def counts(
    rows: Sequence[tuple[Game, Outcome]], choices: Choices, *, wanted: int | None = None
) -> Table:
    """What is in the figures and what is not."""
    lacking = [game for game, _ in rows if lacks_orders(game, choices)]
    unread = sum(found is None and not game.failed for game, found in rows) - len(lacking)
    left_out = "dropped" if choices.unreadable is UnreadableRule.DROPPED else "unscored"
    cells = {
        "pairs": len(rows) if wanted is None else wanted,
        "judged": sum(not game.failed for game, _ in rows),
        left_out: unread,
        "failed": sum(game.failed for game, _ in rows),
        "one_order": len(lacking),
        "without_label": sum(game.gold is None for game, _ in rows),
        "inconsistent": sum(found == INCONSISTENT for _, found in rows),
    }
    return Table(title="counts", head=tuple(cells), rows=(tuple(cells.values()),))


def lacks_orders(game: Game, choices: Choices) -> bool:
    """Whether a judged pair is left out because the rule compares two orders, and it has no two."""
    return game.one_order and not game.failed and choices.rule not in ONE_ORDER


def notes(played: Sequence[Game], choices: Choices) -> tuple[str, ...]:
    """What a reader of the figures must know."""
    lacking = sum(lacks_orders(game, choices) for game in played)
    if not lacking:
        return ()
    return (
        f"{lacking} of {len(played)} pairs have no two orders to compare, so rule {choices.rule.value} leaves"
        " them out: judging.swap_rate is below 1 (--direct asks both orders), or a jury judged (use --rule"
        " averaged)",
    )


def _by_group(compared: Sequence[tuple[Game, Outcome]], by: str) -> Table:
    groups: dict[str, list[tuple[Game, Outcome]]] = {}
    for game, found in compared:
        groups.setdefault(game.facts.get(by, "-"), []).append((game, found))
    return Table(
        title=f"agreement by {by}",
        head=(by, "n", "agreement"),
        rows=tuple(
            (name, len(rows), Figure.of("agreement", _right(rows)))
            for name, rows in sorted(groups.items())
        ),
        plot="agreement",
    )


def _right(rows: Sequence[tuple[Game, Outcome]]) -> Mean | None:
    return clustered_share(
        [found == game.gold for game, found in rows], [game.cluster for game, _ in rows]
    )


def _of_confusion(rows: Sequence[tuple[Game, Outcome]]) -> tuple[Figure, ...]:
    """Macro precision, recall and F1 over the gold's classes, kappa and Scott's pi."""
    pairs: list[tuple[Hashable, Hashable]] = [(game.gold, found) for game, found in rows]
    clusters = [game.cluster for game, _ in rows]
    return (
        *(Figure.of(name, one) for name, one in macro_figures(pairs, clusters).items()),
        *(
            Figure.of(name, one, percent=False)
            for name, one in chance_corrected_figures(pairs, clusters).items()
        ),
    )
