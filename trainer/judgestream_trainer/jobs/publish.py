"""A checkpoint folder, uploaded to a URL and announced on Kafka."""

from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from judgestream.settings import load
from judgestream.terminal.exit_codes import ExitCode
from judgestream_trainer.publishing.announce import announce
from judgestream_trainer.publishing.upload import upload


def publish(checkpoint: Path, url: str, *, name: str, event: bool, console: Console) -> ExitCode:
    """Upload the checkpoint, then send its event.

    Raises:
        BrokerUnavailable: the checkpoint is published and no broker took the event; the same call again
            sends it.
    """
    release = upload(
        checkpoint,
        url,
        name=name,
        on_file=lambda file, size: console.print(f"  {file}  {size:,} bytes", markup=False),
    )
    written = f"{len(release.uploaded)} files written" if release.uploaded else "already complete"
    console.print(f"published {release.location} ({written})", markup=False)
    if not event:
        return ExitCode.OK
    announce(release, load().kafka, now=datetime.now(UTC))
    console.print(f"announced on judge.checkpoints.v1, key {release.manifest.digest}", markup=False)
    return ExitCode.OK
