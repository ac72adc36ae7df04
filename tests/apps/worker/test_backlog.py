"""The backlog of a new consumer group, in records and money."""

import pytest

from judgestream.adapters.kafka.starting import Start, as_time
from judgestream.apps.worker import backlog
from judgestream.apps.worker.backlog import PaidJudge, describe, paid_judge, place_group
from judgestream.contracts.topics import REQUESTS
from judgestream.core.costs import Prices
from judgestream.core.errors import ConfigurationError
from judgestream.settings import Judging, Kafka

START = Start(new=True, offsets={0: 0, 1: 5}, records=2321, sizes=(800, 1200))


def test_the_backlog_is_described_with_its_prompts_and_their_cost() -> None:
    assert describe(START, None) == "2,321 records before it"
    # 4,642 prompts of (1000 bytes / 4 + 200) tokens at 2 per million, and 16 written ones at 10
    assert describe(START, PaidJudge(prices=(Prices(per_million_in=2, per_million_out=10),))) == (
        "2,321 records before it, about 4,642 prompts, about $4.92"
    )
    assert "states no prices" in describe(START, PaidJudge())


@pytest.mark.parametrize(
    ("parameters", "costs"),
    [
        ({"family": "judgelm"}, False),
        ({"family": "openai_judge", "key_variable": ""}, False),
        ({"family": "openai_judge", "key_variable": "KEY"}, True),
        ({"family": "openai_judge", "price_in": "0.5"}, True),
        ({"family": "judgelm", "price_in": "0.5"}, True),
    ],
)
def test_an_endpoint_with_a_key_or_a_price_is_paid(parameters: dict[str, str], costs: bool) -> None:
    assert (paid_judge([{"family": "judgelm"}, parameters]) is not None) is costs


@pytest.fixture
def committed(monkeypatch: pytest.MonkeyPatch) -> list[Start]:
    found: list[Start] = []
    monkeypatch.setattr(backlog, "find_start", lambda *_, **__: START)
    monkeypatch.setattr(backlog, "commit_start", lambda *_, start, **__: found.append(start))
    return found


def place(start: str, judge: PaidJudge | None, accepted: int) -> None:
    consumer = Judging(group="g", start=start)
    place_group(Kafka(), consumer=consumer, topic=REQUESTS, judge=judge, accepted=accepted)


def test_a_paid_backlog_has_to_be_accepted_and_the_choices_are_named(
    committed: list[Start],
) -> None:
    with pytest.raises(ConfigurationError, match="4,642 prompts") as refused:
        place("earliest", PaidJudge(), 1000)
    assert "START=latest" in str(refused.value) and "ACCEPT_BACKLOG=2321" in str(refused.value)
    place("earliest", PaidJudge(), 2321)
    place("earliest", None, 0)
    assert committed == []
    place("latest", None, 0)
    assert committed == [START]


def test_a_start_is_a_keyword_or_a_time() -> None:
    for start in ("earliest", "latest", "2026-01-31", "2026-01-31T12:00:00Z"):
        assert Judging(start=start).start == start
    for start in ("", "first", "31.1.2026", "now"):
        with pytest.raises(ValueError, match="ISO time"):
            Judging(start=start)
    assert as_time("2026-01-31").isoformat() == "2026-01-31T00:00:00+00:00"
