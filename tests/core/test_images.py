"""Images of a request: valid ones, and the field that a problem names."""

from dataclasses import replace

import pytest

from judgestream.core import limits
from judgestream.core.checks import request_problem
from judgestream.core.errors import InvalidRequest
from judgestream.core.images import data_problem, has_images, media_type_of, placed, with_images
from judgestream.core.modes import check
from judgestream.core.types import Image
from tests.core.build import request

PNG = b"\x89PNG\r\n\x1a\n" + bytes(9)
INLINE = Image(data=PNG)
LINKED = Image(url="https://images.example/cat.png")
PAIR = request()
FIRST, SECOND = PAIR.candidates
WITH_IMAGES = replace(
    PAIR, images=(INLINE,), candidates=(replace(FIRST, images=(LINKED, INLINE)), SECOND)
)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"GIF89a\1\0", "image/gif"),
        (b"RIFF\0\0\0\0WAVEfmt ", ""),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", ""),
        (b"", ""),
    ],
)
def test_the_first_bytes_tell_the_media_type(data: bytes, kind: str) -> None:
    assert media_type_of(data) == kind


def test_images_are_named_as_the_fields_of_the_request() -> None:
    assert [name for name, _ in placed(WITH_IMAGES)] == [
        "images[1]",
        "candidates[1].images[1]",
        "candidates[1].images[2]",
    ]
    assert has_images(WITH_IMAGES)
    assert not has_images(PAIR)


def test_images_are_replaced_by_their_names() -> None:
    others = {name: Image(data=name.encode()) for name, _ in placed(WITH_IMAGES)}
    assert dict(placed(with_images(WITH_IMAGES, others))) == others


@pytest.mark.parametrize(
    ("image", "problem"),
    [
        (Image(), "images[1] needs either url or data: set one of them"),
        (Image(url=LINKED.url, data=PNG), "images[1] needs either url or data: set one of them"),
        (
            Image(data=PNG, media_type="image/jpeg"),
            "images[1].data is image/png, not image/jpeg: correct media_type, or leave it out",
        ),
        (
            Image(data=b"%PDF"),
            "images[1].data is not an image file: use image/png, image/jpeg, image/webp, image/gif",
        ),
        (
            Image(data=PNG, media_type="image/svg+xml"),
            "images[1].media_type is 'image/svg+xml': one of image/png, image/jpeg, image/webp,"
            " image/gif, or leave it out",
        ),
        (
            Image(url="file:///etc/passwd"),
            "images[1].url is 'file:///etc/passwd': use an http or https URL, or send the image in data",
        ),
        (
            Image(url="https://a.example/a b"),
            "images[1].url has spaces, control or non-ASCII characters: percent-encode them",
        ),
        (
            Image(url="https://a.example/" + "a" * 2040),
            "images[1].url has 2058 characters; at most 2048: use a shorter URL",
        ),
    ],
)
def test_a_problem_names_the_field_and_how_to_fix_it(image: Image, problem: str) -> None:
    assert request_problem(replace(PAIR, images=(image,))) == problem


def test_the_images_of_all_candidates_count() -> None:
    many = replace(PAIR, candidates=(replace(FIRST, images=(INLINE,) * limits.IMAGES), SECOND))
    assert request_problem(many) == ""
    assert "9 images; at most 8" in request_problem(replace(many, images=(LINKED,)))


def test_a_large_file_is_refused() -> None:
    assert "has 8388609 bytes" in data_problem(PNG + bytes(limits.IMAGE - len(PNG) + 1))


@pytest.mark.parametrize("mode", ["pairwise", "single"])
def test_a_text_mode_refuses_images_by_name(mode: str) -> None:
    texts = request(mode=mode, answers=("x", "y") if mode == "pairwise" else ("x",), reference="z")
    check(texts)
    with pytest.raises(InvalidRequest, match=f"mode {mode} judges texts only.*use mode multimodal"):
        check(replace(texts, images=(INLINE,)))
