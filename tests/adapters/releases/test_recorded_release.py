"""Recorded releases: prompts as a worker renders them, and files that somebody changed."""

from pathlib import Path

import pytest

from judgestream.adapters.releases.installed import changes, find
from judgestream.adapters.releases.recorded import Recording, install_recorded, recording_of
from judgestream.contracts.recording import FILE, key_of, read
from judgestream.core.errors import ConfigurationError, InvalidRequest
from judgestream.core.formats.fields import Fields, Place
from judgestream.core.modes import MODES, plan
from judgestream.core.probe import known_good
from judgestream.core.templates import TEMPLATES
from judgestream.core.types import Candidate, Request
from tests.suites.verdicts import AT

CHOICE = TEMPLATES["chat-choice-v1"]


def rows(*values: dict[str, object]) -> list[Fields]:
    return [Fields(one, Place(file="f", number=k)) for k, one in enumerate(values, start=1)]


PAIR: dict[str, object] = {"question": "q?", "answers": ["a", "b"], "reply": "A"}


def test_a_recorded_prompt_is_the_one_that_a_worker_sends() -> None:
    swapped = {**PAIR, "answers": ["b", "a"], "reply": "C", "reference": "r"}
    found = recording_of(rows(PAIR, swapped), CHOICE)
    assert (found.rows, found.conflicts) == (2, 0)
    for reference, expected in ((None, ("A", None)), ("r", (None, "C"))):
        request = Request(
            request_id="other",
            mode="pairwise",
            question="q?",
            candidates=(Candidate(id="x", text="a", system="s"), Candidate(id="y", text="b")),
            requested_at=AT,
            reference=reference,
        )
        passes = plan(request, MODES["pairwise"], CHOICE)
        replies = tuple(found.replies.get(key_of(one.prompt)) for one in passes)
        assert replies == expected


@pytest.mark.parametrize(
    ("template", "reply"),
    [("chat-choice-v1", "A"), ("chat-v1", "10 1"), ("judgelm-v1", "10 1")],
)
def test_the_known_good_prompt_is_answered_as_a_working_judge_does(
    template: str, reply: str
) -> None:
    found = recording_of(rows(PAIR), TEMPLATES[template])
    (probe,) = known_good(TEMPLATES[template])
    assert found.replies[key_of(probe.prompt)] == reply


def test_a_row_that_contradicts_an_earlier_one_is_counted() -> None:
    found = recording_of(rows(PAIR, PAIR, {**PAIR, "reply": "B"}), CHOICE)
    assert (found.rows, found.conflicts) == (3, 1)
    assert "B" not in found.replies.values()


@pytest.mark.parametrize(
    "row",
    [
        {"question": "q", "answers": ["a", "b", "c"], "reply": "A"},
        {"question": "q", "answers": ["a", 1], "reply": "A"},
        {"question": "q", "answers": [], "reply": "A"},
        {"question": "q", "answers": ["a", "b"]},
        {"question": "", "answers": ["a", "b"], "reply": "A"},
    ],
    ids=["three", "number", "none", "no-reply", "no-question"],
)
def test_a_row_that_shows_nothing_to_judge_is_refused_with_its_place(
    row: dict[str, object],
) -> None:
    with pytest.raises(InvalidRequest, match="f, line 1"):
        recording_of(rows(row), CHOICE)


def install(repository: Path, recording: Recording) -> str:
    return install_recorded("gpt-4", recording, repository, template_id=CHOICE.id).name


def test_an_installed_recording_is_a_release_whose_name_depends_on_every_reply(
    tmp_path: Path,
) -> None:
    recording = recording_of(rows(PAIR), CHOICE)
    name = install(tmp_path, recording)
    release = find(tmp_path, name)
    assert (release.family, release.release.template_id) == ("recorded", CHOICE.id)
    assert install(tmp_path, recording) == name
    assert install(tmp_path, recording_of(rows({**PAIR, "reply": "B"}), CHOICE)) != name
    path = tmp_path / name / "1" / FILE
    with path.open(encoding="utf-8") as file:
        assert read(file) == recording.replies
    assert changes(tmp_path, release) == []
    path.write_text(path.read_text().replace('"A"', '"B"', 1))
    assert "was changed since its installation" in changes(tmp_path, release)[0]
    path.write_text("no json\n")
    assert "line 1 is not a recorded reply" in changes(tmp_path, release)[0]


def test_a_name_that_is_not_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="invalid name"):
        install_recorded("a/b", recording_of(rows(PAIR), CHOICE), tmp_path, template_id=CHOICE.id)
