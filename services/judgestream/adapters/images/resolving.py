"""The images of a request as bytes, each checked before the judge sees it."""

import asyncio
from dataclasses import replace
from typing import Protocol

from judgestream.core import limits
from judgestream.core.errors import ImageUnavailable, InvalidRequest
from judgestream.core.images import has_images, placed, with_images
from judgestream.core.limits import quoted
from judgestream.core.types import Image, Request
from judgestream.images.decoding import check_header


class Fetch(Protocol):
    async def fetch(self, url: str) -> bytes: ...


async def resolved(request: Request, fetcher: Fetch) -> Request:
    """The request with the bytes of all its images; without images the request itself.

    Raises:
        InvalidRequest: an image is invalid or must not be fetched; the message names its field.
        ImageUnavailable: an image's server does not answer.
    """
    if not has_images(request):
        return request
    named = dict(placed(request))
    async with asyncio.TaskGroup() as group:
        tasks = {
            name: group.create_task(_outcome(name, image, fetcher)) for name, image in named.items()
        }
    where = f"request {quoted(request.request_id)}"
    images: dict[str, Image] = {}
    for name, task in tasks.items():
        outcome = task.result()
        if not isinstance(outcome, Image):
            raise type(outcome)(f"{where}: {name}: {outcome}") from outcome
        images[name] = outcome
    if (size := sum(len(image.data) for image in images.values())) > limits.IMAGES_TOGETHER:
        raise InvalidRequest(
            f"{where}: its images have {size} bytes together; at most {limits.IMAGES_TOGETHER}: make them"
            " smaller"
        )
    return with_images(request, images)


async def _outcome(
    name: str, image: Image, fetcher: Fetch
) -> Image | InvalidRequest | ImageUnavailable:
    """The image with its bytes, or why there are none: the first error in the request's order counts."""
    try:
        data = image.data or await fetcher.fetch(image.url)
        check_header(data, image.media_type)
    except (InvalidRequest, ImageUnavailable) as error:
        return error
    except ValueError as error:
        return InvalidRequest(str(error))
    return replace(image, data=data)
