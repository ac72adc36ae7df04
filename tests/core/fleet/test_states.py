"""Pauses after failures, the digest that servers agree on, and the memory for a load."""

import pytest

from judgestream.core.backoff import Backoff
from judgestream.core.fleet.identity import agreed_digest
from judgestream.core.fleet.memory import GIB, FreeMemory, room_for
from judgestream.core.fleet.put_aside import PutAside


def test_pauses_grow_with_failures_after_a_pause_and_end_with_an_answer() -> None:
    aside = PutAside(Backoff(first_s=1.0, longest_s=3.0))
    assert not aside.lasts(0.0)
    aside.failed("judge_unavailable: gone", 0.0)
    aside.failed("of the same moment", 0.5)
    assert aside.reason == "judge_unavailable: gone"
    assert aside.lasts(0.9) and not aside.lasts(1.0)
    aside.failed("again", 1.0)
    assert aside.lasts(2.9) and not aside.lasts(3.0)
    aside.failed("again", 3.0)
    assert aside.lasts(5.9) and not aside.lasts(6.0)
    aside.ended()
    assert not aside.lasts(5.0) and aside.reason == ""
    aside.failed("new", 7.0)
    assert aside.until == 8.0


@pytest.mark.parametrize(
    ("name", "digests", "agreed"),
    [
        ("judge-aaaaaaaa", ["b" * 64, "b" * 64, "a" * 64], "a" * 64),
        ("judge", ["b" * 64, "a" * 64, "a" * 64], "a" * 64),
        ("judge", ["b" * 64, "a" * 64], "b" * 64),
        ("judge-", ["", ""], ""),
    ],
)
def test_the_name_decides_then_the_majority(name: str, digests: list[str], agreed: str) -> None:
    assert agreed_digest(name, digests) == agreed


def memory(free_gib: float, total_gib: float, device: str = "GPU-1") -> FreeMemory:
    return FreeMemory(device=device, free=int(free_gib * GIB), total=int(total_gib * GIB))


@pytest.mark.parametrize(
    ("need_gib", "devices", "fits", "said"),
    [
        (10, (memory(20, 40),), True, ""),
        (18, (memory(20, 40),), True, ""),  # 20 - 5 % of 40
        (18.1, (memory(20, 40),), False, "needs 18.1 GiB"),
        (18.1, (memory(1, 80, "GPU-0"), memory(30, 80)), True, ""),
        (30, (memory(1, 80, "GPU-0"), memory(30, 80)), False, "GPU-1 has 30.0 GiB free"),
        (10, (), True, "free memory is unknown"),
        (0, (memory(1, 80),), True, "need of the release is unknown"),
        (0.1, (memory(0, 0),), False, "0.0 GiB free"),
    ],
)
def test_need_against_free_memory(
    need_gib: float, devices: tuple[FreeMemory, ...], fits: bool, said: str
) -> None:
    room = room_for(int(need_gib * GIB), devices)
    assert room.fits == fits
    assert said in room.text and bool(room.text) == bool(said)
