"""The policy of the alarms: what it accepts, and what it says about the rest."""

from importlib.resources import files

import pytest
import yaml

from judgestream.core.errors import ConfigurationError
from judgestream.evaluation.alarms.policy import AlarmPolicy, Side


def test_the_shipped_policy_watches_both_orders_the_position_and_unread_replies() -> None:
    text = files("judgestream.apps.bias").joinpath("alarms.yaml").read_text("utf-8")
    policy = AlarmPolicy.from_mapping(yaml.safe_load(text))
    assert [rule.metric for rule in policy.rules] == [
        "flip_consistency",
        "delta_bias",
        "unscored_rate",
    ]
    assert policy.false_share == 0.05


def test_a_rule_has_a_side_a_level_to_clear_and_a_pattern_of_releases() -> None:
    row = {"metric": "tie_rate", "above": 0.3, "least": 7, "releases": "judgelm-*"}
    (rule,) = AlarmPolicy.from_mapping({"rules": {"ties": row}}).rules
    assert (rule.side, rule.limit, rule.clear, rule.least) == (Side.ABOVE, 0.3, 0.3, 7)
    assert rule.applies_to("judgelm-0") and not rule.applies_to("openai-0")
    assert rule.is_clear(0.3) and not rule.is_clear(0.31)


GOOD = {"metric": "tie_rate", "above": 0.3}


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (None, "a mapping"),
        ({"rule": {}}, "'rule' is unknown: use one of false_share, rules"),
        ({"false_share": 0}, "above 0 and below 0.5"),
        ({"rules": [1]}, "a mapping of at most 50"),
        ({"rules": {"": GOOD}}, "a name"),
        (
            {"rules": {"a": {**GOOD, "metric": "ties"}}},
            "rules.a.metric 'ties' is unknown: use one of",
        ),
        ({"rules": {"a": {**GOOD, "below": 0.2}}}, "either above or below"),
        ({"rules": {"a": {"metric": "tie_rate"}}}, "needs a limit"),
        ({"rules": {"a": {**GOOD, "above": True}}}, "rules.a.above is 'True'"),
        ({"rules": {"a": {**GOOD, "clear": 0.4}}}, "choose the other side"),
        ({"rules": {"a": {**GOOD, "least": 0}}}, "whole number"),
        ({"rules": {"a": {**GOOD, "releases": 3}}}, "pattern"),
        ({"rules": {"a": {"metric": "delta_bias", "below": 0.3}}}, "magnitude"),
    ],
    ids=[
        *("no mapping", "unknown key", "share", "list", "no name", "unknown metric", "both sides"),
        *("no limit", "not a number", "wrong side", "no verdicts", "no pattern", "magnitude"),
    ],
)
def test_a_wrong_policy_is_refused_by_its_key(policy: object, words: str) -> None:
    with pytest.raises(ConfigurationError, match="alarm policy: ") as refused:
        AlarmPolicy.from_mapping(policy)
    assert words in str(refused.value)
