"""`python -m tests.deploy.users [--write]`: the KafkaUser resources of the table of users.

Without --write it exits 1 when deploy/kustomize/base/users.yaml is not what the table gives.
"""

import sys
from typing import Any

import yaml

from judgestream.contracts.access import USERS, Right, User
from tests.deploy.compose import DEPLOY
from tests.deploy.topics import CLUSTER

FILE = DEPLOY / "kustomize" / "base" / "users.yaml"
HEAD = (
    "# Generated from contracts/access.py by `python -m tests.deploy.users --write`. Do not edit.\n"
    "# Strimzi makes a password for each user, in a Secret of the same name.\n"
)


def users_yaml() -> str:
    parts = [f"# {user.name}: {user.purpose}\n{_resource(user)}" for user in USERS.values()]
    return HEAD + "---\n".join(parts)


def _resource(user: User) -> str:
    resource = {
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": "KafkaUser",
        "metadata": {"name": user.full_name, "labels": {"strimzi.io/cluster": CLUSTER}},
        "spec": {
            "authentication": {"type": "scram-sha-512"},
            "authorization": {"type": "simple", "acls": [_acl(right) for right in user.rights]},
        },
    }
    return yaml.safe_dump(resource, sort_keys=False)


def _acl(right: Right) -> dict[str, Any]:
    pattern = "prefix" if right.prefix else "literal"
    return {
        "resource": {"type": right.kind, "name": right.name, "patternType": pattern},
        "operations": list(right.operations),
    }


def main(arguments: list[str]) -> int:
    if arguments == ["--write"]:
        FILE.write_text(users_yaml(), encoding="utf-8")
        return 0
    if FILE.read_text(encoding="utf-8") != users_yaml():
        sys.stderr.write(f"{FILE} is out of date: run `python -m tests.deploy.users --write`\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
