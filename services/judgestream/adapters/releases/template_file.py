"""A template file that is installed with a checkpoint: checked, and part of the release's digest."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from judgestream.checkpoints.describing import folder_template
from judgestream.checkpoints.families import JUDGELM, TEMPLATE
from judgestream.checkpoints.manifest import Manifest, digest_of
from judgestream.core.errors import ConfigurationError
from judgestream.core.templates import TEMPLATES
from judgestream.template_files.building import LoadedTemplate, loaded
from judgestream.template_files.checking import problems
from judgestream.template_files.yaml_text import MAX_BYTES


@dataclass(frozen=True, kw_only=True, slots=True)
class WithTemplate:
    """A checkpoint's manifest with its template file.

    text  of the file; "" for a bundled template
    """

    manifest: Manifest
    text: str


def read_template(file: Path) -> tuple[str, LoadedTemplate]:
    """The text of a template file, and the template; no text under judgement can break out of it.

    Raises:
        ConfigurationError: with every problem of the file.
    """
    try:
        with file.open("rb") as opened:
            text = opened.read(MAX_BYTES + 1).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"template {file} cannot be read: {error}") from error
    template = loaded(text, str(file))
    if template.file.id in TEMPLATES:
        raise ConfigurationError(
            f"{file}: id {template.file.id} is that of a bundled template: choose another id"
        )
    found = problems(template)
    if found:
        raise ConfigurationError(f"{file} is not safe:\n  " + "\n  ".join(found))
    return text, template


def with_template(checkpoint: Path, manifest: Manifest, file: Path | None) -> WithTemplate:
    """The manifest as it is installed: with the file's template, or with the checkpoint's own.

    Messages are put into the checkpoint's chat template, whose frames are written into the installed file.

    Raises:
        ConfigurationError: the template cannot be used with this checkpoint; with every problem.
    """
    if file is None:
        own = TEMPLATE in manifest.files
        return WithTemplate(
            manifest=manifest,
            text=(checkpoint / TEMPLATE).read_text(encoding="utf-8") if own else "",
        )
    if manifest.family != JUDGELM:
        raise ConfigurationError(
            f"checkpoint {checkpoint} is a {manifest.family} model, which has no template: leave --template"
            " out"
        )
    if TEMPLATE in manifest.files:
        raise ConfigurationError(
            f"checkpoint {checkpoint} has its own template ({folder_template(checkpoint).file.id}):"
            " leave --template out"
        )
    text, template = read_template(file)
    text, template = in_chat_frames(checkpoint, file, text, template)
    return WithTemplate(manifest=_changed(checkpoint, manifest, text, template), text=text)


def in_chat_frames(
    checkpoint: Path, file: Path, text: str, template: LoadedTemplate
) -> tuple[str, LoadedTemplate]:
    """A template of messages in the checkpoint's chat template; other templates as they are."""
    from judgestream.engine.template_check import frames_of

    if template.file.frames is not None:
        raise ConfigurationError(f"{file}: frames are written by the installation: remove them")
    if all(form.messages is None for form in template.file.forms.values()):
        return text, template
    frames = yaml.safe_dump({"frames": frames_of(checkpoint).model_dump()}, allow_unicode=True)
    text = f"{text.rstrip()}\n{frames}"
    return text, loaded(text, str(file))


def _changed(checkpoint: Path, manifest: Manifest, text: str, template: LoadedTemplate) -> Manifest:
    from judgestream.engine.template_check import report

    found = report(checkpoint, template.template).problems
    if found:
        raise ConfigurationError(
            f"template {template.file.id} does not fit checkpoint {checkpoint}:\n  "
            + "\n  ".join(found)
        )
    files = {**manifest.files, TEMPLATE: hashlib.sha256(text.encode()).hexdigest()}
    limit = template.file.limits.prompt_tokens or manifest.max_input_tokens
    return replace(
        manifest,
        template_id=template.file.id,
        files=files,
        digest=digest_of(files, manifest.family),
        max_input_tokens=min(limit, manifest.max_input_tokens),
    )
