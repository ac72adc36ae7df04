"""A build from its files to its files."""

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
    """Ask the teacher what is not in the journal yet, and write the files once nothing is missing.

    Raises:
        ConfigurationError: the inputs, the folder or the teacher are not as they must be, or no pair is left.
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
        raise ConfigurationError(f"{plan.seeds.name} gives no pair to judge: {reasons or 'empty'}")
    builder = PromptBuilder(
        template=teacher.template, max_tokens=plan.max_tokens, identity=teacher.identity
    )
    wanted = key_pairs(pairs, builder)
    with open_journal(plan.out) as journal:
        ended = _ask(plan, teacher, builder, wanted, journal, budget, interrupt, console)
        if ended is EndReason.DONE or (plan.partial and ended is not EndReason.INTERRUPTED):
            records = collect(wanted, journal.answers, builder.template.forms["pair"].grammar)
            manifest = described_build(
                plan, builder, sources, wanted, skipped, records, journal.answers, budget
            )
            sides = write_dataset(plan.out, records.rows, plan.shares, manifest)
            _tell(console, plan, records, sides)
    return ended


def _ask(
    plan: Plan,
    teacher: Teacher,
    builder: PromptBuilder,
    wanted: Sequence[KeyedPair],
    journal: Journal,
    budget: Budget,
    interrupt: Interrupt,
    console: Console,
) -> EndReason:
    asks = {key: ask for one in wanted for key, ask in one.prompts()}
    grammar = builder.template.forms["pair"].grammar
    known = {key: journal.answers[key] for key in asks if key in journal.answers}
    if plan.ask_again:
        known = {k: e for k, e in known.items() if isinstance(judgement_of(e, grammar), Judgement)}
    todo: list[tuple[str, PendingPrompt]] = [
        (key, ask) for key, ask in asks.items() if key not in known
    ]
    for entry in journal.all_entries:
        budget.spend(entry.input_tokens, entry.output_tokens)
    tally = RunProgress(
        total=len(asks),
        done=len(known),
        input_tokens=sum(entry.input_tokens for entry in journal.all_entries),
        output_tokens=sum(entry.output_tokens for entry in journal.all_entries),
        cost=budget.spent,
    )
    console.print(f"{len(asks)} judgements of {len(wanted)} pairs, {len(known)} are there already")
    if not todo:
        return EndReason.DONE
    with shown(console, tally, budget.limit) as show:
        labelling_run = LabellingRun(
            teacher,
            builder,
            todo,
            journal=journal,
            budget=budget,
            tally=tally,
            interrupt=interrupt,
            show=show,
        )
        ended = asyncio.run(labelling_run.run(list(known.values())))
    if ended is not EndReason.DONE:
        _tell_left(console, ended, tally, budget)
    return ended


def _tell_left(console: Console, ended: EndReason, tally: RunProgress, budget: Budget) -> None:
    left = tally.total - tally.done
    console.print(f"{ended}: {left} of {tally.total} judgements are left to do", style="yellow")
    if tally.last_failure:
        console.print(f"the last failure: {tally.last_failure}", markup=False)
    if ended is EndReason.BUDGET and tally.done:
        more = budget.spent / tally.done * left
        console.print(
            f"spent {budget.spent:.4f} of {budget.limit:g}; the rest takes about {more:.4f}"
        )
    console.print("what is judged is kept: run the same command again to go on from here")


def _tell(console: Console, plan: Plan, records: Records, sides: Mapping[str, int]) -> None:
    for name, counts in (("without", records.blind), ("with", records.informed)):
        if counts:
            said = ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items()))
            console.print(f"judgements {name} reference: {said}")
    said = ", ".join(f"{count} {side}" for side, count in sides.items())
    console.print(f"{plan.out}: {said}", markup=False)
    empty = [side for side, count in sides.items() if not count]
    if empty:
        console.print(f"no record on the side of {' and '.join(empty)}", style="yellow")
