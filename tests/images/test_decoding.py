"""Which image files are decoded, and into what."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from judgestream.images.decoding import check_header, decoded
from tests.images.files import claimed_png, image_file


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_picture_is_rgb_whatever_its_file(kind: str) -> None:
    picture = decoded(image_file(kind, (6, 3), "red"))
    assert (picture.mode, picture.size) == ("RGB", (6, 3))
    red, green, blue = picture.getpixel((2, 1))  # type: ignore[misc]
    assert red > 240 and green < 15 and blue < 15


def test_transparent_parts_are_white() -> None:
    file = BytesIO()
    Image.new("RGBA", (2, 2), (255, 0, 0, 0)).save(file, "PNG")
    assert decoded(file.getvalue()).getpixel((0, 0)) == (255, 255, 255)


def test_the_picture_is_turned_as_a_person_sees_it() -> None:
    picture, file = Image.new("RGB", (4, 2), "blue"), BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    picture.save(file, "JPEG", exif=exif.tobytes())
    assert decoded(file.getvalue()).size == (2, 4)


@pytest.mark.parametrize("size", [(5001, 5000), (30_000, 30_000), (100_000, 100_000)])
def test_a_decompression_bomb_is_refused_by_its_header(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="at most 25000000 pixels"):
        check_header(claimed_png(*size))


def test_a_line_of_pixels_is_refused() -> None:
    check_header(claimed_png(20, 1))
    with pytest.raises(ValueError, match="21 x 1 pixels; the long side may be at most 20 times"):
        check_header(claimed_png(21, 1))


def test_a_damaged_file_is_refused() -> None:
    whole = image_file("PNG", (64, 64), "green")
    check_header(whole[:60])
    with pytest.raises(ValueError, match="cannot be decoded"):
        decoded(whole[:60])
    with pytest.raises(ValueError, match="has an invalid header"):
        check_header(whole[:12])


def test_a_stated_type_must_be_the_files() -> None:
    with pytest.raises(ValueError, match="is image/gif, not image/png"):
        check_header(image_file("GIF"), "image/png")


@given(
    start=st.sampled_from([image_file(kind)[:40] for kind in ("PNG", "JPEG", "WEBP", "GIF")]),
    cut=st.integers(0, 40),
    rest=st.binary(max_size=80),
)
def test_any_bytes_give_a_picture_or_a_reason(start: bytes, cut: int, rest: bytes) -> None:
    try:
        picture = decoded(start[:cut] + rest)
    except ValueError:
        return
    assert picture.mode == "RGB"
