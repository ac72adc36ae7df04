"""Requests with images in the worker: which reach the judge, and which end as dead letters."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import pytest

from judgestream.apps.judging.one_judge import OneJudge
from judgestream.apps.judging.one_release import OneRelease
from judgestream.apps.judging.request import RequestJudge
from judgestream.contracts.codecs.verdicts import verdict_from_message
from judgestream.core.errors import ImageUnavailable
from judgestream.core.passes import Pass
from judgestream.core.types import Release, Reply
from judgestream.core.verdict_text import details
from judgestream.settings import Judging
from judgestream.v1.judging_pb2 import Candidate, Image, Verdict
from tests.apps.judging.test_request import RELEASE, Bench, FakeJudge, request
from tests.images.files import claimed_png, image_file

RED, BLUE = image_file("PNG", colour="red"), image_file("JPEG", colour="blue")
SEES = replace(RELEASE, name="vision-0", template_id="llava-v1")
URL = "https://images.example/blue.jpg"


@dataclass
class Files:
    """Blue, under one URL."""

    fetched: int = 0

    async def fetch(self, url: str) -> bytes:
        self.fetched += 1
        if url != URL:
            raise ImageUnavailable(f"{url} cannot be fetched: replay the request")
        return BLUE


class LongCaption(FakeJudge):
    """An image scorer that reads only the beginning of every caption."""

    async def ask(self, passes: Sequence[Pass]) -> list[Reply]:
        self.asked.append(list(passes))
        return [
            Reply(text="", score_probs=(2.0 - k, 0.0), finish_reason="truncated", input_tokens=77)
            for k, _ in enumerate(passes)
        ]


def bench(
    release: Release = SEES, judge: FakeJudge | None = None, settings: Judging | None = None
) -> tuple[Bench, Files]:
    made, files = Bench(), Files()
    made.judge = judge or FakeJudge(release=release, text="8 3")
    settings = settings or Judging()
    made.requests = RequestJudge(
        judges=OneJudge(OneRelease(made.judge, settings)),
        publisher=made.topics,
        published=made.published,
        settings=settings,
        images=files,
    )
    return made, files


def pictured(*images: Image, mode: str = "multimodal") -> bytes:
    """Two candidates, each an image."""
    candidates = [Candidate(images=[image]) for image in images]
    return request(mode=mode, question="A red square.", candidates=candidates)


def test_the_judge_gets_the_bytes_of_every_image_in_shown_order() -> None:
    made, files = bench()
    made.handle(pictured(Image(data=RED), Image(url=URL)))
    ((straight, swapped),) = made.judge.asked
    assert [image.data for image in straight.images] == [RED, BLUE]
    assert [image.data for image in swapped.images] == [BLUE, RED]
    (verdict,) = made.topics.verdicts()
    assert verdict.status == Verdict.STATUS_SCORED
    assert verdict.mode == "multimodal" and files.fetched == 1


def test_a_redelivered_request_is_not_fetched_again() -> None:
    made, files = bench()
    for _ in range(2):
        made.handle(pictured(Image(data=RED), Image(url=URL)))
    assert files.fetched == 1 and len(made.topics.verdicts()) == 1


@pytest.mark.parametrize(
    ("images", "code", "message"),
    [
        (
            (Image(data=RED), Image(data=claimed_png(9000, 9000))),
            "invalid_request",
            "candidates[2].images[1]: has 9000 x 9000 pixels",
        ),
        (
            (Image(data=RED), Image(data=b"<svg/>")),
            "invalid_request",
            "candidates[2].images[1].data is not an image file",
        ),
        (
            (Image(url="https://gone.example/"), Image(data=RED)),
            "image_unavailable",
            "candidates[1].images[1]: https://gone.example/ cannot be fetched",
        ),
    ],
)
def test_a_bad_image_ends_as_a_dead_letter_that_names_its_field(
    images: Sequence[Image], code: str, message: str
) -> None:
    made, _ = bench()
    made.handle(pictured(*images))
    (letter,), (verdict,) = made.topics.letters(), made.topics.verdicts()
    assert letter.error_class == verdict.error_class == code
    assert message in letter.error_message
    assert made.judge.asked == []


@pytest.mark.parametrize(
    ("mode", "release", "message"),
    [
        ("pairwise", SEES, "mode pairwise judges texts only, and the request has images"),
        ("multimodal", RELEASE, "template judgelm-v1 shows no images"),
    ],
)
def test_images_are_never_dropped_silently(mode: str, release: Release, message: str) -> None:
    made, files = bench(release)
    made.handle(pictured(Image(data=RED), Image(url=URL), mode=mode))
    (letter,) = made.topics.letters()
    assert message in letter.error_message
    assert made.judge.asked == [] and files.fetched == 0


def test_a_fetcher_that_breaks_costs_its_request_only() -> None:
    made, files = bench()

    async def broken(url: str) -> bytes:
        raise RuntimeError("out of sockets")

    files.fetch = broken  # type: ignore[method-assign]
    made.handle(pictured(Image(data=RED), Image(url=URL)))
    (letter,) = made.topics.letters()
    assert letter.error_class == "internal_error"


@pytest.mark.parametrize("too_long", ["refuse", "cut"])
def test_a_caption_that_is_too_long_is_refused_or_marked(
    too_long: Literal["refuse", "cut"],
) -> None:
    scorer = replace(RELEASE, name="scorer-0", template_id="image-scorer-v1")
    made, _ = bench(judge=LongCaption(release=scorer), settings=Judging(too_long=too_long))
    made.handle(pictured(Image(data=RED), Image(data=BLUE)))
    (verdict,) = made.topics.verdicts()
    if too_long == "refuse":
        (letter,) = made.topics.letters()
        assert letter.error_class == verdict.error_class == "prompt_too_long"
        assert "longer than the 77 tokens that this image scorer reads" in letter.error_message
    else:
        assert verdict.status == Verdict.STATUS_SCORED and verdict.method == "reward"
        assert {one.finish_reason for one in verdict.passes} == {"truncated"}
        shown = "\n".join(details(verdict_from_message(verdict)))
        assert "question cut to" in shown
