"""gRPC by mutual TLS with real servers: Triton's control is closed, and certificates are renewed at work."""

import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import grpc
import pytest
from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException
from typer.testing import CliRunner

from judgestream.adapters.releases.model_repository import install
from judgestream.adapters.rollout.calls import PLAINTEXT, RolloutCalls
from judgestream.adapters.rollout.errors import RolloutRefused, RolloutUnavailable
from judgestream.adapters.tls.client import ClientTls
from judgestream.adapters.triton.control import HEADER, TritonControl
from judgestream.apps.cli import main
from judgestream.contracts.topics import DEAD_LETTERS
from judgestream.core.errors import ConfigurationError, JudgeUnavailable
from judgestream.local.ports import free_port
from judgestream.local.triton import TritonServer
from judgestream.v1 import rollout_pb2 as pb
from judgestream.v1.judging_pb2 import Verdict
from tests.integration.cluster import INSTANT, Cluster, Servers, wait
from tests.integration.in_thread import Stream
from tests.integration.secured.certificates import Authority, Certificate
from tests.integration.secured.handshakes import shown_certificate
from tests.integration.secured.triton import (
    CONTROL_KEY,
    client_settings,
    client_tls,
    secured_triton,
)
from tests.integration.test_triton_control import CONTROL, PATHS
from tests.paths import JUDGES

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def worker(authority: Authority) -> Certificate:
    return authority.client("worker")


@pytest.fixture(scope="module")
def triton(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[TritonServer]:
    with secured_triton(tmp_path_factory.mktemp("first"), authority, name="first") as server:
        yield server


@pytest.fixture
def cluster(tmp_path: Path, servers: Servers, triton: TritonServer) -> Iterator[Cluster]:
    secured = Servers(kafka=servers.kafka, valkey=servers.valkey, triton=triton)
    with secured.cluster(tmp_path) as cluster:
        yield cluster


def credentials(authority: Authority, shown: Certificate) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(
        authority.file.read_bytes(), shown.key.read_bytes(), shown.certificate.read_bytes()
    )


def test_a_certificate_alone_does_not_open_the_control_of_triton(
    triton: TritonServer, authority: Authority, worker: Certificate
) -> None:
    creds = credentials(authority, worker)
    with InferenceServerClient(triton.grpc_url, creds=creds) as client:
        for headers in (None, {f"triton-grpc-protocol-{HEADER}": "wrong"}):
            calls: list[Any] = list(CONTROL.values())
            for call in calls:
                with pytest.raises(InferenceServerException, match="restricted"):
                    call(client, headers)
        assert client.is_model_ready(INSTANT)


def test_http_answers_health_checks_only_even_with_the_key(triton: TritonServer) -> None:
    closed = ["", f"models/{INSTANT}/infer", f"models/{INSTANT}/config", "models/stats", *PATHS]
    connection = HTTPConnection(triton.http_url, timeout=10)
    for path in closed:
        for method in ("GET", "POST"):
            headers = {HEADER: CONTROL_KEY.get_secret_value()}
            connection.request(method, f"/v2/{path}".rstrip("/"), b"{}", headers)
            answer = connection.getresponse()
            answer.read()
            assert answer.status in (403, 405), (method, path, answer.status)
    connection.request("GET", "/v2/health/live")
    assert connection.getresponse().status == 200
    connection.close()


async def test_control_takes_a_certificate_and_the_key(
    triton: TritonServer, authority: Authority, worker: Certificate, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path, name="stranger").client("stranger")
    refused = {
        "set triton.certificate_file": client_tls(authority, None),
        "refuses the client certificate": client_tls(authority, stranger),
        "set triton.tls to true": ClientTls(group="triton"),
    }
    for text, tls in refused.items():
        async with TritonControl(triton.grpc_url, CONTROL_KEY, tls=tls) as control:
            with pytest.raises(JudgeUnavailable, match=text):
                await control.index()
    async with TritonControl(
        triton.grpc_url, type(CONTROL_KEY)(""), tls=client_tls(authority, worker)
    ) as control:
        with pytest.raises(ConfigurationError, match="CONTROL_KEY"):
            await control.index()
    async with TritonControl(
        triton.grpc_url, CONTROL_KEY, tls=client_tls(authority, worker)
    ) as control:
        assert [model.name for model in await control.index() if model.ready] == [INSTANT]


def test_no_request_is_lost_while_every_certificate_is_renewed(
    cluster: Cluster,
    triton: TritonServer,
    authority: Authority,
    worker: Certificate,
    tmp_path: Path,
) -> None:
    with secured_triton(tmp_path / "second", authority, name="second") as second:
        tritons = {"first": triton, "second": second}
        addresses = ",".join(one.grpc_url for one in tritons.values())
        cluster.more |= {"triton__grpc": addresses, **client_settings(authority, worker)}
        cluster.work()
        log = tmp_path / "judging-0.log"
        with Stream(cluster, "tls", batch=4, sleep_ms=20) as stream:
            cluster.wait_verdicts(["tls-1-0"], seconds=20)
            authority.client("worker")
            wait(
                lambda: log.read_text().count("uses renewed files") == 2,
                what="the worker to use its renewed certificate at both Tritons",
                seconds=10,
            )
            for name, server in tritons.items():
                before = shown_certificate(server.grpc_url, authority, worker)
                authority.server(name)
                server.stop()
                server.start()
                assert shown_certificate(server.grpc_url, authority, worker) != before
                wait(
                    lambda address=server.grpc_url: f"{address} is back" in log.read_text(),  # type: ignore[misc]
                    what=f"the worker to use the {name} Triton again",
                    seconds=10,
                )
        verdicts = cluster.wait_verdicts(stream.ids, seconds=30)
    assert cluster.count(DEAD_LETTERS) == 0
    assert {one.request_id for one in verdicts} == set(stream.ids)
    assert {one.status for one in verdicts} == {Verdict.STATUS_SCORED}


def test_a_worker_says_why_triton_refuses_it(
    cluster: Cluster, triton: TritonServer, authority: Authority
) -> None:
    late = authority.client("late", expired=True)
    done = CliRunner().invoke(
        main, ["triton", "list"], env=cluster.environment(**client_settings(authority, late))
    )
    assert "refuses the client certificate of triton.certificate_file" in done.output


def test_the_rollout_service_takes_moves_of_movers_and_renews_its_certificate(
    cluster: Cluster, authority: Authority, worker: Certificate, tmp_path: Path
) -> None:
    address = f"127.0.0.1:{free_port()}"
    own, ops = authority.server("rollout"), authority.client("ops")
    # Triton does not have this release, so that nothing is loaded
    repository = tmp_path / "models"
    release = install(JUDGES / "tiny", repository, link=True).name
    secured: dict[str, object] = {
        "rollout__grpc": address,
        "rollout__repository": repository,
        "rollout__server_certificate_file": own.certificate,
        "rollout__server_key_file": own.key,
        "rollout__client_ca_file": authority.file,
        "rollout__movers": "ops",
        "triton__control_key": CONTROL_KEY.get_secret_value(),
        **client_settings(authority, worker),
    }
    cluster.more |= secured
    cluster.work("rollout")
    for text, tls in {
        "set rollout.certificate_file": client_tls(authority, None, "rollout"),
        "set rollout.tls to true": PLAINTEXT,
    }.items():
        with (
            RolloutCalls(address, CONTROL_KEY, tls=tls) as calls,
            pytest.raises(RolloutUnavailable, match=text),
        ):
            calls.get()
    with RolloutCalls(address, CONTROL_KEY, tls=client_tls(authority, worker, "rollout")) as calls:
        with pytest.raises(RolloutRefused, match=r"rollout\.movers does not allow .*worker"):
            calls.move("stage", release=release, by="me")
    with RolloutCalls(address, CONTROL_KEY, tls=client_tls(authority, ops, "rollout")) as calls:
        staged = _staged(calls, release)
        assert [one.by for one in staged.changes if one.action == "stage"] == [
            "me (certificate ops)"
        ]
        before = shown_certificate(address, authority, ops)
        authority.server("rollout")
        assert shown_certificate(address, authority, ops) != before
        assert calls.get().revision >= staged.revision  # the open connection stays
    done = CliRunner().invoke(
        main,
        ["release", "list"],
        env=cluster.environment(**client_settings(authority, ops, "rollout")),
    )
    assert done.exit_code == 0 and release in done.output, done.output


def _staged(calls: RolloutCalls, release: str) -> pb.Rollout:
    """Stage a release once an instance leads."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return calls.move("stage", release=release, by="me")
        except RolloutUnavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)
