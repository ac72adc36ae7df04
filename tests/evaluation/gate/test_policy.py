"""The policy: what is refused and how it is said; and that the shipped file is the default."""

from importlib.resources import files
from typing import Any

import pytest
import yaml

from judgestream.core.errors import ConfigurationError
from judgestream.evaluation.gate import GUARDS, Automatic, Policy, Rule

RULE = {"margin": 0.05}


def test_the_shipped_file_is_the_default_and_names_every_guard() -> None:
    shipped = files("judgestream.apps.rollout").joinpath("policy.yaml").read_text("utf-8")
    assert Policy.from_mapping(yaml.safe_load(shipped)) == Policy()
    assert list(Policy().guards) == list(GUARDS)


def test_what_is_left_out_keeps_its_default_and_guards_that_are_left_out_are_not_applied() -> None:
    policy = Policy.from_mapping(
        {"guards": {"labels": RULE}, "automatic": {"promote": True}, "canary_share": 0.2}
    )
    assert policy.guards == {"labels": Rule(margin=0.05)}
    assert policy.automatic == Automatic(promote=True, rollback=True)
    assert (policy.alpha, policy.canary_share) == (0.05, 0.2)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "the policy is 'None': write a mapping of alpha, guards"),
        ({"aplha": 0.1}, "the policy 'aplha' is unknown: use one of alpha"),
        ({"alpha": "5 %"}, "alpha is '5 %': write a number"),
        ({"alpha": True}, "alpha is 'True': write a number"),
        ({"alpha": 0}, "alpha is 0.0: use a number above 0 and below 0.5"),
        ({"alpha": 10**400}, "alpha is 1000000000.0: use a number above 0"),
        ({"alpha": float("nan")}, "alpha is nan: use a number above 0"),
        ({"guards": {"label": RULE}}, "guards 'label' is unknown: use one of labels"),
        ({"guards": {"labels": 0.03}}, "guards.labels is '0.03': write a mapping of margin"),
        ({"guards": {"labels": {}}}, "guards.labels.margin is missing: state the loss"),
        ({"guards": {"labels": {"margin": 1.5}}}, "guards.labels.margin is 1.5: use a number above 0"),
        ({"guards": {"labels": {"margin": 3, "x": 1}}}, "guards.labels 'x' is unknown"),
        ({"guards": {"labels": RULE | {"weight": -1}}}, "guards.labels.weight is -1.0"),
        ({"guards": {"labels": RULE | {"required": "no"}}}, "required is 'no': write true or false"),
        ({"guards": {"labels": RULE | {"least_units": 1.5}}}, "least_units is '1.5': use a whole"),
        ({"guards": {"labels": RULE | {"required": False}}}, "no guard is required"),
        ({"guards": {}}, "no guard is required, so nothing would stop a judge"),
        ({"automatic": {"promote": 1}}, "automatic.promote is '1': write true or false"),
        ({"automatic": {"demote": True}}, "automatic 'demote' is unknown"),
        ({"canary_share": 1}, "canary_share is 1.0: use a number above 0 and below 1"),
        ({"canary_steps": 0.5}, "canary_steps is '0.5': write a list of numbers"),
        ({"canary_steps": [0.5, "all"]}, "canary_steps[1] is 'all': write a number"),
        ({"canary_steps": [0.5, 0.4]}, "canary_steps[1] is 0.4: use a share above 0.5"),
        ({"canary_steps": [0.1]}, "canary_steps[0] is 0.1: use a share above 0.1"),
        ({"canary_steps": [1]}, "canary_steps[0] is 1.0: use a share above 0.1"),
        ({"canary_step_s": -1}, "canary_step_s is -1.0: use seconds"),
        ({"canary_step_s": float("nan")}, "canary_step_s is nan: use seconds"),
        ({"least_shadow_units": True}, "least_shadow_units is 'True': use a whole number"),
    ],
)  # fmt: skip
def test_a_wrong_key_is_named_with_how_to_fix_it(data: Any, message: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        Policy.from_mapping(data)
    assert f"rollout policy: {message}" in str(error.value) or message in str(error.value)


def test_a_first_share_above_the_default_steps_leaves_them_out() -> None:
    assert Policy.from_mapping({"canary_share": 0.6}).canary_steps == ()
    assert Policy.from_mapping({"canary_share": 0.2}).canary_steps == (0.5,)


def test_shares_of_the_error_budget_add_up_to_one() -> None:
    policy = Policy()
    assert sum(map(policy.budget, policy.guards)) == pytest.approx(1)
    none = Policy(guards={"labels": Rule(margin=0.03, weight=0.0)})
    assert none.budget("labels") == 0
