"""`judgestream template`: the bundled templates, and the check of a template file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from judgestream.core.errors import ConfigurationError
from judgestream.terminal import options
from judgestream.terminal.output import OutputFormat, json_line, line

if TYPE_CHECKING:
    from judgestream.engine.template_check import TokenReport
    from judgestream.template_files.checking import Example

app = typer.Typer(no_args_is_help=True, help="Show the prompt templates, and check your own.")


@app.command("list")
def list_command(form: options.Format = OutputFormat.TEXT) -> None:
    """List the bundled templates, and the forms and modes of each."""
    from judgestream.core.modes import served_by
    from judgestream.core.templates import TEMPLATES

    rows = [
        {
            "template": one.id,
            "forms": ", ".join(one.forms),
            "modes": ", ".join(served_by(one)),
            "reasons_first": any(form.reasoning is not None for form in one.forms.values()),
        }
        for one in TEMPLATES.values()
    ]
    if form is OutputFormat.JSON:
        for row in rows:
            json_line(row)
        return
    for row in rows:
        first = ", reasons first" if row["reasons_first"] else ""
        line(f"{row['template']}: modes {row['modes'] or '-'} (forms {row['forms']}{first})")


@app.command("show")
def show_command(
    template: Annotated[str, typer.Argument(help="id of a bundled template, or a template file")],
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Show an example prompt of every form, with the score line that the judge writes behind it."""
    from judgestream.core.templates import TEMPLATES
    from judgestream.template_files.checking import examples

    if template in TEMPLATES:
        shown = TEMPLATES[template]
    elif Path(template).is_file():
        from judgestream.adapters.releases.template_file import read_template

        shown = read_template(Path(template))[1].template
    else:
        raise ConfigurationError(
            f"no template {template!r}: give a template file, or one of {', '.join(TEMPLATES)}"
        )
    _show(examples(shown), form)


@app.command("check")
def check_command(
    file: Annotated[Path, typer.Argument(help="template file (YAML)")],
    checkpoint: Annotated[
        Path | None, typer.Option(help="checkpoint folder whose tokenizer reads the prompts")
    ] = None,
    prompts: Annotated[bool, typer.Option(help="show an example prompt of every form")] = False,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Check a template file: its keys, its texts, and whether text under judgement can break out of it.

    With a checkpoint also: the prompts' lengths in tokens, whether the scores can be read behind them, and
    whether text under judgement can become a control token. Ends with exit code 2 and every problem.
    """
    from judgestream.adapters.releases.template_file import in_chat_frames, read_template
    from judgestream.core.modes import served_by
    from judgestream.template_files.checking import examples

    text, loaded = read_template(file)
    found: TokenReport | None = None
    if checkpoint is not None:
        from judgestream.engine.template_check import report

        if not checkpoint.is_dir():
            raise ConfigurationError(f"{checkpoint} is not a checkpoint folder")
        _, loaded = in_chat_frames(checkpoint, file, text, loaded)
        found = report(checkpoint, loaded.template)
        if found.problems:
            raise ConfigurationError(
                f"template {loaded.file.id} does not fit checkpoint {checkpoint}:\n  "
                + "\n  ".join(found.problems)
            )
    if form is OutputFormat.JSON:
        json_line(
            {
                "template": loaded.file.id,
                "modes": list(served_by(loaded.template)),
                "markers": list(loaded.template.markers),
                "prompts": [
                    {"form": p.example.form, "reference": p.example.reference, "tokens": p.tokens}
                    for p in (found.prompts if found else ())
                ],
            }
        )
        return
    line(f"{loaded.file.id}: modes {', '.join(served_by(loaded.template))}")
    line(
        f"markers escaped in text under judgement: {', '.join(map(repr, loaded.template.markers))}"
    )
    if found is not None:
        for one in found.prompts:
            reference = " with a reference" if one.example.reference else ""
            line(
                f"form {one.example.form}{reference}: {one.tokens} tokens around short texts, {one.control}"
                f" of them control tokens; the context holds {found.context}"
            )
    if prompts:
        _show(examples(loaded.template), form)
    line("no text under judgement can break out of it")


def _show(examples: list["Example"], form: OutputFormat) -> None:
    for one in examples:
        if form is OutputFormat.JSON:
            json_line({"form": one.form, "reference": one.reference, "prompt": one.prompt})
            continue
        reference = ", with a reference" if one.reference else ""
        line(f"--- form {one.form}{reference} ---")
        line(one.prompt)
