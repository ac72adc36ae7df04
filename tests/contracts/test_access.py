"""The table of users agrees with the table of topics, and with its page."""

import pytest

from judgestream.contracts.access import USERS, Right
from judgestream.contracts.topics import TOPICS
from judgestream.settings import Settings
from tests.paths import ROOT


def test_rights_of_the_judging_workers() -> None:
    assert USERS["judging"].full_name == "judgestream-judging"
    assert USERS["judging"].rights == (
        Right(
            kind="topic",
            name="judge.requests.v1",
            operations=("Read", "Describe", "DescribeConfigs"),
        ),
        Right(
            kind="topic",
            name="judge.verdicts.v1",
            operations=("Write", "Describe", "DescribeConfigs"),
        ),
        Right(
            kind="topic",
            name="judge.dlq.v1",
            operations=("Write", "Describe", "DescribeConfigs"),
        ),
        Right(kind="topic", name="judge.rollouts.v1", operations=("Read", "Describe")),
        Right(kind="group", name="judgestream-judging", operations=("Read", "Describe")),
    )


def test_every_topic_is_written_and_read_by_somebody_beside_the_operator() -> None:
    others = [user for user in USERS.values() if user.name != "operator"]
    written = {topic.name for user in others for topic in user.writes}
    read = {topic.name for user in others for topic in user.reads}
    # training examples come from an operator's `data` command
    assert set(TOPICS) - written == {"judge.training.v1"}
    assert set(TOPICS) - read == set()


@pytest.mark.parametrize("name", ["judging", "shadow", "bias"])
def test_a_worker_may_join_the_group_of_its_settings(name: str) -> None:
    assert USERS[name].group == getattr(Settings(), name).group


def test_only_the_operator_creates_topics_and_no_worker_reads_what_it_writes() -> None:
    assert [user.name for user in USERS.values() if user.creates] == ["operator"]
    for name in ("judging", "shadow", "bias"):
        assert set(USERS[name].writes).isdisjoint(USERS[name].reads), name


def test_the_page_has_a_row_for_every_user() -> None:
    page = (ROOT / "docs" / "how-to" / "secure.md").read_text()

    def names(topics: tuple[object, ...]) -> str:
        if len(topics) == len(TOPICS):
            return "every topic"
        return ", ".join(
            name.removeprefix("judge.").removesuffix(".v1")
            for name, topic in TOPICS.items()
            if topic in topics
        )

    for user in USERS.values():
        group = user.group or (f"{user.groups}*" if user.groups else "")
        cells = (
            f"`{user.full_name}`",
            user.purpose,
            names(user.reads) or "-",
            names(user.writes) or "-",
            f"`{group}`" if group else "-",
        )
        assert "| " + " | ".join(cells) + " |" in page, user.name
