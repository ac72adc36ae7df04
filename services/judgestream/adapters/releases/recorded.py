"""Installation of published judgements as a release: a Triton model that repeats them.

The judgements are kept by the digest of the prompt that shows them in the release's template, rendered by the
same code as a worker's. The release's digest covers the template and every judgement.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from judgestream.adapters.releases.model_config import (
    bundled_models,
    model_files,
    package_root,
    write_file,
)
from judgestream.adapters.releases.tuning import Tuning
from judgestream.contracts.recording import FAMILY, FILE, digest_of, key_of, read
from judgestream.contracts.recording import written as recorded_text
from judgestream.core.errors import ConfigurationError, InvalidRequest
from judgestream.core.formats.base import numbered
from judgestream.core.formats.fields import Fields
from judgestream.core.modes import MODES, check, plan
from judgestream.core.probe import known_good
from judgestream.core.release_parameters import written
from judgestream.core.templates.base import Grammar, Template
from judgestream.core.types import Options, Orders, Release, Request

MAX_INPUT_TOKENS = 1_000_000
"""Nothing is computed, so no prompt is too long and no answer is cut."""
MODE_OF = {1: "single", 2: "pairwise"}
"""By the number of answers that were shown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """Replies by the digest of their prompt.

    conflicts   rows that show the same as an earlier one and answer otherwise: the first one counts
    """

    replies: Mapping[str, str]
    rows: int
    conflicts: int


def recording_of(rows: Iterable[Fields], template: Template) -> Recording:
    """The recording of these rows: question, answers as shown, reply, and a reference where one was shown.

    Raises:
        InvalidRecord: a row is malformed, or the template cannot show it.
    """
    replies: dict[str, str] = {}
    count = conflicts = 0
    for row in rows:
        count += 1
        key, reply = key_of(_prompt(row, template)), row.text("reply")
        if replies.setdefault(key, reply) != reply:
            conflicts += 1
    if not count:
        raise ConfigurationError("the file has no judgements: give one with rows")
    # the worker's question whether the judge works, answered as a working judge does
    for one in known_good(template):
        replies[key_of(one.prompt)] = _first_is_better(one.grammar)
    return Recording(replies=replies, rows=count, conflicts=conflicts)


def _prompt(row: Fields, template: Template) -> str:
    answers = [one for one in row.items("answers") if isinstance(one, str)]
    mode = MODE_OF.get(len(answers))
    if mode is None or len(answers) != len(row.items("answers")):
        row.reject("answers", "must be a list of one or two texts")
    request = Request(
        request_id="recorded",
        mode=mode,
        question=row.text("question"),
        candidates=numbered(answers, [""] * len(answers)),
        requested_at=datetime(2026, 1, 1, tzinfo=UTC),
        reference=row.optional_text("reference"),
        options=Options(orders=Orders.STRAIGHT),
    )
    try:
        check(request)
        (shown,) = plan(request, MODES[mode], template)
    except InvalidRequest as exc:
        row.reject("answers", str(exc))
    except ValueError:
        row.reject(
            "answers", f"take several prompts in template {template.id}: choose another template"
        )
    return shown.prompt


def _first_is_better(grammar: Grammar) -> str:
    """A score line by which the first of two answers is better."""
    if grammar.outcomes:
        line = grammar.labels[grammar.outcomes.index(1)]
    else:
        ranked = sorted(zip(grammar.values, grammar.labels, strict=True))
        line = grammar.separator.join((ranked[-1][1], *[ranked[0][1]] * (grammar.count - 1)))
    return f"{grammar.marker}{line}{grammar.closing}"


def install_recorded(
    name: str,
    recording: Recording,
    repository: Path,
    *,
    template_id: str,
    template: str = "",
) -> Release:
    """Write the model `<name>-<digest8>`.

    Args:
        template: text of a template file; "" for a bundled one.

    Raises:
        ConfigurationError: the name is not valid.
    """
    if not name.isascii() or not name.replace("_", "").replace("-", "").isalnum() or len(name) > 64:
        raise ConfigurationError(
            f"invalid name {name[:64]!r}: use letters, digits, hyphens and underscores, at most 64"
        )
    release = Release(
        name=name,
        checkpoint_digest="",
        template_id=template_id,
        max_input_tokens=MAX_INPUT_TOKENS,
        template=template,
    )
    digest = digest_of(template_id + written(release)["template"], recording.replies)
    release = Release(
        name=f"{name}-{digest[:8]}",
        checkpoint_digest=digest,
        template_id=template_id,
        max_input_tokens=MAX_INPUT_TOKENS,
        template=template,
    )
    values = {
        **asdict(Tuning()),
        **written(release),
        "name": release.name,
        "instances": 1,
        "kind": "KIND_CPU",
        "family": FAMILY,
        "python_path": package_root(),
    }
    folder = repository / release.name
    # the file first: a model whose configuration exists is complete
    write_file(folder / "1" / FILE, recorded_text(recording.replies))
    for path, text in model_files(bundled_models() / FAMILY, values).items():
        write_file(folder / path, text)
    return release


def changed(folder: Path, release: Release) -> str:
    """The change of an installed recording since its installation, in words; "" for none."""
    path = folder / "1" / FILE
    try:
        with path.open(encoding="utf-8") as file:
            replies = read(file)
    except (OSError, ValueError) as error:
        return f"{path}: {error}"
    known = digest_of(release.template_id + written(release)["template"], replies)
    return (
        "" if known == release.checkpoint_digest else f"{path} was changed since its installation"
    )
