"""`judgestream publish`: a checkpoint folder to a folder, an S3-compatible store or any fsspec URL."""

from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from judgestream.core.errors import BrokerUnavailable
from judgestream.settings import Kafka, load
from judgestream_trainer.publishing.announce import announce
from judgestream_trainer.publishing.upload import upload


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("checkpoint", type=Path, help="a folder with manifest and evaluation card")
    parser.add_argument(
        "url",
        help="a folder, s3://bucket/path (login and address as AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,"
        " AWS_ENDPOINT_URL), or any URL of fsspec",
    )
    parser.add_argument(
        "--name", default="", help="what to call the release; else the manifest's name"
    )
    told = parser.add_mutually_exclusive_group()
    told.add_argument(
        "--bootstrap", help="the brokers to tell; else kafka.bootstrap of the settings"
    )
    told.add_argument("--no-event", action="store_true", help="tell nobody")


def run(args: Namespace, console: Console) -> int:
    """3: it is published, and no broker took the event; the same command again sends it."""
    release = upload(
        args.checkpoint,
        args.url,
        name=args.name,
        report=lambda name, size: console.print(f"  {name}  {size:,} bytes", markup=False),
    )
    what = f"{len(release.uploaded)} files written" if release.uploaded else "all was there already"
    console.print(f"published {release.location} ({what})", markup=False)
    if args.no_event:
        return 0
    try:
        announce(release, kafka_settings(args.bootstrap), now=datetime.now(UTC))
    except BrokerUnavailable as error:
        console.print(f"not told: {error}", style="red", markup=False)
        return 3
    console.print(f"told on judge.checkpoints.v1, key {release.manifest.digest}", markup=False)
    return 0


def kafka_settings(bootstrap: str | None) -> Kafka:
    """The environment's Kafka settings, with other brokers where some are named."""
    kafka = load().kafka
    return kafka.model_copy(update={"bootstrap": bootstrap}) if bootstrap else kafka
