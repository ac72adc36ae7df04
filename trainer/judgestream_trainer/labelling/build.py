"""A build: input files and a teacher in, data-set files out."""

import asyncio
from collections.abc import Mapping, Sequence

from rich.console import Console

from judgestream.core.errors import ConfigurationError
from judgestream_trainer.data.example import Judgement
from judgestream_trainer.labelling.budget import Budget
from judgestream_trainer.labelling.files import write_dataset
from judgestream_trainer.labelling.interrupts import Interrupt
from judgestream_trainer.labelling.journal import Journal, open_journal
from judgestream_trainer.labelling.manifest import described_build
from judgestream_trainer.labelling.pairing import draw_pairs
from judgestream_trainer.labelling.plan import Plan
from judgestream_trainer.labelling.progress import shown
from judgestream_trainer.labelling.prompts import KeyedPair, PendingPrompt, PromptBuilder, key_pairs
from judgestream_trainer.labelling.records import Records, collect
from judgestream_trainer.labelling.run import EndReason, LabellingRun, RunProgress
from judgestream_trainer.labelling.sources import read_sources
from judgestream_trainer.labelling.teacher import Teacher
from judgestream_trainer.labelling.usable import judgement_of


def build(
    plan: Plan, teacher: Teacher, budget: Budget, interrupt: Interrupt, console: Console
) -> EndReason:
    """Send the prompts that the journal has no reply to, and write the files once nothing is missing.

    Raises:
        ConfigurationError: the inputs, directory or teacher are invalid, or there is no pair to judge.
    """
    sources = read_sources(plan.seeds, plan.answers, plan.references)
    pairs, skipped = draw_pairs(
        sources.questions,
        per_question=plan.pairs,
        seed=plan.seed,
        max_characters=plan.max_characters,
    )
    if not pairs:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(skipped.items()))
        raise ConfigurationError(
            f"{plan.seeds.name} has no pair to judge: {reasons or 'no question'}"
        )
    builder = PromptBuilder(
        template=teacher.template, max_tokens=plan.max_tokens, identity=teacher.identity
    )
    wanted = key_pairs(pairs, builder)
    with open_journal(plan.out) as journal:
        ended = _run(plan, teacher, builder, wanted, journal, budget, interrupt, console)
        if ended is EndReason.DONE or (plan.partial and ended is not EndReason.INTERRUPTED):
            records = collect(wanted, journal.answers, builder.template.forms["pair"].grammar)
            manifest = described_build(
                plan, builder, sources, wanted, skipped, records, journal.answers, budget
            )
            sides = write_dataset(plan.out, records.rows, plan.shares, manifest)
            _report(console, plan, records, sides)
    return ended


def _run(
    plan: Plan,
    teacher: Teacher,
    builder: PromptBuilder,
    wanted: Sequence[KeyedPair],
    journal: Journal,
    budget: Budget,
    interrupt: Interrupt,
    console: Console,
) -> EndReason:
    prompts = {key: pending for keyed in wanted for key, pending in keyed.prompts()}
    grammar = builder.template.forms["pair"].grammar
    known = {key: journal.answers[key] for key in prompts if key in journal.answers}
    if plan.ask_again:
        known = {k: e for k, e in known.items() if isinstance(judgement_of(e, grammar), Judgement)}
    todo: list[tuple[str, PendingPrompt]] = [
        (key, pending) for key, pending in prompts.items() if key not in known
    ]
    for entry in journal.all_entries:
        budget.spend(entry.input_tokens, entry.output_tokens)
    progress = RunProgress(
        total=len(prompts),
        done=len(known),
        input_tokens=sum(entry.input_tokens for entry in journal.all_entries),
        output_tokens=sum(entry.output_tokens for entry in journal.all_entries),
        cost=budget.spent,
    )
    console.print(
        f"{len(prompts)} judgements of {len(wanted)} pairs, {len(known)} of them in the journal"
    )
    if not todo:
        return EndReason.DONE
    with shown(console, progress, budget.limit) as show:
        labelling_run = LabellingRun(
            teacher,
            builder,
            todo,
            journal=journal,
            budget=budget,
            progress=progress,
            interrupt=interrupt,
            show=show,
        )
        ended = asyncio.run(labelling_run.run(list(known.values())))
    if ended is not EndReason.DONE:
        _report_rest(console, ended, progress, budget)
    return ended


def _report_rest(console: Console, ended: EndReason, progress: RunProgress, budget: Budget) -> None:
    left = progress.total - progress.done
    console.print(f"{ended}: {left} of {progress.total} judgements are missing", style="yellow")
    if progress.last_failure:
        console.print(f"last failure: {progress.last_failure}", markup=False)
    if ended is EndReason.BUDGET and progress.done:
        more = budget.spent / progress.done * left
        console.print(
            f"spent {budget.spent:.4f} of {budget.limit:g}; the rest will cost about {more:.4f}"
        )
    console.print("all replies are kept: run the same command again to continue")


def _report(console: Console, plan: Plan, records: Records, sides: Mapping[str, int]) -> None:
    for name, counts in (("without", records.blind), ("with", records.informed)):
        if counts:
            summary = ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items()))
            console.print(f"judgements {name} reference: {summary}")
    summary = ", ".join(f"{count} {side}" for side, count in sides.items())
    console.print(f"{plan.out}: {summary}", markup=False)
    empty = [side for side, count in sides.items() if not count]
    if empty:
        console.print(f"no record on the {' and '.join(empty)} side", style="yellow")
