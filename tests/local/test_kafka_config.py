"""The configuration of a Kafka node."""

import base64
from pathlib import Path

from judgestream.local.kafka_config import (
    CLUSTER_ID,
    MAX_MESSAGE_BYTES,
    java_command,
    parse_meta,
    properties,
)


def configured() -> dict[str, str]:
    return parse_meta(properties(port=1001, controller_port=1002, log_dir=Path("/d/data")))


def test_both_listeners_are_on_this_machine_only() -> None:
    assert configured()["listeners"] == "PLAINTEXT://127.0.0.1:1001,CONTROLLER://127.0.0.1:1002"
    assert configured()["advertised.listeners"] == "PLAINTEXT://127.0.0.1:1001"
    assert configured()["controller.quorum.voters"] == "1@127.0.0.1:1002"


def test_topics_are_not_created_automatically() -> None:
    assert configured()["auto.create.topics.enable"] == "false"


def test_a_value_of_8_mib_fits_with_its_headers() -> None:
    assert int(configured()["message.max.bytes"]) == MAX_MESSAGE_BYTES > 8 * 1024 * 1024


def test_the_cluster_id_is_16_bytes_as_kafka_wants() -> None:
    assert len(base64.urlsafe_b64decode(CLUSTER_ID + "==")) == 16


def test_a_backslash_in_a_path_survives_the_properties_format() -> None:
    text = properties(port=1, controller_port=2, log_dir=Path("/a\\b"))
    assert "log.dirs=/a\\\\b\n" in text


def test_the_class_path_is_exactly_the_given_jars_and_the_archive_is_optional() -> None:
    jars = [Path("/c/a.jar"), Path("/c/b.jar")]
    with_archive = java_command(java=Path("/j"), jars=jars, archive=Path("/c/x.aot"))
    assert with_archive[0] == "/j"
    assert with_archive[-2:] == ["-cp", "/c/a.jar:/c/b.jar"]
    assert "-XX:AOTCache=/c/x.aot" in with_archive
    without = java_command(java=Path("/j"), jars=jars, archive=None)
    assert not any("AOTCache=" in argument for argument in without)


def test_meta_properties_are_read_without_comments() -> None:
    assert parse_meta("#Tue\n#x=y\nnode.id=1\ncluster.id=abc\n\n") == {
        "node.id": "1",
        "cluster.id": "abc",
    }
