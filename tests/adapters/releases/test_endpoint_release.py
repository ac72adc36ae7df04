"""Releases behind endpoints and juries: names, what their configuration keeps, and what is read back."""

from dataclasses import replace
from pathlib import Path

import pytest

from judgestream.adapters.releases.endpoint import RemoteJudge, install_endpoint
from judgestream.adapters.releases.installed import changes, find, installed
from judgestream.adapters.releases.jury import install_jury
from judgestream.adapters.releases.model_config import bundled_models
from judgestream.adapters.releases.model_repository import install
from judgestream.adapters.releases.parameters import kept_terms, parameters_of, set_terms
from judgestream.backends.chat.request_options import RequestOptions, SystemText
from judgestream.core.costs import Budget, Prices, Terms
from judgestream.core.errors import ConfigurationError
from judgestream.core.jury import Juror, JuryRecord, JuryRule

REMOTE = RemoteJudge(endpoint="http://host/v1", endpoint_model="m")
TERMS = Terms(prices=Prices(per_million_in=3.0, per_million_out=15.0), budget=Budget(per_day=2.5))
TINY = bundled_models() / "judges" / "tiny"


def test_a_release_of_an_earlier_version_keeps_its_name() -> None:
    # SHA-256 of [2, "http://host/v1", "m", "chat-v1", 20, 0]
    assert REMOTE.digest.startswith("5a1cd912")


def test_options_that_change_answers_make_another_release() -> None:
    def name(**options: object) -> str:
        return replace(REMOTE, options=RequestOptions(**options)).digest  # type: ignore[arg-type]

    same = {name(), name(limit="max_completion_tokens"), name(key_header="api-key")}
    others = {
        name(protocol="anthropic"),
        name(temperature=False),
        name(reasoning_effort="low"),
        name(system=SystemText.USER),
        name(headers={"a": "b"}),
    }
    assert same == {REMOTE.digest} and len(others | same) == 6


def test_prices_and_budget_are_kept_when_the_release_is_installed_again(tmp_path: Path) -> None:
    release = install_endpoint(REMOTE, tmp_path, terms=TERMS)
    folder = tmp_path / release.name
    assert install_endpoint(REMOTE, tmp_path) == release and kept_terms(folder) == TERMS
    more = Terms(prices=TERMS.prices, budget=Budget(per_day=5, total=100))
    set_terms(folder, more)
    assert kept_terms(folder) == more and find(tmp_path, release.name).release == release
    set_terms(folder, Terms())
    assert kept_terms(folder) == Terms() and "price_in" not in parameters_of(folder)


def test_a_checkpoint_has_prices_too(tmp_path: Path) -> None:
    release = install(TINY, tmp_path, terms=TERMS)
    install(TINY, tmp_path)
    assert kept_terms(tmp_path / release.name) == TERMS
    assert changes(tmp_path, find(tmp_path, release.name)) == []


def test_options_reach_the_model(tmp_path: Path) -> None:
    options = RequestOptions(protocol="anthropic", headers={"anthropic-beta": 'a"b'})
    release = install_endpoint(replace(REMOTE, options=options), tmp_path)
    stated = parameters_of(tmp_path / release.name)["request_options"]
    assert RequestOptions.of_json(stated) == options


def jury(rule: JuryRule, *names: str) -> JuryRecord:
    return JuryRecord(rule=rule, members=tuple(Juror(release=name) for name in names), quorum=1)


def test_a_jury_loads_with_its_members_and_needs_their_keys(tmp_path: Path) -> None:
    tiny = install(TINY, tmp_path)
    remote = install_endpoint(replace(REMOTE, key_variable="KEY"), tmp_path)
    record = jury(JuryRule.MEAN, tiny.name, remote.name)
    release = install_jury("panel", record, tmp_path)
    assert release.name == f"panel-{release.checkpoint_digest[:8]}"
    assert release.max_input_tokens == min(tiny.max_input_tokens, remote.max_input_tokens)
    found = find(tmp_path, release.name)
    assert found.models == (tiny.name, remote.name, release.name)
    assert found.members == (tiny.name, remote.name) and found.key_variables == ("KEY",)
    assert JuryRecord.of(parameters_of(tmp_path / release.name)) == record
    assert changes(tmp_path, found) == []
    assert {one.name for one in installed(tmp_path)} == {tiny.name, remote.name, release.name}
    majority = install_jury("panel", jury(JuryRule.MAJORITY, tiny.name, remote.name), tmp_path)
    assert majority.name != release.name


def test_a_jury_of_strangers_or_of_juries_is_refused(tmp_path: Path) -> None:
    tiny = install(TINY, tmp_path).name
    remote = install_endpoint(REMOTE, tmp_path).name
    made = install_jury("panel", jury(JuryRule.MEAN, tiny, remote), tmp_path).name
    for record, words in (
        (jury(JuryRule.MEAN, tiny, "nobody"), "no release 'nobody'"),
        (jury(JuryRule.MEAN, tiny, made), "is a jury"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            install_jury("other", record, tmp_path)
    for name in ("", "a/b", "a b", ".."):
        with pytest.raises(ConfigurationError, match="invalid name"):
            install_jury(name, jury(JuryRule.MEAN, tiny, remote), tmp_path)
