"""No password reaches a log line, an error message or the settings table, in whatever form it is set."""

import logging
import logging.config

import pytest
from typer.testing import CliRunner

from judgestream.adapters.redis.checking import check_redis
from judgestream.apps.cli import main
from judgestream.apps.cli.settings_table import shown
from judgestream.core.errors import ConfigurationError, StoreUnavailable
from judgestream.settings import Redis, load, names
from judgestream.telemetry.logs import MaskedLines

PASSWORD = "hunter2"
URLS = [
    f"redis://:{PASSWORD}@127.0.0.1:9/0",
    f"redis://bob:{PASSWORD}@127.0.0.1:9/0",
    f"redis://127.0.0.1:9/0?password={PASSWORD}",
    f"rediss://bob:{PASSWORD}%40x@127.0.0.1:9/0",
    f"unix:///run/nowhere.sock?password={PASSWORD}",
]
BROKEN = [
    f"redis://:x/{PASSWORD}@127.0.0.1:9/0",
    f"redis://:{PASSWORD}#@127.0.0.1:9/0",
    f"redis://a:{PASSWORD}:9/0",
    f"http://:{PASSWORD}@127.0.0.1:9",
    f":{PASSWORD}@127.0.0.1:9",
    f"redis://:{PASSWORD}@127.0.0.1:99999",
]


@pytest.mark.parametrize("url", URLS)
def test_the_settings_table_masks_it(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("JUDGESTREAM_REDIS__URL", url)
    monkeypatch.setenv("JUDGESTREAM_TRITON__CONTROL_KEY", PASSWORD)
    monkeypatch.setenv("JUDGESTREAM_KAFKA__PASSWORD", PASSWORD)
    settings = load()
    told = [shown(settings, path) for path, _, _ in names().values()]
    assert PASSWORD not in "\n".join([*told, repr(settings), str(settings)])


@pytest.mark.parametrize("url", BROKEN)
def test_an_invalid_url_is_named_by_its_setting_and_never_quoted(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("JUDGESTREAM_REDIS__URL", url)
    with pytest.raises(ConfigurationError, match=r"redis\.url") as refused:
        load()
    assert PASSWORD not in str(refused.value)
    done = CliRunner().invoke(main, ["settings"])
    assert done.exit_code == 2 and PASSWORD not in done.output


@pytest.mark.parametrize("url", URLS)
def test_an_unavailable_server_is_reported_without_the_password(url: str) -> None:
    with pytest.raises(StoreUnavailable) as refused:
        check_redis(Redis(url=url))
    assert PASSWORD not in str(refused.value)


@pytest.mark.parametrize("url", [*URLS, *BROKEN[:4]])
def test_a_log_line_and_its_traceback_are_masked(url: str) -> None:
    try:
        raise ValueError(f"cannot connect to {url}")
    except ValueError as error:
        record = logging.LogRecord(
            "x",
            logging.ERROR,
            __file__,
            1,
            "lost %s",
            (url,),
            (ValueError, error, error.__traceback__),
        )
    told = MaskedLines("%(message)s").format(record)
    assert "lost redis" in told or "lost" in told
    if "@" in url.split("://")[-1] or "password=" in url:
        assert PASSWORD not in told
