"""vLLM in a separate environment, controlled by lines of JSON. Imports nothing from this project.

    python vllm_peer.py '{"model": "FOLDER", "dtype": "bfloat16", "max_model_len": 2560}'

The argument holds vLLM's engine arguments. Each line on standard input holds `prompts` (token ids or texts)
and `sampling` (vLLM's sampling parameters); each gets a line on standard output: `seconds` that `generate`
took and the `cpu_seconds` of all its processes, `cached` prompt tokens that came from the prefix cache, and
with `"outputs": true` what was written, as vLLM reports it; or `error`, the reason of a refusal. A first line
`{"ready": true}` says that the model is loaded. What vLLM itself prints goes to standard error. Ends with
standard input.
"""

import json
import os
import sys
import time
from typing import Any

import psutil


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # vLLM and its processes print there
    from vllm import LLM, SamplingParams

    llm = LLM(**json.loads(sys.argv[1]))
    print(json.dumps({"ready": True}), file=answers)
    for line in sys.stdin:
        job = json.loads(line)
        prompts = [
            {"prompt": one} if isinstance(one, str) else {"prompt_token_ids": one}
            for one in job["prompts"]
        ]
        sampling = SamplingParams(**job["sampling"])
        # Rounds repeat their prompts: without this, a later one would be read from the cache.
        if not llm.reset_prefix_cache():
            raise RuntimeError("vLLM did not empty its prefix cache")
        started, cpu = time.perf_counter(), _cpu_seconds()
        try:
            found = llm.generate(prompts, sampling, use_tqdm=False)
        except Exception as error:  # a prompt that is too long, for one
            print(json.dumps({"error": str(error)}), file=answers)
            continue
        answer: dict[str, Any] = {
            "seconds": time.perf_counter() - started,
            "cpu_seconds": _cpu_seconds() - cpu,
            "cached": sum(one.num_cached_tokens or 0 for one in found),
        }
        if job.get("outputs"):
            answer["outputs"] = [_output(one) for one in found]
        print(json.dumps(answer), file=answers)


def _cpu_seconds() -> float:
    """Of this process and those that vLLM has started, since they began."""
    me = psutil.Process()
    times = [one.cpu_times() for one in (me, *me.children(recursive=True))]
    return float(sum(one.user + one.system for one in times))


def _output(found: Any) -> dict[str, Any]:
    """One prompt's result; per written token its alternatives by id, as vLLM holds them."""
    written = found.outputs[0]
    return {
        "text": written.text,
        "finish_reason": written.finish_reason,
        "prompt_tokens": len(found.prompt_token_ids),
        "output_tokens": len(written.token_ids),
        "logprobs": [
            {
                str(token): {
                    "logprob": one.logprob,
                    "rank": one.rank,
                    "decoded_token": one.decoded_token,
                }
                for token, one in step.items()
            }
            for step in written.logprobs or ()
        ],
    }


if __name__ == "__main__":
    main()
