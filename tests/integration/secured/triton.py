"""A real Triton behind mutual TLS, and the settings of its callers."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr

from judgestream.adapters.tls.client import ClientTls
from judgestream.adapters.triton.control import restrictions
from judgestream.local.triton import TritonServer
from judgestream.local.triton_tls import TritonTls
from tests.integration.cluster import INSTANT, MODELS
from tests.integration.secured.certificates import Authority, Certificate

CONTROL_KEY = SecretStr("c0ffee" * 8)


@contextmanager
def secured_triton(
    folder: Path,
    authority: Authority,
    *,
    key: SecretStr = CONTROL_KEY,
    name: str = "triton",
    extra_arguments: Sequence[str] = (),
) -> Iterator[TritonServer]:
    """A Triton with the instant judge. Only clients with a certificate of the authority may connect, and only
    holders of the key may load models.

    Args:
        folder: of this server alone.
        name: of its certificate's files.
    """
    shown = authority.server(name)
    shutil.copytree(MODELS, folder / "models", dirs_exist_ok=True)
    with TritonServer(
        run_dir=folder / "run",
        model_repository=folder / "models",
        models=[INSTANT],
        extra_arguments=extra_arguments,
        hidden_arguments=restrictions(key, tls=True),
        tls=TritonTls(certificate=shown.certificate, key=shown.key, client_ca=authority.file),
    ) as server:
        yield server


def client_tls(authority: Authority, shown: Certificate | None, group: str = "triton") -> ClientTls:
    """How a client with this certificate connects; None for one without."""
    return ClientTls(
        group=group,
        enabled=True,
        ca_file=authority.file,
        certificate_file=None if shown is None else shown.certificate,
        key_file=None if shown is None else shown.key,
    )


def client_settings(
    authority: Authority, shown: Certificate, group: str = "triton"
) -> dict[str, object]:
    """The same as settings of a process, for `Cluster.environment`."""
    return {
        f"{group}__tls": "true",
        f"{group}__ca_file": authority.file,
        f"{group}__certificate_file": shown.certificate,
        f"{group}__key_file": shown.key,
    }
