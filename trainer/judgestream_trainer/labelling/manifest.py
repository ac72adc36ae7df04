"""Manifest of a data set: teacher, draws, counts by reason, tokens, cost, and digests of the inputs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from judgestream_trainer.labelling.budget import Budget
from judgestream_trainer.labelling.files import described
from judgestream_trainer.labelling.journal import Entry
from judgestream_trainer.labelling.plan import Plan
from judgestream_trainer.labelling.prompts import KeyedPair, PromptBuilder
from judgestream_trainer.labelling.records import Records
from judgestream_trainer.labelling.sources import Sources


def described_build(
    plan: Plan,
    builder: PromptBuilder,
    sources: Sources,
    wanted: Sequence[KeyedPair],
    skipped: Mapping[str, int],
    records: Records,
    answers: Mapping[str, Entry],
    budget: Budget,
) -> dict[str, Any]:
    """Everything that determines the data set, and its cost. `usage` covers the replies that are used.

    Reasons are sorted, because replies arrive in random order.
    """
    used: dict[str, Entry] = {
        key: answers[key] for keyed in wanted for key, _ in keyed.prompts() if key in answers
    }
    tokens_in = sum(entry.input_tokens for entry in used.values())
    tokens_out = sum(entry.output_tokens for entry in used.values())
    inputs = [plan.seeds, *plan.answers, *([plan.references] if plan.references else [])]
    return {
        "teacher": {**builder.identity, "max_tokens": builder.max_tokens},
        "draws": {
            "seed": plan.seed,
            "pairs_per_question": plan.pairs,
            "max_characters": plan.max_characters,
            "shares": {**asdict(plan.shares)},
        },
        "counts": {
            "seeds": len(sources.questions),
            "with_reference": sum(q.reference is not None for q in sources.questions),
            "answers": dict(sources.answers),
            "answers_to_other_questions": sources.unmatched,
            "pairs": len(wanted),
            "passed_over": dict(sorted(skipped.items())),
            "judgements_without_reference": dict(sorted(records.blind.items())),
            "judgements_with_reference": dict(sorted(records.informed.items())),
            "records": len(records.rows),
            "dropped": dict(sorted(records.dropped.items())),
        },
        "usage": {
            "judgements": len(used),
            "input_tokens": tokens_in,
            "output_tokens": tokens_out,
            "estimated": sum(entry.estimated for entry in used.values()),
            "price_in": budget.price_in,
            "price_out": budget.price_out,
            "cost": round(budget.cost(tokens_in, tokens_out), 6),
        },
        "inputs": [described(path) for path in inputs],
    }
