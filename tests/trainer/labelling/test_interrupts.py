"""The first signal sets a flag; the second one stops at once."""

import asyncio
import os
import signal

import pytest

from judgestream.core.errors import JudgeUnavailable
from judgestream.core.prompt import Prompt
from judgestream.core.templates import JUDGELM
from judgestream_trainer.labelling.interrupts import Interrupt, catch_signals
from judgestream_trainer.labelling.teacher import release_teacher
from tests.paths import JUDGES

TINY = JUDGES / "tiny"


def test_a_signal_wakes_the_waiting_task() -> None:
    async def waiting(interrupt: Interrupt) -> None:
        asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(interrupt.wait(), timeout=30)

    before = signal.getsignal(signal.SIGTERM)
    with catch_signals() as interrupt:
        asyncio.run(waiting(interrupt))
        assert interrupt.signal is signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_second_signal_stops_at_once() -> None:
    interrupt = Interrupt()
    interrupt(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        interrupt(signal.SIGINT)


def test_our_own_judge_abandons_its_prompts_when_it_is_told_to_stop() -> None:
    form = JUDGELM.forms["pair"]
    prompt = Prompt(
        text=form.render("Is ice cold?", ("Yes.", "No."), None), grammar=form.grammar, max_tokens=20
    )
    teacher = release_teacher(TINY, device="cpu", wanted=lambda: False)
    replies = asyncio.run(teacher.read([prompt, prompt]))
    assert [type(reply) for reply in replies] == [JudgeUnavailable] * 2
