"""Prompts that a vision judge answers before it is ready: they load everything that a request needs."""

from io import BytesIO

from PIL import Image

from judgestream.core.prompt import Prompt
from judgestream.core.templates import template
from judgestream.core.templates.base import ImageCounts


def warm_up_prompts(template_id: str) -> tuple[Prompt, ...]:
    """For each form that shows images one prompt with an image, and one without, except for image scorers."""
    file = BytesIO()
    Image.new("RGB", (8, 8), "grey").save(file, "PNG")
    prompts: list[Prompt] = []
    for name, form in template(template_id).forms.items():
        if form.image_layout is None:
            continue
        answers = ["Yes."] * (2 if name == "pair" else 1)
        for count in (1,) if form.grammar.reward else (1, 0):
            layout = form.image_layout("Ready?", answers, "Yes.", ImageCounts(question=count))
            images = (file.getvalue(),) * count
            prompts.append(Prompt(text=layout.text, grammar=form.grammar, images=images))
    return tuple(prompts)
