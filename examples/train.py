"""Fine-tune a judge on labelled pairs: write data, check it, train. Needs judgestream[trainer].

    python examples/train.py BASE_CHECKPOINT RECIPE OUT

BASE_CHECKPOINT may be `triton_models/judges/tiny`, and RECIPE
`trainer/judgestream_trainer/recipes/small-fine-tune.yaml`.
"""

import json
import subprocess
import sys
from pathlib import Path


def pairs(count: int) -> list[dict[str, str]]:
    """Preference pairs in the format of TRL: the right sum is chosen, a wrong one rejected."""
    return [
        {"prompt": f"What is {k} + {k}?", "chosen": str(2 * k), "rejected": str(2 * k + 1)}
        for k in range(count)
    ]


def main(base: str, recipe: str, out: str) -> None:
    data = Path(out).with_suffix(".jsonl")
    data.write_text("".join(json.dumps(row) + "\n" for row in pairs(64)), encoding="utf-8")
    trainer = [sys.executable, "-m", "judgestream_trainer"]
    subprocess.run([*trainer, "data", "check", str(data)], check=True)
    train = ["train", "--recipe", recipe, "--base", base, "--data", str(data), "--out", out]
    subprocess.run([*trainer, *train], check=True)
    print(f"trained {out}; install it with: judgestream release install {out}")


if __name__ == "__main__":
    main(*sys.argv[1:])
