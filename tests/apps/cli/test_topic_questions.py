"""`topics apply --alter` asks before it changes anything."""

import pytest
import typer
from typer.testing import CliRunner

from judgestream.adapters.kafka.topic_plan import Change
from judgestream.apps.cli.topics import _confirm

CHANGE = Change(topic="judge.labels.v1", what="partitions", before="8", after="12")


def _ask(answer: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(lambda: _confirm([CHANGE], yes=False))
    done = CliRunner().invoke(app, [], input=answer)
    return done.exit_code, done.output


@pytest.mark.parametrize("answer", ["", "n\n"])
def test_without_a_yes_nothing_is_changed_and_the_option_is_named(answer: str) -> None:
    code, output = _ask(answer)
    assert code == 1
    assert "partitions 8 -> 12" in output
    assert "nothing was changed; where nobody can answer, add --yes" in output


def test_a_yes_goes_on() -> None:
    assert _ask("y\n")[0] == 0
