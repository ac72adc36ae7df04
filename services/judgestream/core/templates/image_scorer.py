"""The texts of image scorers: models such as CLIP, which value an image by how well a caption describes it.

The prompt is the caption as it is. It has no frame and no placeholder: the image goes to the other encoder.
"""

from collections.abc import Sequence
from types import MappingProxyType

from judgestream.core.templates.base import NO_IMAGES, Form, ImageCounts, Layout, Template
from judgestream.core.templates.reward import VALUE

FORM = "image_value"

TRUNCATED = "truncated"
"""The `finish_reason` of a value whose caption was longer than the model reads: its beginning counts."""


def _caption(
    question: str, answers: Sequence[str], reference: str | None, images: ImageCounts = NO_IMAGES
) -> Layout:
    """The question alone. A mode refuses answers and references with text for such a judge."""
    return Layout(text=question, slots=())


SCORER = Template(
    id="image-scorer-v1",
    markers=(),
    forms=MappingProxyType({FORM: Form(layout=_caption, image_layout=_caption, grammar=VALUE)}),
)
