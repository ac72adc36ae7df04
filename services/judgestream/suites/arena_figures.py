"""Figures of models that met in pairs: win rates, ratings, and the agreement of a judge with people."""

from collections.abc import Mapping, Sequence

from judgestream.core.preference import Preference
from judgestream.evaluation.clusters import clustered_mean, clustered_share
from judgestream.evaluation.elo import elo
from judgestream.evaluation.leaderboard import Battle, leaderboard
from judgestream.suites.pairs import Game
from judgestream.suites.report import Figure, Table

Decided = Sequence[tuple[Game, Preference]]
"""Pairs with their outcome. The facts `first` and `second` name the models."""


def win_table(title: str, decided: Decided) -> Table:
    """Wins, losses and ties of each model; rates as FastChat's `show_result.py` has them.

    win_rate = W / (W + L + T), win_rate_adjusted = (W + T / 2) / (W + L + T).
    """
    results: dict[str, list[tuple[int, str]]] = {}
    for game, found in decided:
        for side, sign in (("first", 1), ("second", -1)):
            results.setdefault(game.facts[side], []).append((sign * int(found), game.cluster))
    rows = []
    for model, played in results.items():
        signs, clusters = [sign for sign, _ in played], [cluster for _, cluster in played]
        adjusted = clustered_mean([(sign + 1) / 2 for sign in signs], clusters)
        wins = clustered_share([sign == 1 for sign in signs], clusters)
        rows.append(
            (
                model,
                signs.count(1),
                signs.count(-1),
                signs.count(0),
                Figure.of("win_rate", wins),
                Figure.of("win_rate_adjusted", adjusted),
            )
        )
    rows.sort(key=lambda row: -(row[5].value or 0.0))
    return Table(
        title=title,
        head=("model", "wins", "losses", "ties", "win_rate", "win_rate_adjusted"),
        rows=tuple(rows),
        plot="win_rate_adjusted",
    )


def ratings_table(decided: Decided) -> Table:
    """Bradley-Terry ratings with their intervals, see `evaluation.leaderboard`, and Elo's."""
    board = leaderboard(
        Battle(
            first=game.facts["first"],
            second=game.facts["second"],
            outcome=found,
            cluster=("prompt", game.cluster),
            styles=None,
        )
        for game, found in decided
    )
    sequential = elo((game.facts["first"], game.facts["second"], found) for game, found in decided)
    return Table(
        title="ratings",
        head=("model", "rank", "bradley_terry", "elo"),
        rows=tuple(
            (
                place.system,
                place.rank,
                Figure(
                    name="rating",
                    value=place.rating.value,
                    interval=place.rating.interval,
                    percent=False,
                ),
                round(sequential[place.system], 1),
            )
            for place in board.places
        ),
        plot="bradley_terry",
    )


def human_agreement(decided: Decided) -> tuple[Figure, ...]:
    """The paper's two setups: the share of people's votes that the judge's outcome agrees with.

    S1 counts all votes, ties as they are (a random judge agrees with 33 %); S2 only votes where neither is a
    tie (50 %). Votes on one question are one cluster.
    """
    votes = [
        (found, Preference(int(word)), game.cluster)
        for game, found in decided
        for word in game.facts.get("votes", "").split()
    ]
    if not votes:
        return ()
    setups: Mapping[str, list[tuple[Preference, Preference, str]]] = {
        "human_agreement_s1": votes,
        "human_agreement_s2": [one for one in votes if one[0] and one[1]],
    }
    return tuple(
        Figure.of(
            name,
            clustered_share(
                [judge == person for judge, person, _ in rows], [cluster for *_, cluster in rows]
            ),
        )
        for name, rows in setups.items()
    )
