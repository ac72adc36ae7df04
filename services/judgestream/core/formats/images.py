"""MJ-Bench: a caption and two images, of which one is preferred. The judge sees the images."""

import base64
import binascii

from judgestream.core.formats.base import Draft, RequestFormat, Vote, dataset_name
from judgestream.core.formats.fields import Fields
from judgestream.core.formats.reasons import Aside, NoLabel
from judgestream.core.images import media_type_of
from judgestream.core.types import Candidate, Image

ANNOTATOR = "mjbench"
_WINNERS = {"0": "1", "1": "2"}
"""`label` is the number of the preferred image."""


def convert(fields: Fields) -> Draft:
    """`caption`, `image0`, `image1` and a `label`, 0 or 1.

    An image is a URL, a data URL, or as Hugging Face stores and serves it: `{bytes, path}`, `{src}`. Rows
    that only name image files are set aside, as are tables of scores.
    """
    images = [image_of(fields, name) for name in ("image0", "image1")]
    caption = fields.text("caption")
    label = fields.identity("label")
    winner = _WINNERS.get(label or "")
    number = fields.identity("id")
    return Draft(
        name=dataset_name("mjbench", number, fields, caption, *map(_content, images)),
        mode="multimodal",
        question=caption,
        candidates=tuple(
            Candidate(id=str(k), text="", images=(image,))
            for k, image in enumerate(images, start=1)
        ),
        votes=() if winner is None else (Vote(annotator=ANNOTATOR, winner=winner),),
        unlabelled=() if winner or label is None else (NoLabel.UNKNOWN_WINNER,),
    )


def image_of(fields: Fields, name: str) -> Image:
    """The image that a field holds. Raises SetAside: it only names a file, or holds none."""
    value = fields.values.get(name)
    if isinstance(value, dict):
        value = value.get("bytes") or value.get("src")
    if isinstance(value, bytes):
        return Image(data=value)
    if not isinstance(value, str):
        fields.set_aside(Aside.NOT_TEXT, name, "is not an image, but a score or nothing")
    if value.startswith(("https://", "http://")):
        return Image(url=value)
    head, _, encoded = value.rpartition(",")
    if not head or head.endswith(";base64"):
        try:
            data = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            data = b""
        if media_type_of(data):
            return Image(data=data)
    fields.set_aside(
        Aside.NOT_TEXT, name, "names an image file: give its URL, or its bytes in base64"
    )


def _content(image: Image) -> str:
    return image.url or base64.b64encode(image.data).decode()


MJBENCH = RequestFormat(
    name="mjbench",
    summary="MJ-Bench: a caption and two images (URLs or bytes), and which is preferred; others set aside",
    needs=(("image0", "demographic"),),
    convert=convert,
)
