"""Image files to pictures. Size limits are checked on the header, before anything is decoded.

A picture is an RGB image as a person sees it: the first frame, turned by its Exif orientation, transparent
parts on white.
"""

from collections.abc import Mapping
from io import BytesIO
from types import MappingProxyType

from PIL import Image, ImageOps

from judgestream.core import limits
from judgestream.core.images import data_problem, media_type_of

_DECODERS: Mapping[str, str] = MappingProxyType(
    {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP", "image/gif": "GIF"}
)
"""Pillow's decoder by media type. No other one ever sees a file."""

MAX_ASPECT = 20
"""Long side over short side. Models scale the short side, so a line of pixels would become a huge picture."""


def check_header(data: bytes, media_type: str = "") -> None:
    """Check an image's type and size, without decoding it.

    Raises:
        ValueError: too large, of another type, or not an image; the text follows the name of the field.
    """
    _opened(data, media_type)


def decoded(data: bytes) -> Image.Image:
    """The picture of an image file.

    Raises:
        ValueError: as `check_header`; or the file is damaged.
    """
    image = _opened(data)
    try:
        image.load()
        upright = ImageOps.exif_transpose(image)
        if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
            shown = upright.convert("RGBA")
            canvas = Image.new("RGBA", shown.size, "white")
            return Image.alpha_composite(canvas, shown).convert("RGB")
        return upright.convert("RGB")
    except Exception as error:  # a decoder may raise anything on damaged data
        raise ValueError(f"cannot be decoded ({error}): send a complete file") from error


def _opened(data: bytes, media_type: str = "") -> Image.Image:
    """The image with its header read only."""
    if problem := data_problem(data, media_type):
        raise ValueError(problem)
    try:
        image = Image.open(BytesIO(data), formats=[_DECODERS[media_type_of(data)]])
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"has far too many pixels; {_too_large()}") from error
    except Exception as error:  # as in `decoded`
        raise ValueError(f"has an invalid header ({error}): send a complete file") from error
    width, height = image.size
    if width * height > limits.IMAGE_PIXELS:
        raise ValueError(f"has {width} x {height} pixels; {_too_large()}")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise ValueError(
            f"has {width} x {height} pixels; the long side may be at most {MAX_ASPECT} times the short one:"
            " crop it"
        )
    return image


def _too_large() -> str:
    return f"at most {limits.IMAGE_PIXELS} pixels are allowed: make the picture smaller"
