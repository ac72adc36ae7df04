"""`judgestream release jury`: several releases that judge together."""

from typing import Annotated

import typer

from judgestream.apps.cli.release.place import Repository, print_installed, repository_of
from judgestream.core.errors import ConfigurationError
from judgestream.core.jury import Juror, JuryRecord, JuryRule, default_quorum
from judgestream.terminal import options
from judgestream.terminal.output import OutputFormat


def jury_command(
    name: Annotated[str, typer.Argument(help="name of the jury; its digest is added to it")],
    members: Annotated[str, typer.Option(help="installed releases, separated by commas")],
    rule: Annotated[
        JuryRule,
        typer.Option(
            help="majority of the members' outcomes, mean or weighted mean of their probabilities, or"
            " cascade: ask the next member only if one is unsure"
        ),
    ] = JuryRule.MAJORITY,
    weight: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RELEASE=NUMBER",
            help="for --rule weighted, once per member: its measured accuracy, for example",
        ),
    ] = None,
    quorum: Annotated[
        int,
        typer.Option(
            min=0, help="members that must give a scored verdict; 0: more than half of them"
        ),
    ] = 0,
    below: Annotated[
        float,
        typer.Option(
            metavar="CONFIDENCE",
            help="for --rule cascade: a member that is less confident than this is unsure",
        ),
    ] = 0.0,
    then: Annotated[
        JuryRule | None,
        typer.Option(
            help="for --rule cascade: if the first member is unsure, ask all others and let them vote by this"
            " rule; without it they are asked one after the other"
        ),
    ] = None,
    repository: Repository = None,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Install a jury of installed releases. It gives one verdict per request, with each member's on it."""
    from judgestream.adapters.releases.jury import install_jury

    names = [one.strip() for one in members.split(",") if one.strip()]
    weights = _weights(weight or [], names, then or rule)
    jurors = tuple(Juror(release=one, weight=weights.get(one, 1.0)) for one in names)
    one_decides = rule is JuryRule.CASCADE and then is None
    record = JuryRecord(
        rule=rule,
        members=jurors,
        quorum=quorum or (1 if one_decides else default_quorum(jurors)),
        below=below,
        then=then,
    )
    place = repository_of(repository)
    print_installed(install_jury(name, record, place), place, form)


def _weights(given: list[str], names: list[str], rule: JuryRule) -> dict[str, float]:
    """The weights by release.

    Raises:
        ConfigurationError: one is malformed, or names no member; or the rule needs those that are missing.
    """
    weights: dict[str, float] = {}
    for text in given:
        name, _, number = text.rpartition("=")
        try:
            weights[name.strip()] = float(number)
        except ValueError:
            raise ConfigurationError(
                f"invalid --weight {text[:80]!r}: give RELEASE=NUMBER, such as judgelm-8a288663=0.7"
            ) from None
    unknown = sorted(set(weights) - set(names))
    missing = sorted(set(names) - set(weights)) if rule is JuryRule.WEIGHTED else []
    if unknown:
        raise ConfigurationError(
            f"--weight names {', '.join(unknown)}, not a member: give a member's full name"
        )
    if missing:
        raise ConfigurationError(
            f"--rule weighted needs a weight for every member: add --weight for {', '.join(missing)}"
        )
    return weights
