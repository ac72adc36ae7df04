"""Instances of a judge in Triton: devices, arithmetic, and the check of quantised judges."""

from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import pytest
import torch

from judgestream.backends.instance import Setting, start
from judgestream.core.errors import ConfigurationError
from judgestream.core.prompt import Prompt
from judgestream.core.types import Reply
from judgestream.engine.checkpoint import Checkpoint, load
from judgestream.engine.judge import Judge
from judgestream.engine.tensor_parallel import SplitDecoder
from tests.engine import tiny

PARAMETERS = {
    "dtype": "auto",
    "gpus": "all",
    "tensor_parallel": "1",
    "row_tokens": "0",
    "compile": "false",
}
PROMPTS = [Prompt(text=text, grammar=tiny.PAIR) for text in tiny.PROMPTS]


def setting(kind: str = "CPU", device_id: int = 0, **more: str) -> Setting:
    return Setting.of(PARAMETERS | more, kind=kind, device_id=device_id)


@pytest.mark.parametrize(
    ("asked", "devices"),
    [
        (setting(), ("cpu",)),
        (setting("GPU", 3), ("cuda:3",)),
        (setting("GPU", 3, gpus="1,3"), ("cuda:3",)),
        (setting("GPU", 2, gpus="0,1,2,3", tensor_parallel="2"), ("cuda:2", "cuda:3")),
        (
            setting("GPU", 5, gpus="7,4,1,5,0,2", tensor_parallel="3"),
            ("cuda:5", "cuda:0", "cuda:2"),
        ),
    ],
)
def test_an_instance_finds_its_devices(asked: Setting, devices: tuple[str, ...]) -> None:
    assert asked.devices == devices


def test_invalid_parameters_are_refused() -> None:
    with pytest.raises(
        ConfigurationError, match="GPU 1 is not the first of a group of 2 among GPUs 0,1"
    ):
        setting("GPU", 1, gpus="0,1", tensor_parallel="2")
    with pytest.raises(
        ConfigurationError, match="unsupported dtype 'int4'; supported: auto, float32"
    ):
        setting(dtype="int4")


@pytest.fixture(scope="module")
def taught_folder(
    tmp_path_factory: pytest.TempPathFactory,
    folder_of: Callable[[str], Path],
    taught_of: Callable[[str], Checkpoint],
) -> Path:
    """The taught judge "split" as a folder."""
    folder = tmp_path_factory.mktemp("taught") / "checkpoint"
    copytree(folder_of("split"), folder)
    taught_of("split").model.save_pretrained(folder)
    return folder


def texts(judge: Judge) -> list[str]:
    return [reply.text for reply in judge.read(PROMPTS) if isinstance(reply, Reply)]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_a_judge_says_the_same_in_every_arithmetic(taught_folder: Path, dtype: str) -> None:
    judge, check = start(taught_folder, setting(dtype=dtype))
    assert judge.checkpoint.decoder.dtype == getattr(torch, dtype)
    assert check is None
    assert texts(judge) == [reply.split("\n", 1)[0] for reply in tiny.REPLIES]


@pytest.mark.parametrize("dtype", ["float8", "int8"])
def test_a_quantised_judge_is_measured_before_it_is_served(taught_folder: Path, dtype: str) -> None:
    """On the installer's prompts here: this judge has learned five other prompts and can read only those."""
    records = [
        '{"question": "What is 2 + 2?", "answers": ["4", "It is five."]}',
        '{"question": "Name a colour.", "answers": ["Red", "Blue, like the sky on a clear day in June."]}',
    ]
    file = taught_folder.parent / "trial_prompts.jsonl"
    file.write_text("\n".join(records * 50))
    judge, check = start(taught_folder, setting(dtype=dtype))
    assert check is not None and check.prompts == 100 and check.share >= 0.99
    assert judge.work.prompts == 0  # the trial's are not counted
    assert texts(judge)[:2] == ["10 1", "8 7"]
    file.write_text("\n".join(records))
    with pytest.raises(ConfigurationError, match="for 2 of 2 prompts, too few"):
        start(taught_folder, setting(dtype=dtype))


@pytest.mark.parametrize(("kind", "compiled"), [("GPU", "false"), ("CPU", "true")])
def test_int8_is_for_cpus_and_plain_torch(kind: str, compiled: str) -> None:
    with pytest.raises(ConfigurationError, match="int8 is for CPUs, without torch.compile"):
        setting(kind, dtype="int8", compile=compiled)


def test_layers_are_shared_where_others_are_named(taught_folder: Path) -> None:
    checkpoint = load(taught_folder, others=["cpu"])
    assert isinstance(checkpoint.decoder, SplitDecoder)
    assert checkpoint.decoder.shards == 2
    assert texts(Judge(checkpoint)) == [reply.split("\n", 1)[0] for reply in tiny.REPLIES]
