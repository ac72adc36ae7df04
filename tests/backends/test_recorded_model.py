"""A recording that was changed after its installation is not served."""

from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from judgestream.backends.model_arguments import ModelArguments
from judgestream.backends.recorded_model import RecordedModel
from judgestream.contracts.recording import FILE, digest_of, key_of, read, written
from judgestream.core.errors import ConfigurationError, RejectedByJudge
from judgestream.core.prompt import Prompt
from judgestream.core.templates import TEMPLATES
from judgestream.core.types import Reply

PB: Any = SimpleNamespace()
GRAMMAR = TEMPLATES["chat-choice-v1"].forms["pair"].grammar
REPLIES = {key_of("shown"): "B", key_of("odd"): "garbage"}


def model(folder: Path, digest: str) -> RecordedModel:
    arguments = ModelArguments(
        name="m",
        version="1",
        kind="CPU",
        device_id=0,
        folder=folder,
        parameters={"checkpoint_digest": digest, "template_id": "chat-choice-v1", "template": '""'},
        decoupled=False,
    )
    return RecordedModel(arguments, PB)


def test_prompts_get_their_recorded_reply_or_a_refusal(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(written(REPLIES), encoding="utf-8")
    served = model(tmp_path, digest_of('chat-choice-v1""', REPLIES))
    prompts = [Prompt(text=text, grammar=GRAMMAR) for text in ("shown", "odd", "other")]
    found = dict(served._stream(prompts, lambda index: True))
    assert isinstance(found[0], Reply) and found[0].score_probs == (0.0, 1.0, 0.0)
    assert isinstance(found[1], Reply) and not any(found[1].score_probs)
    assert isinstance(found[2], RejectedByJudge)


def test_a_changed_or_missing_file_is_not_served(tmp_path: Path) -> None:
    digest = digest_of('chat-choice-v1""', REPLIES)
    with pytest.raises(ConfigurationError, match="install the release again"):
        model(tmp_path, digest)
    (tmp_path / FILE).write_text(written(REPLIES | {key_of("shown"): "A"}), encoding="utf-8")
    with pytest.raises(ConfigurationError, match="was changed after the installation"):
        model(tmp_path, digest)
    (tmp_path / FILE).write_text('{"key": 3}\n')
    with pytest.raises(ConfigurationError, match="line 1 is not a recorded reply"):
        model(tmp_path, digest)


def test_a_recording_is_read_as_it_was_written() -> None:
    odd = {"k": "line\nbreak \u2028 and \U0001f600", "l": ""}
    assert read(StringIO(written(odd))) == odd
