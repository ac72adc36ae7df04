"""Installation of a jury: its record as a Triton model, through which workers on any machine learn of it.

The release's digest covers the members' checkpoint digests, their weights, the rule with a cascade's bound
and vote, and the quorum, so other members or another rule make another release.
"""

from collections.abc import Sequence
from pathlib import Path

from judgestream.adapters.releases.installed import InstalledRelease, find
from judgestream.adapters.releases.model_config import (
    bundled_models,
    model_files,
    package_root,
    write_file,
)
from judgestream.core.errors import ConfigurationError
from judgestream.core.jury import FAMILY, JuryRecord
from judgestream.core.types import Release


def install_jury(name: str, record: JuryRecord, repository: Path) -> Release:
    """Write the model `<name>-<digest8>`. The members must be installed in the same repository.

    Raises:
        ConfigurationError: a member is missing or is itself a jury, or the name is not valid.
    """
    if not name.isascii() or not name.replace("_", "").replace("-", "").isalnum() or len(name) > 64:
        raise ConfigurationError(
            f"invalid name {name[:64]!r}: use letters, digits, hyphens and underscores, at most 64"
        )
    members = [find(repository, member.release) for member in record.members]
    _refuse_juries(members)
    digest = record.digest({member.name: member.release.checkpoint_digest for member in members})
    release = Release(
        name=f"{name}-{digest[:8]}",
        checkpoint_digest=digest,
        template_id=FAMILY,
        max_input_tokens=min(member.release.max_input_tokens for member in members),
    )
    values = {
        **record.parameters(),
        "name": release.name,
        "checkpoint_digest": digest,
        "template_id": FAMILY,
        "family": FAMILY,
        "max_input_tokens": release.max_input_tokens,
        "python_path": package_root(),
    }
    for path, text in model_files(bundled_models() / FAMILY, values).items():
        write_file(repository / release.name / path, text)
    return release


def _refuse_juries(members: Sequence[InstalledRelease]) -> None:
    juries = [member.name for member in members if member.members]
    if juries:
        raise ConfigurationError(
            f"{', '.join(juries)} is a jury: name its members instead, a jury has single releases only"
        )
