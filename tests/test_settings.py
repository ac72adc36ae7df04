"""Settings are typed and read once, and an unknown name is an error that names it."""

from pathlib import Path

import pytest

from judgestream.core.errors import ConfigurationError
from judgestream.settings import CONFIG, load, names
from tests.paths import ROOT


def test_environment_over_file_over_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "judgestream.yaml"
    file.write_text("kafka:\n  bootstrap: file:1\njudging:\n  inflight: 7\n")
    monkeypatch.setenv(CONFIG, str(file))
    monkeypatch.setenv("JUDGESTREAM_KAFKA__BOOTSTRAP", "env:1")
    settings = load()
    assert settings.kafka.bootstrap == "env:1"
    assert settings.judging.inflight == 7
    assert settings.judging.outstanding == 512


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("JUDGESTREAM_KAFKA__BOOTSTRP", "x", "JUDGESTREAM_KAFKA__BOOTSTRP: no such setting"),
        ("JUDGESTREAM_JUDGING__INFLIGHT", "many", "judging.inflight"),
        ("JUDGESTREAM_JUDGING__INFLIGHT", "0", "judging.inflight"),
        ("JUDGESTREAM_JUDGING__DEADLINE_S", "500", "kafka.rebalance_timeout_s must exceed"),
        (CONFIG, "/nowhere.yaml", "/nowhere.yaml, which is not a file"),
    ],
)
def test_an_invalid_value_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=message):
        load()


def test_a_misspelt_variable_is_reported_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGESTREAM_KAFKA__BOOTSTRP", "x")
    with pytest.raises(ConfigurationError) as caught:
        load()
    assert str(caught.value).lower().count("bootstrp") == 1


@pytest.mark.parametrize("text", ["kafka:\n  bootstrp: x\n", "kafka: [", "nonsense: 1\n"])
def test_an_invalid_file_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    file = tmp_path / "judgestream.yaml"
    file.write_text(text)
    monkeypatch.setenv(CONFIG, str(file))
    with pytest.raises(ConfigurationError):
        load()


def test_secrets_are_masked() -> None:
    settings = load(kafka={"password": "hunter2"}, redis={"url": "redis://:hunter2@h/0"})
    assert "hunter2" not in repr(settings)


def test_the_page_of_settings_has_a_row_for_each_with_its_default() -> None:
    page = (ROOT / "docs" / "reference" / "settings.md").read_text()
    for path, default, meaning in names().values():
        assert f"| `{path}` | {f'`{default}`' if default else '-'} | {meaning} |" in page, path
