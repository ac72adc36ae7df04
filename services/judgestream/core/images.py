"""Images of a request: which are valid, and where they stand. Pure: nothing is decoded or fetched here.

An image is a PNG, JPEG, WebP or GIF file, given by its bytes or by its URL. Decoding is in
`judgestream.images`, fetching in `adapters.fetching`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from judgestream.core import limits
from judgestream.core.limits import quoted
from judgestream.core.types import Image, Request

MEDIA_TYPES = ("image/png", "image/jpeg", "image/webp", "image/gif")

_SIGNATURES: Mapping[str, Callable[[bytes], bool]] = MappingProxyType(
    {
        "image/png": lambda data: data.startswith(b"\x89PNG\r\n\x1a\n"),
        "image/jpeg": lambda data: data.startswith(b"\xff\xd8\xff"),
        "image/webp": lambda data: data[:4] == b"RIFF" and data[8:12] == b"WEBP",
        "image/gif": lambda data: data[:6] in (b"GIF87a", b"GIF89a"),
    }
)
_SCHEMES = ("https://", "http://")


def media_type_of(data: bytes) -> str:
    """The media type by the first bytes of a file; "" if it is none of `MEDIA_TYPES`."""
    return next((name for name, matches in _SIGNATURES.items() if matches(data)), "")


def has_images(request: Request) -> bool:
    return bool(request.images) or any(candidate.images for candidate in request.candidates)


def placed(request: Request) -> Iterator[tuple[str, Image]]:
    """Every image with the name of its field, as errors name it: first the question's."""
    for number, image in enumerate(request.images, start=1):
        yield f"images[{number}]", image
    for place, candidate in enumerate(request.candidates, start=1):
        for number, image in enumerate(candidate.images, start=1):
            yield f"candidates[{place}].images[{number}]", image


def with_images(request: Request, images: Mapping[str, Image]) -> Request:
    """The request with other images, each by the name that `placed` gives it."""
    return replace(
        request,
        images=tuple(images[f"images[{n}]"] for n, _ in enumerate(request.images, start=1)),
        candidates=tuple(
            replace(
                candidate,
                images=tuple(
                    images[f"candidates[{place}].images[{n}]"]
                    for n, _ in enumerate(candidate.images, start=1)
                ),
            )
            for place, candidate in enumerate(request.candidates, start=1)
        ),
    )


def problems(request: Request) -> Iterator[str]:
    """What is wrong with a request's images, each with its field and how to fix it."""
    every = list(placed(request))
    if len(every) > limits.IMAGES:
        yield f"{len(every)} images; at most {limits.IMAGES} for the question and all candidates together"
        return
    for name, image in every:
        yield from _problems(name, image)


def data_problem(data: bytes, media_type: str = "") -> str:
    """Why these bytes are not an image that a judge may get, as far as the first bytes show; "" if they are.

    media_type   that the sender states; "" if none
    """
    if len(data) > limits.IMAGE:
        return f"has {len(data)} bytes; at most {limits.IMAGE}: make the picture smaller"
    found = media_type_of(data)
    if not found:
        return f"is not an image file: use {', '.join(MEDIA_TYPES)}"
    if media_type and media_type != found:
        return f"is {found}, not {media_type}: correct media_type, or leave it out"
    return ""


def _problems(name: str, image: Image) -> Iterator[str]:
    if not isinstance(image, Image):
        yield f"{name} must be an Image, not {type(image).__name__}"
        return
    if bool(image.url) == bool(image.data):
        yield f"{name} needs either url or data: set one of them"
        return
    if image.media_type and image.media_type not in MEDIA_TYPES:
        known = ", ".join(MEDIA_TYPES)
        yield f"{name}.media_type is {quoted(image.media_type)}: one of {known}, or leave it out"
        return
    if image.data:
        if problem := data_problem(image.data, image.media_type):
            yield f"{name}.data {problem}"
    elif problem := url_problem(image.url):
        yield f"{name}.url {problem}"


def url_problem(url: str) -> str:
    """Why this is not a URL that may be fetched, as far as its text shows; "" if it is."""
    if len(url) > limits.URL:
        return f"has {len(url)} characters; at most {limits.URL}: use a shorter URL"
    if not url.lower().startswith(_SCHEMES):
        return f"is {quoted(url)}: use an http or https URL, or send the image in data"
    if not url.isascii() or not url.isprintable() or " " in url:
        return "has spaces, control or non-ASCII characters: percent-encode them"
    return ""
