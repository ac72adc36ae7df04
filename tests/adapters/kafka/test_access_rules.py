"""Access rules as commands of Kafka's own tool."""

import pytest
from typer.testing import CliRunner

from judgestream.adapters.kafka.access_rules import rules
from judgestream.apps.cli import main
from judgestream.contracts.access import USERS


def test_a_rule_is_one_call_of_kafkas_tool() -> None:
    commands = [rule.command("kafka:9093") for rule in rules([USERS["consumer"]])]
    start = (
        "kafka-acls.sh --bootstrap-server kafka:9093 --command-config admin.properties --add"
        " --allow-principal 'User:judgestream-consumer' --operation Read --operation Describe"
    )
    assert commands == [
        f"{start} --topic judge.verdicts.v1",
        f"{start} --topic judge.bias.v1",
        f"{start} --topic judge.alarms.v1",
        f"{start} --group consumer- --resource-pattern-type prefixed",
    ]


def test_the_command_prints_the_rules_of_a_principal() -> None:
    arguments = ["topics", "acls", "--user", "scaler", "--principal", "User:CN=keda"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert len(lines) == 2
    assert "--allow-principal 'User:CN=keda' --operation Describe --topic judge.req" in lines[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--user", "nobody"], "unknown user nobody: use one of producer, client"),
        (["--principal", "User:x"], "needs exactly one --user"),
        (["--user", "bias", "--principal", "alice"], "starts with User:"),
    ],
)
def test_wrong_names_are_refused(arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(main, ["topics", "acls", *arguments])
    assert done.exit_code == 2
    assert message in done.stderr
