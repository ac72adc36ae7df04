"""`python -m tests.deploy.redis_users [--write]`: Valkey's start with the users of `redis/access.py`.

Without --write it exits 1 when a generated file is not what the table gives.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

from judgestream.adapters.redis.access import ACCESS, Access
from tests.deploy.compose import DEPLOY

PREFIX = "judgestream"
SCRIPT = DEPLOY / "valkey" / "start.sh"
CONFIG_MAP = DEPLOY / "kustomize" / "base" / "valkey-start.yaml"
ORIGIN = (
    "Generated from redis/access.py by `python -m tests.deploy.redis_users --write`. Do not edit."
)


def password_variable(row: Access) -> str:
    return f"REDIS_{row.service.upper()}_PASSWORD"


def script() -> str:
    variables = [password_variable(row) for row in ACCESS]
    checked = " ".join(f'"${name}"' for name in variables)
    users = "\n".join(
        f"user {row.user(PREFIX)} on >${password_variable(row)} {row.rules(PREFIX)}"
        for row in ACCESS
    )
    return f"""#!/bin/sh
# {ORIGIN}
# Starts Valkey with one user per service. The passwords come by standard input: among the arguments they
# would show in the process list.
set -eu
for password in {checked}; do
  case $password in
    "" | *[!A-Za-z0-9_-]*)
      echo "a Redis password must consist of letters, digits, _ and -" >&2
      exit 2
      ;;
  esac
done
exec valkey-server - --appendonly yes --appendfsync everysec --maxmemory-policy noeviction "$@" <<END
user default off
{users}
END
"""


def generated() -> Mapping[Path, str]:
    config_map = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "valkey-start"},
        "data": {"start.sh": script()},
    }

    class Dumper(yaml.SafeDumper):
        pass

    Dumper.add_representer(
        str,
        lambda dumper, text: dumper.represent_scalar(
            "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
        ),
    )
    text = yaml.dump(config_map, Dumper=Dumper, sort_keys=False, width=10_000)
    return {SCRIPT: script(), CONFIG_MAP: f"# {ORIGIN}\n{text}"}


def main(arguments: list[str]) -> int:
    for path, text in generated().items():
        if arguments == ["--write"]:
            path.write_text(text, encoding="utf-8")
        elif path.read_text(encoding="utf-8") != text:
            sys.stderr.write(
                f"{path} is out of date: run `python -m tests.deploy.redis_users --write`\n"
            )
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
