"""`judgestream triton serve`: one Triton with a judge, in the foreground, until SIGTERM."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import SecretStr

from judgestream.core.errors import ConfigurationError
from judgestream.settings import load
from judgestream.terminal.output import note

if TYPE_CHECKING:
    from judgestream.adapters.tls.server import ServerTls

LOCAL = ("127.0.0.1", "localhost", "::1")


def serve_command(
    judge: Annotated[
        str,
        typer.Option(
            help="judge to load: a checkpoint folder, an installed release, or the URL of a published"
            " checkpoint; default: as `judgestream up`"
        ),
    ] = "",
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    http_port: Annotated[int, typer.Option(min=1, max=65535, help="HTTP port")] = 8000,
    grpc_port: Annotated[int, typer.Option(min=1, max=65535, help="gRPC port")] = 8001,
    metrics_port: Annotated[int, typer.Option(min=1, max=65535, help="metrics port")] = 8002,
    health_port: Annotated[
        int, typer.Option(min=0, max=65535, help="port of /livez and /readyz; 0 = none")
    ] = 0,
    run_dir: Annotated[
        Path, typer.Option(help="folder for the log and the backend, of this server alone")
    ] = Path("/tmp/judgestream-triton"),  # noqa: S108
    start_s: Annotated[
        float, typer.Option(min=1, help="time limit for loading the judge, in seconds")
    ] = 900.0,
    ready_file: Annotated[
        Path | None,
        typer.Option(help="file to write the pid to once the server and the judge are ready"),
    ] = None,
) -> None:
    """Run Triton with a judge, until SIGTERM. A supervisor should restart it when it exits.

    The model repository is the folder `models` in `local.data`, and the judge is installed there if it is
    missing. With `triton.control_key`, only callers with that key can load and unload models. With
    `triton.server_certificate_file`, gRPC uses TLS, and HTTP answers health checks of this machine only.
    """
    settings = load(find_stack=False)
    from judgestream.adapters.tls.server import ServerTls
    from judgestream.adapters.triton.control import restrictions
    from judgestream.adapters.triton.traces import trace_arguments
    from judgestream.apps.machine.chosen_judge import JudgeOptions, choose
    from judgestream.apps.machine.triton_alone import run_triton
    from judgestream.apps.worker.readiness import ready_file as announcing
    from judgestream.local.folder import data_folder
    from judgestream.local.triton import TritonServer
    from judgestream.local.triton_tls import TritonTls
    from judgestream.metrics_endpoint import serve
    from judgestream.process_health import Health
    from judgestream.telemetry import logs

    require_key(host, settings.triton.control_key)
    tls = ServerTls.of(settings.triton, "triton")
    if tls is not None:
        tls.check()
    logs.configure(settings.worker, kind="triton")
    data = data_folder(settings.local.data)
    release = choose(settings, data, JudgeOptions(judge=judge), note)
    note(f"judge {release.name}")
    server = TritonServer(
        run_dir=run_dir,
        model_repository=data / "models",
        models=list(release.models),
        host=host,
        http_port=http_port,
        grpc_port=grpc_port,
        metrics_port=metrics_port,
        extra_arguments=trace_arguments(settings.telemetry.triton_endpoint),
        hidden_arguments=restrictions(settings.triton.control_key, tls=tls is not None),
        start_seconds=start_s,
        tls=None
        if tls is None
        else TritonTls(
            certificate=tls.certificate_file, key=tls.key_file, client_ca=tls.client_ca_file
        ),
    )
    health = Health(lambda: "Triton loads its judge")
    serve(host, health_port, settings="--health-port", health=health)
    run_triton(
        server,
        announcing(ready_file),
        sys.stderr.write,
        health,
        renewed=renewal(tls),
    )


def require_key(host: str, key: SecretStr) -> None:
    """Raise ConfigurationError for a Triton that other machines reach, if each of them could load models."""
    if host not in LOCAL and not key.get_secret_value():
        raise ConfigurationError(
            f"Triton does not listen on {host} without a control key, since everybody there could load"
            " models: set triton.control_key here and for the rollout service, or leave out --host"
        )


def renewal(tls: "ServerTls | None") -> Callable[[], str]:
    """Says once that the files of TLS were renewed, which Triton does not notice; "" otherwise."""
    used = None if tls is None else tls.stamp()

    def text() -> str:
        nonlocal used
        now = None if tls is None else tls.stamp()
        if now == used:
            return ""
        used = now
        return (
            "the files of triton.server_certificate_file, server_key_file or client_ca_file were renewed:"
            " restart this Triton, which read them at its start\n"
        )

    return text
