"""Every alert has a page, tests that it fires and that it does not, and words; every page has an alert."""

import re
from collections import defaultdict

import pytest
import yaml

from judgestream.settings import Settings
from tests.deploy import monitoring
from tests.deploy.monitoring import RULE_TESTS, RULES, alerts
from tests.monitoring.catalogue import labels_by_series
from tests.paths import ROOT
from tests.prometheus.promtool import promtool, required

RUNBOOKS = ROOT / "docs" / "runbooks"
PAGES = {f"docs/runbooks/{path.name}" for path in RUNBOOKS.glob("*.md")} - {
    "docs/runbooks/index.md"
}
ALERTS = alerts()
NAMES = [rule["alert"] for rule in ALERTS]


@pytest.mark.parametrize("rule", ALERTS, ids=NAMES)
def test_an_alert_says_what_it_is_and_where_to_read_on(rule: dict[str, dict[str, str]]) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert {"summary", "description", "runbook_url"} == rule["annotations"].keys()
    text = (ROOT / rule["annotations"]["runbook_url"]).read_text(encoding="utf-8")
    assert re.search(rf"^Alert: .*\b{rule['alert']}\b", text, re.MULTILINE)
    assert rule["labels"]["severity"] in text
    for part in ("Meaning", "Impact", "Check", "Fix"):
        assert f"**{part}.**" in text


def test_every_page_has_an_alert_and_a_place_in_the_navigation() -> None:
    linked = {rule["annotations"]["runbook_url"] for rule in ALERTS}
    assert linked == PAGES
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    index = (RUNBOOKS / "index.md").read_text(encoding="utf-8")
    for page in PAGES:
        assert page.removeprefix("docs/") in navigation
        assert f"({page.rpartition('/')[2]})" in index
    assert set(re.findall(r"\w+", index)) >= set(NAMES)


def test_every_alert_is_tested_firing_and_silent() -> None:
    fires: dict[str, set[bool]] = defaultdict(set)
    for path in RULE_TESTS:
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]:
            for test in group["promql_expr_test"] if "promql_expr_test" in group else ():
                (name,) = re.findall(r'alertname="(\w+)"', test["expr"])
                fires[name].add(bool(test["exp_samples"]))
    assert fires == {name: {True, False} for name in NAMES}


def test_rules_ask_for_series_and_labels_that_exist() -> None:
    ours = labels_by_series()
    recorded = {
        rule["record"]
        for group in monitoring.groups()
        for rule in group["rules"]
        if "record" in rule
    }
    text = RULES.read_text(encoding="utf-8")
    asked = set(re.findall(r"\bjudgestream_\w+", text))
    assert asked and asked <= ours.keys()
    assert set(re.findall(r"\bjudgestream:[\w:]+", text)) == recorded
    for name, matchers in re.findall(r"\b(judgestream_\w+)\{([^}]*)\}", text):
        labels = set(re.findall(r"(\w+)[!=]~?\"", matchers))
        assert labels <= ours[name] | {"job", "instance"}, (name, labels)


def test_runbooks_name_settings_that_exist() -> None:
    groups = Settings.model_fields
    named = set()
    for path in RUNBOOKS.glob("*.md"):
        for group, name in re.findall(r"`(\w+)\.(\w+)`", path.read_text(encoding="utf-8")):
            if group in groups:
                assert name in groups[group].annotation.model_fields, (path.name, group, name)  # type: ignore[union-attr]
                named.add(f"{group}.{name}")
    assert "judging.deadline_s" in named


def test_generated_files_are_current() -> None:
    assert list(monitoring.stale()) == []


def test_promtool_runs_the_tests_of_the_rules() -> None:
    required()
    assert promtool("test", "rules", *RULE_TESTS) == ""
