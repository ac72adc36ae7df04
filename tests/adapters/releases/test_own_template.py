"""A release with its own template file: installed with the checkpoint, read by workers and the judge."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast
from typer.testing import CliRunner

from judgestream.adapters.releases.endpoint import RemoteJudge, install_endpoint
from judgestream.adapters.releases.installed import changes, find
from judgestream.adapters.releases.model_repository import install
from judgestream.adapters.releases.template_file import read_template
from judgestream.apps.cli import main
from judgestream.checkpoints.control_tokens import control_tokens
from judgestream.checkpoints.describing import describe
from judgestream.checkpoints.families import TEMPLATE
from judgestream.checkpoints.manifest import read_manifest
from judgestream.core.errors import ConfigurationError
from judgestream.core.probe import known_good
from judgestream.core.prompt import Prompt
from judgestream.core.types import Reply
from judgestream.engine.checkpoint import load
from judgestream.engine.judge import Judge
from judgestream.engine.template_check import frames_of
from judgestream.engine.tokens import Tokens
from judgestream.template_files import loaded, template_of
from tests.engine import tiny
from tests.template_files.house import MESSAGES, REASONS_FIRST, TEXT, changed

CHAT = (
    "{% for m in messages %}<s>{{ m.role }}\n{{ m.content }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant\n{% endif %}"
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny judge whose tokenizer has a chat template."""
    folder = tiny.make(tmp_path_factory.mktemp("tiny") / "checkpoint", "merged")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    tokenizer.chat_template = CHAT
    tokenizer.save_pretrained(folder)
    return folder


def written(folder: Path, text: str) -> Path:
    file = folder / "house.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_template_is_part_of_the_release(checkpoint: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    bare = install(checkpoint, models)
    release = install(checkpoint, models, template=written(tmp_path, TEXT))
    assert release.checkpoint_digest != bare.checkpoint_digest and release.name != bare.name
    assert (release.template_id, release.template, bare.template) == ("house-style-v1", TEXT, "")
    found = find(models, release.name)
    assert found.release == release and changes(models, found) == []
    folder = models / release.name / "1" / "checkpoint"
    manifest = read_manifest(folder)
    assert manifest.template_id == "house-style-v1" and TEMPLATE in manifest.files
    again = install(checkpoint, models, template=written(tmp_path, TEXT))
    assert again == release
    (folder / TEMPLATE).write_text(TEXT + "# changed\n")
    assert any(TEMPLATE in one for one in changes(models, found))


def test_a_folder_with_a_template_describes_itself(checkpoint: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    limited = changed("forms:", "limits: {prompt_tokens: 100}\nforms:")
    release = install(checkpoint, models, template=written(tmp_path, limited))
    assert release.max_input_tokens == 100
    folder = models / release.name / "1" / "checkpoint"
    assert describe(folder).template_id == "house-style-v1"
    other = install(folder, tmp_path / "others")
    assert (other.checkpoint_digest, other.template) == (
        release.checkpoint_digest,
        release.template,
    )
    with pytest.raises(ConfigurationError, match="has its own template"):
        install(folder, tmp_path / "others", template=written(tmp_path, TEXT))


@pytest.mark.parametrize("text", [TEXT, REASONS_FIRST, MESSAGES])
def test_the_installed_judge_answers_in_its_template(
    checkpoint: Path, tmp_path: Path, text: str
) -> None:
    release = install(checkpoint, tmp_path / "models", template=written(tmp_path, text))
    judge = Judge(load(tmp_path / "models" / release.name / "1" / "checkpoint"))
    (known,) = known_good(template_of(release))
    prompt = Prompt(text=known.prompt, grammar=known.grammar, reasoning=known.reasoning)
    (reply,) = judge.read([prompt])
    assert isinstance(reply, Reply) and len(reply.score_probs) == 100
    assert reply.reasonings == (1 if text is REASONS_FIRST else 0)


def test_messages_are_put_into_the_checkpoints_chat_template(
    checkpoint: Path, tmp_path: Path
) -> None:
    frames = frames_of(checkpoint)
    assert frames.system == "system\n" and frames.user == "</s>\n<s>user\n"
    assert frames.reply == "</s>\n<s>assistant\n"
    release = install(checkpoint, tmp_path / "models", template=written(tmp_path, MESSAGES))
    template = template_of(release)
    prompt = template.forms["pair"].render("q", ("a", "b"), None)
    assert prompt.startswith("system\nYou compare two answers.</s>\n<s>user\n### Task\nq\n")
    assert prompt.endswith("Two scores from 1 to 10:</s>\n<s>assistant\n")
    assert {"<s>", "</s>"} <= set(template.markers)


@pytest.fixture(scope="module")
def chat_tokens(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Tokens, str]:
    """The tokens of a judge with a template of messages, and the template's installed text."""
    folder = tmp_path_factory.mktemp("chat")
    release = install(checkpoint, folder / "models", template=written(folder, MESSAGES))
    loaded_judge = load(folder / "models" / release.name / "1" / "checkpoint")
    return loaded_judge.tokens, release.template


PIECES = st.lists(
    st.sampled_from(["<s>", "</s>", "<", "s>", "/s>", " ", "\n", "assistant", "10 1", "<unk>"]),
    max_size=8,
).map("".join)


@given(question=PIECES, first=PIECES, second=PIECES)
@settings(max_examples=150, deadline=None)
def test_text_under_judgement_never_becomes_a_control_token(
    chat_tokens: tuple[Tokens, str], question: str, first: str, second: str
) -> None:
    tokens, text = chat_tokens
    render = loaded(text).template.forms["pair"].render
    markup = {1, 2}  # <s> and </s>
    honest, hostile = (
        [number for number in tokens.prompt(prompt) if number in markup]
        for prompt in (render("q", ("a", "b"), None), render(question, (first, second), None))
    )
    assert hostile == honest and len(honest) == 5  # BOS, and two turns and a half


def test_a_template_that_does_not_fit_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    unsafe = changed('"### End"', '"### Fin"')
    with pytest.raises(ConfigurationError, match="has no marker"):
        install(checkpoint, models, template=written(tmp_path, unsafe))
    bundled = changed("house-style-v1", "chat-v1")
    with pytest.raises(ConfigurationError, match="that of a bundled template"):
        install(checkpoint, models, template=written(tmp_path, bundled))
    framed = MESSAGES + 'frames: {system: "", user: "", alone: "", reply: ""}\n'
    with pytest.raises(ConfigurationError, match="frames are written by the installation"):
        install(checkpoint, models, template=written(tmp_path, framed))
    assert not models.exists()


def test_messages_need_a_chat_template(tmp_path: Path) -> None:
    plain = tiny.make(tmp_path / "plain", "merged")
    with pytest.raises(ConfigurationError, match="no chat template"):
        install(plain, tmp_path / "models", template=written(tmp_path, MESSAGES))


def test_an_endpoints_digest_covers_its_template(tmp_path: Path) -> None:
    file = written(tmp_path, MESSAGES)
    text, template = read_template(file)
    judge = RemoteJudge(
        endpoint="http://host/v1", endpoint_model="m", template_id=template.file.id, template=text
    )
    release = install_endpoint(judge, tmp_path / "models")
    assert find(tmp_path / "models", release.name).release == release
    assert template_of(release).id == "house-chat-v1" and "<|im_end|>" in release.control_tokens
    other = RemoteJudge(
        endpoint="http://host/v1",
        endpoint_model="m",
        template_id=template.file.id,
        template=text + "# x\n",
    )
    assert other.digest != judge.digest


def test_control_tokens_come_from_the_tokenizers_files(checkpoint: Path, tmp_path: Path) -> None:
    assert control_tokens(checkpoint) == ("<unk>", "<s>", "</s>")
    assert control_tokens(tiny.make(tmp_path / "spm", "spm")) == ("<s>", "</s>", "<unk>")


def test_the_command_checks_a_file_with_a_checkpoint(checkpoint: Path, tmp_path: Path) -> None:
    run = CliRunner()
    file = str(written(tmp_path, MESSAGES))
    done = run.invoke(
        main, ["template", "check", file, "--checkpoint", str(checkpoint), "--format", "json"]
    )
    assert done.exit_code == 0, done.output
    report = json.loads(done.output.splitlines()[-1])
    assert report["template"] == "house-chat-v1" and "pairwise" in report["modes"]
    assert all(prompt["tokens"] > 10 for prompt in report["prompts"])
    broken = run.invoke(main, ["template", "check", str(written(tmp_path, TEXT + "more: 1\n"))])
    assert broken.exit_code == 2 and "more: is unknown" in broken.output
    for command in (["template", "list"], ["template", "show", "chat-reason-v1"]):
        assert run.invoke(main, command).exit_code == 0
