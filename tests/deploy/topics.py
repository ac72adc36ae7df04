"""`python -m tests.deploy.topics [--write]`: the KafkaTopic resources of the table of topics.

Without --write it exits 1 when deploy/kustomize/base/topics.yaml is not what the table gives.
"""

import sys

import yaml

from judgestream.contracts.topics import TOPICS
from tests.deploy.compose import DEPLOY

FILE = DEPLOY / "kustomize" / "base" / "topics.yaml"
CLUSTER = "judgestream"
REPLICAS = 3
IN_SYNC = 2
HEAD = "# Generated from contracts/topics.py by `python -m tests.deploy.topics --write`. Do not edit.\n"


def topics_yaml() -> str:
    resources = [
        {
            "apiVersion": "kafka.strimzi.io/v1",
            "kind": "KafkaTopic",
            "metadata": {"name": topic.name, "labels": {"strimzi.io/cluster": CLUSTER}},
            "spec": {
                "partitions": topic.partitions,
                "replicas": REPLICAS,
                "config": {**topic.config, "min.insync.replicas": str(IN_SYNC)},
            },
        }
        for topic in TOPICS.values()
    ]
    return HEAD + yaml.safe_dump_all(resources, sort_keys=False)


def main(arguments: list[str]) -> int:
    if arguments == ["--write"]:
        FILE.write_text(topics_yaml(), encoding="utf-8")
        return 0
    if FILE.read_text(encoding="utf-8") != topics_yaml():
        sys.stderr.write(f"{FILE} is out of date: run `python -m tests.deploy.topics --write`\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
