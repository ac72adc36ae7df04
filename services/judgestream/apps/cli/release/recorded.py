"""`judgestream release recorded`: published judgements as a release."""

from pathlib import Path
from typing import Annotated

import typer

from judgestream.apps.cli.release.place import Repository, print_installed, repository_of
from judgestream.core.errors import ConfigurationError
from judgestream.terminal import options
from judgestream.terminal.output import OutputFormat, note


def recorded_command(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="rows with question, answers (as shown), reply, and reference if one was shown;"
            " `judgestream suite recording` writes such files",
        ),
    ],
    name: Annotated[str, typer.Argument(help="name of the judge; a digest is added to it")],
    repository: Repository = None,
    template: Annotated[
        str,
        typer.Option(help="bundled template whose score lines the replies are, such as chat-v1"),
    ] = "chat-choice-v1",
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Install a judge that repeats published judgements. It refuses every prompt that is not among them."""
    from judgestream.adapters.files import read_records
    from judgestream.adapters.releases.recorded import install_recorded, recording_of
    from judgestream.core.formats.fields import Fields
    from judgestream.core.templates import TEMPLATES

    known = [
        one.id
        for one in TEMPLATES.values()
        if not any(each.grammar.reward for each in one.forms.values())
    ]
    if template not in known:
        raise ConfigurationError(f"no template {template[:60]!r} for this: use {', '.join(known)}")
    rows = (Fields(values, place) for place, values in read_records(file))
    recording = recording_of(rows, TEMPLATES[template])
    place = repository_of(repository)
    installed = install_recorded(name, recording, place, template_id=template)
    note(f"{recording.rows} judgements, {recording.conflicts} of them contradict an earlier one")
    print_installed(installed, place, form)
