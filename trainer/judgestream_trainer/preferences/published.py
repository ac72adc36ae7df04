"""Groups of graded answers from published sets, by a stated rule for each set.

A teacher's figure becomes a grade in log-odds:

- AlpacaEval 2: the teacher's probability p that the answer beats one baseline's answer; the grade is
  logit(p) / 2.5. All answers share that baseline, so the difference of two grades is the log-odds of the pair
  by Bradley and Terry. The division tempers a teacher that is surer than it is right.
- Ratings from 1 to 10 (Auto-J): the grade is (rating - 5.5) * 0.8, so 10 against 1 is 7.2.
- GSM8K: a solution with the right result has grade 2, another one -2.
- Judgement bias: of the two answers of an item, the one that was made worse on purpose loses 2 (a planted
  error), 1 (gendered content, a fake reference) or 0 (formatting) against its own original.

Questions of the sets that judges are measured on are left out, by their normalised text. MT-Bench's single
ratings are not here for that reason: they have the questions of its pairs.
"""

import gzip
import json
import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from judgestream.core.errors import ConfigurationError
from judgestream_trainer.data.split import normalised
from judgestream_trainer.preferences.groups import Graded, Group
from judgestream_trainer.preferences.ratings import grade_of_rating

TEMPERING = 2.5
EDGE = 1e-6
"""Smallest probability that a teacher is taken to give: its figures end there."""

ATTACKS = frozenset({"NullModel", "gpt4_gamed"})
"""Systems in AlpacaEval that attack the teacher. Their answers are graded as useless."""
USELESS = -8.0

PERTURBATIONS: Mapping[str, float] = MappingProxyType(
    {"factual_error": 2.0, "gender": 1.0, "reference": 1.0, "rich_content": 0.0}
)
"""File of the judgement-bias set -> what its perturbation costs an answer, in log-odds."""

_AUTOJ = re.compile(
    r"\[Query\]: (.*?)\n\*\*\*\n\[Response\]: (.*)\n\*\*\*\n\[END DATA\]", re.DOTALL
)


def logit(probability: float) -> float:
    kept = min(max(probability, EDGE), 1 - EDGE)
    return math.log(kept / (1 - kept))


def alpaca_eval(folder: Path) -> Iterator[Group]:
    answers: dict[int, list[Graded]] = defaultdict(list)
    for row in _rows(folder / "outputs.jsonl.gz"):
        grade = logit(row["preference"] - 1) / TEMPERING
        if row["model"] in ATTACKS:
            grade = USELESS
        if row["output"].strip():
            answers[row["prompt_id"]].append(
                Graded(text=row["output"], grade=round(grade, 4), system=row["model"])
            )
    for row in _rows(folder / "prompts.jsonl.gz"):
        yield Group(
            id=f"alpaca-eval-{row['prompt_id']}",
            source="alpaca_eval",
            question=row["instruction"],
            answers=tuple(answers[row["prompt_id"]]),
            reference=row["baseline_output"],
            comparable=True,
        )


def auto_j(folder: Path) -> Iterator[Group]:
    """Ratings of single answers. Ratings of different questions compare."""
    groups: dict[str, list[Graded]] = defaultdict(list)
    for row in _rows(folder / "training" / "single_traindata.jsonl"):
        match = _AUTOJ.search(row["usrmsg"])
        if match is not None:
            grade = round(grade_of_rating(row["pred_score"]), 4)
            groups[match[1].strip()].append(Graded(text=match[2].strip(), grade=grade))
    for number, (question, answers) in enumerate(groups.items()):
        yield Group(
            id=f"auto-j-{number}",
            source="auto_j",
            question=question,
            answers=tuple(answers),
            comparable=True,
        )


def gsm8k(folder: Path) -> Iterator[Group]:
    for number, row in enumerate(_rows(folder / "example_model_solutions.jsonl")):
        answers = tuple(
            Graded(
                text=value["solution"], grade=2.0 if value["is_correct"] else -2.0, system=system
            )
            for system, value in row.items()
            if isinstance(value, dict)
        )
        if len({answer.grade for answer in answers}) > 1:
            yield Group(
                id=f"gsm8k-{number}",
                source="gsm8k",
                question=row["question"],
                answers=answers,
                reference=row["ground_truth"],
            )


def judgement_bias(folder: Path) -> Iterator[Group]:
    originals = {row["question"]: row for row in _rows(folder / "raw.jsonl")}
    for kind, cost in PERTURBATIONS.items():
        for row in _rows(folder / f"{kind}.jsonl"):
            for slot, answer in row["answers"].items():
                if not answer.get("perturb"):
                    continue
                original = originals[row["question"]]["answers"][slot]["answer"]
                yield Group(
                    id=f"judgement-bias-{row['question_id']}",
                    source="judgement_bias",
                    question=row["question"],
                    answers=(
                        Graded(text=original, grade=cost),
                        Graded(text=answer["answer"], grade=0.0),
                    ),
                )


SETS: Mapping[str, Callable[[Path], Iterator[Group]]] = MappingProxyType(
    {
        "alpaca_eval": alpaca_eval,
        "autoj": auto_j,
        "gsm8k_pairs": gsm8k,
        "judgement_bias": judgement_bias,
    }
)
"""Name of a set's folder -> its reader."""


def published_groups(folder: Path, *, without: Iterable[str]) -> Iterator[Group]:
    """The groups of every known set in `folder`, less those with a question in `without`.

    Raises:
        ConfigurationError: the folder has none of the sets.
    """
    present = {name: read for name, read in SETS.items() if (folder / name).is_dir()}
    if not present:
        raise ConfigurationError(
            f"{folder} has none of the sets {', '.join(SETS)}: name the folder that holds them"
        )
    excluded = {normalised(question) for question in without}
    for name, read in present.items():
        for group in read(folder / name):
            if normalised(group.question) not in excluded:
                yield group


def evaluation_questions(folder: Path) -> Iterator[str]:
    """The questions of the sets that judges are measured on: PandaLM, Auto-J, Vicuna (FairEval's, too) and
    MT-Bench."""
    for row in json.loads((folder / "pandalm" / "testset-v1.json").read_text("utf-8")):
        yield row["instruction"] + " " + (row["input"] or "")
    for row in _rows(folder / "autoj" / "test" / "testdata_pairwise.jsonl"):
        yield row["prompt"]
    for name in ("faireval", "vicuna_bench"):
        for row in _rows(folder / name / "question.jsonl"):
            yield row["text"]
    for row in _rows(folder / "mt_bench" / "question.jsonl"):
        yield from row["turns"]


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)
