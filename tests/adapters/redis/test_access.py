"""The table of Redis users: every right can be tried, and none reaches beyond the prefix."""

import pytest

from judgestream.adapters.redis.access import ACCESS, CONNECTION, EXAMPLES, SERVICES, Access, trial

DANGEROUS = {"flushall", "flushdb", "config", "keys", "acl", "debug", "shutdown", "monitor", "save"}


def test_rules_name_keys_and_commands_and_forbid_the_rest() -> None:
    row = Access(service="s", keys=("a:*",), reads=("b",), commands=("get",))
    assert row.user("p") == "p-s"
    assert row.rules("p") == (
        "~p:a:* %R~p:b resetchannels -@all +discard +get +info +multi +ping +select"
    )


@pytest.mark.parametrize("row", ACCESS, ids=lambda row: row.service)
def test_every_command_of_a_service_can_be_tried_and_none_is_dangerous(row: Access) -> None:
    commands = {*CONNECTION, *row.commands}
    assert commands <= EXAMPLES.keys()
    assert not commands & DANGEROUS
    tried = {right for right, _ in trial(row, "p")}
    assert {"+eval", "+get", "+set"} <= tried
    assert {f"~p:{key}" for key in row.keys} <= tried
    assert {f"%R~p:{key}" for key in row.reads} <= tried


def test_a_trial_names_one_key_below_the_prefix() -> None:
    words = dict(trial(SERVICES["bias"], "p"))
    assert words["+hget"] == ("HGET", "p:workers", "x")
    assert words["~p:bias:*"] == ("SET", "p:bias:x", "x")
    assert words["+script|load"] == ("SCRIPT", "LOAD", "return 1")
