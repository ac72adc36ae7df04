"""Agreement of the tiny judge in int8 with itself on real pairs: PandaLM's published test set."""

import json
import logging
from pathlib import Path

import pytest
import torch

from judgestream.adapters.releases.model_config import bundled_models
from judgestream.backends.quantisation_check import quantise, trial_prompts
from judgestream.core.templates import template
from judgestream.engine import int8
from judgestream.engine.checkpoint import load
from judgestream.engine.judge import Judge

log = logging.getLogger(__name__)

ROWS = 50
"""Each is judged in both orders."""


@pytest.mark.skipif(not int8.works(), reason="this CPU or torch has no int8 products")
def test_int8_keeps_the_verdicts_on_published_pairs(shared_data: Path, tmp_path: Path) -> None:
    """298 of 300 on the first 150 rows, 2026-11-26; the limit allows for other CPUs."""
    rows = json.loads((shared_data / "pandalm" / "testset-v1.json").read_text(encoding="utf-8"))
    file = tmp_path / "pairs.jsonl"
    with file.open("w", encoding="utf-8") as out:
        for row in rows[:ROWS]:
            question = "\n".join(filter(None, (row["instruction"], row["input"])))
            answers = [row["response1"], row["response2"]]
            for order in (answers, answers[::-1]):
                out.write(json.dumps({"question": question, "answers": order}) + "\n")
    judge = Judge(load(bundled_models() / "judges" / "tiny", dtype=torch.float32))
    prompts = trial_prompts(template(judge.checkpoint.manifest.template_id), file)
    found = quantise(judge, prompts, "int8", min_share=0.97)
    log.info("PandaLM: %s", found)  # pytest --log-cli-level=INFO shows it
    assert found.prompts == 2 * ROWS
