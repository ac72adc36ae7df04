"""Small input files of `judgestream label`, and a teacher that judges them."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.backends.chat.endpoint import completion

TOPICS = ("ice", "iron", "salt", "glass", "rain", "sand", "copper", "wool", "chalk", "honey")


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """`seeds` and `answers` of the models atlas, birch and cedar; every other seed has a reference."""

    seeds: Path
    answers: tuple[Path, ...]
    references: Path

    def arguments(self, out: Path, *teacher: str) -> list[str]:
        answers = [word for path in self.answers for word in ("--answers", str(path))]
        files = ["--seeds", str(self.seeds), *answers, "--references", str(self.references)]
        return ["label", *files, "--out", str(out), *teacher]


def lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def inputs(folder: Path, count: int = 10) -> Inputs:
    questions = [
        {"question_id": k, "question_body": f"What is {TOPICS[k % 10]} number {k} good for?"}
        for k in range(count)
    ]
    wrote: dict[str, Callable[[int], str]] = {
        "atlas": lambda k: f"Short {k}.",
        "birch": lambda k: f"A longer answer, number {k}.",
        "cedar": lambda k: f"The longest of all the answers here, number {k}, with much to say.",
    }
    return Inputs(
        seeds=lines(folder / "seeds.jsonl", questions),
        answers=tuple(
            lines(
                folder / f"{model}.jsonl",
                (
                    {**question, "text": text(int(str(question["question_id"])))}
                    for question in questions
                ),
            )
            for model, text in wrote.items()
        ),
        references=lines(
            folder / "references.jsonl",
            ({"question_id": k, "reference": {"text": f"Truth {k}"}} for k in range(0, count, 2)),
        ),
    )


def by_length(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
    """A teacher that prefers the longer answer, and says whether it saw a reference."""
    user = body["messages"][-1]["content"]
    first, second = (user.split(f"===== answer {k} =====\n")[1].split("\n=====")[0] for k in (1, 2))
    scores = "8 3" if len(first) > len(second) else "3 8"
    seen = "By the reference." if "===== a correct answer" in user else "By itself."
    return 200, {}, completion(f"{scores}\n{seen}")
