"""`judgestream redis users`: the Redis user of each service, with the least rights."""

import typer

from judgestream.settings import load
from judgestream.terminal import options
from judgestream.terminal.output import OutputFormat, json_line, line

app = typer.Typer(no_args_is_help=True, help="Rebuild what Redis has lost, and show its users.")


@app.command("users")
def users(form: options.Format = OutputFormat.TEXT) -> None:
    """Print the Redis user of each service with the least rights, as lines of an ACL file.

    Replace PASSWORD in each line, or give ACL SETUSER the words after `user`. `operator` is for the commands
    of a person, such as `status`, `doctor` and `redis rebuild`.
    """
    from judgestream.adapters.redis.access import ACCESS

    prefix = load().redis.prefix
    for row in ACCESS:
        name, rules = row.user(prefix), row.rules(prefix)
        if form is OutputFormat.JSON:
            json_line({"service": row.service, "user": name, "rules": rules})
        else:
            line(f"user {name} on >PASSWORD {rules}")
