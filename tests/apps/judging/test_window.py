"""The window of calls in flight: as large as the judge can answer within the deadline."""

import asyncio

import pytest

from judgestream.apps.judging.window import Window


class Revoked(Exception):
    pass


async def no_wait(_: float) -> None:
    await asyncio.sleep(0)


def test_a_missed_deadline_halves_the_window_once_per_round() -> None:
    now = 0.0
    window = Window(most=64, deadline_s=30.0, clock=lambda: now)
    now = 30.0
    for _ in range(64):
        window.missed(asked_at=0.0)
    assert window.size == 32
    now = 60.0
    window.missed(asked_at=31.0)
    assert window.size == 16


def test_the_window_never_closes() -> None:
    now = 0.0
    window = Window(most=4, deadline_s=1.0, clock=lambda: now)
    for _ in range(9):
        now += 1.0
        window.missed(asked_at=now - 0.5)
    assert window.size == 1


def test_quick_answers_open_it_again_and_slow_ones_do_not() -> None:
    now = 1.0
    window = Window(most=8, deadline_s=10.0, clock=lambda: now)
    window.missed(asked_at=0.0)
    for _ in range(100):
        window.answered(6.0)
    assert window.size == 4
    for _ in range(5):
        window.answered(1.0)
    assert window.size == 5
    for _ in range(100):
        window.answered(1.0)
    assert window.size == 8


def test_only_so_many_calls_are_in_flight() -> None:
    async def run() -> list[int]:
        window = Window(most=3, deadline_s=1.0)
        in_flight, peaks = 0, []

        async def call() -> None:
            nonlocal in_flight
            async with window.place(no_wait):
                in_flight += 1
                peaks.append(in_flight)
                await asyncio.sleep(0.001)
                in_flight -= 1

        await asyncio.gather(*(call() for _ in range(20)))
        return peaks

    peaks = asyncio.run(run())
    assert len(peaks) == 20 and max(peaks) == 3


def test_a_place_is_given_back_by_a_call_that_fails_and_one_that_never_got_it() -> None:
    async def revoked(_: float) -> None:
        raise Revoked

    async def run() -> None:
        window = Window(most=1, deadline_s=1.0)
        with pytest.raises(ValueError, match="broken"):
            async with window.place(no_wait):
                with pytest.raises(Revoked):
                    async with window.place(revoked):
                        pass
                raise ValueError("broken")
        async with window.place(revoked):
            pass

    asyncio.run(run())
