"""Triton Inference Server, with its Python backend, from the package nvidia-pytriton."""

import hashlib
import os
import re
import string
from collections.abc import Mapping, Sequence
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from judgestream.local import triton_install
from judgestream.local.errors import DataUnusable
from judgestream.local.identity import ProcessId, children, program_name
from judgestream.local.ports import HOST, accepts, free_port, require_free
from judgestream.local.process import Command
from judgestream.local.server import LocalServer
from judgestream.local.triton_tls import TritonTls

_EXIT_SECONDS = 5
# The kernel keeps 15 characters of a program's name.
_STUB_NAME = "triton_python_b"


class TritonServer(LocalServer):
    """A server with explicit model control: `models` are loaded at start, others on request."""

    name = "Triton"
    log_name = "triton.log"
    # Triton stops slowly when a stub has died.
    lock_seconds = 20.0

    def __init__(
        self,
        *,
        run_dir: Path,
        model_repository: Path,
        models: Sequence[str],
        host: str = HOST,
        http_port: int | None = None,
        grpc_port: int | None = None,
        metrics_port: int | None = None,
        omp_num_threads: int | None = None,
        environment: Mapping[str, str] | None = None,
        extra_arguments: Sequence[str] = (),
        hidden_arguments: Sequence[str] = (),
        start_seconds: float = 180.0,
        tls: TritonTls | None = None,
    ) -> None:
        """Starts nothing yet. Without a port a free one is used.

        `host` is the address to listen on; it must include 127.0.0.1, as 0.0.0.0 does. `run_dir` holds the
        log and the backend's folder; none of it needs to be kept. `omp_num_threads` and `environment` are
        passed to the models' Python processes. `start_seconds` limits the loading of the models.
        `hidden_arguments` contain secrets, such as the rules that restrict model control; they do not
        appear in the process list. With `tls`, which is for gRPC, HTTP listens on 127.0.0.1 only; restrict it
        by `hidden_arguments`, too.
        """
        super().__init__(run_dir)
        self._tls = tls
        self.model_repository = model_repository.resolve()
        self.models = tuple(models)
        self._host = host
        self.http_port = free_port() if http_port is None else http_port
        self.grpc_port = free_port() if grpc_port is None else grpc_port
        self.metrics_port = free_port() if metrics_port is None else metrics_port
        self._environment = dict(environment or {})
        if omp_num_threads is not None:
            self._environment["OMP_NUM_THREADS"] = str(omp_num_threads)
        self._extra_arguments = tuple(extra_arguments)
        self._hidden_arguments = tuple(hidden_arguments)
        self._start_seconds = start_seconds
        self._stubs_at_start = 0
        # Derived from the folder, so that a start finds what a killed keeper has left behind.
        folder_hash = hashlib.sha256(str(self.folder).encode()).hexdigest()[:12]
        self.shm_prefix = f"judgestream_{folder_hash}_"

    @property
    def grpc_url(self) -> str:
        """`host:port` for `tritonclient.grpc`."""
        return f"{HOST}:{self.grpc_port}"

    @property
    def http_url(self) -> str:
        """`host:port` for `tritonclient.http`."""
        return f"{HOST}:{self.http_port}"

    @property
    def metrics_url(self) -> str:
        return f"http://{HOST}:{self.metrics_port}/metrics"

    @property
    def address(self) -> str:
        return self.grpc_url

    def _launch(self) -> None:
        """Start and wait until the server and each of the models is ready."""
        install = triton_install.find()
        self._check_repository()
        for port, purpose in (
            (self.http_port, "HTTP"),
            (self.grpc_port, "gRPC"),
            (self.metrics_port, "metrics"),
        ):
            setting = f"the Triton {purpose} port"
            require_free(port, purpose=f"Triton ({purpose})", setting=setting)
        for left_over in Path("/dev/shm").glob(f"{self.shm_prefix}*"):  # noqa: S108
            left_over.unlink(missing_ok=True)
        backends = triton_install.make_backend_directory(install, self.folder / "backends")
        environment = triton_install.server_environment(
            install, backends, {**os.environ, **self._environment}
        )
        triton_install.check_libraries(install, environment)
        process = self._spawn(
            Command(
                name=self.name,
                argv=[str(install.program), *self._arguments(backends)],
                log_path=self.log_path,
                cwd=self.folder,
                env=environment,
                stop_seconds=_EXIT_SECONDS + 10.0,
                remove_after=[f"/dev/shm/{self.shm_prefix}*"],  # noqa: S108
                hidden_arguments=self._hidden_arguments,
            )
        )
        process.wait_ready(
            # gRPC opens first and the metrics last
            lambda: self._serves() and accepts(self.metrics_port),
            what=f"reported {', '.join(self.models) or 'itself'} ready on {self.grpc_url}",
            seconds=self._start_seconds,
            advice="Loading a large model takes time: start again with a longer start_seconds.",
        )
        self._stubs_at_start = len(self.stubs())

    def _serves(self) -> bool:
        """Whether the server and its models are ready. With TLS by HTTP: this process may have no certificate
        that Triton accepts."""
        if self._tls is None:
            return serves(self.grpc_url, self.models)
        return accepts(self.grpc_port) and serves_http(self.http_url, self.models)

    def _arguments(self, backends: Path) -> list[str]:
        return [
            f"--model-repository={self.model_repository}",
            "--model-control-mode=explicit",
            *(f"--load-model={model}" for model in self.models),
            f"--backend-directory={backends}",
            f"--backend-config=python,shm-region-prefix-name={self.shm_prefix}",
            f"--exit-timeout-secs={_EXIT_SECONDS}",
            f"--http-address={self._host if self._tls is None else HOST}",
            f"--http-port={self.http_port}",
            f"--grpc-address={self._host}",
            f"--grpc-port={self.grpc_port}",
            f"--metrics-address={self._host}",
            f"--metrics-port={self.metrics_port}",
            *(() if self._tls is None else self._tls.arguments),
            *self._extra_arguments,
        ]

    def _check_repository(self) -> None:
        require_plain_path(self.model_repository, "The model repository")
        require_plain_path(self.folder, "Triton's folder")
        for model in self.models:
            if _PLAIN_NAME.fullmatch(model) is None:
                raise DataUnusable(
                    f"invalid model name {model[:64]!r}: use letters, digits, dots, hyphens and"
                    " underscores."
                )
        if not self.model_repository.is_dir():
            raise DataUnusable(
                f"The model repository {self.model_repository} is not a folder: correct its path."
            )
        for model in self.models:
            if not (self.model_repository / model).is_dir():
                present = sorted(path.name for path in self.model_repository.iterdir())
                raise DataUnusable(
                    f"The model repository {self.model_repository} has no model {model}; it has:"
                    f" {', '.join(present) or 'nothing'}. Correct the name, or add the model."
                )

    def stubs(self) -> list[ProcessId]:
        """The Python processes of the models, one for each instance of a Python model."""
        if self._process is None:
            return []
        own = children(self._process.pid)
        return [child for child in own if program_name(child.pid).startswith(_STUB_NAME)]

    def lost_stubs(self) -> int:
        """The number of stubs that have died since the server became ready.

        Triton does not notice such a death. It stays "ready", and every call to that model fails until the
        model is unloaded and loaded. A model unloaded on purpose counts, too.
        """
        if self._process is None:
            return 0
        return max(0, self._stubs_at_start - len(self.stubs()))


def require_plain_path(path: Path, what: str) -> None:
    """Raise DataUnusable for a path that Triton's Python backend cannot handle.

    The backend starts a model's process by `bash -c` with the unquoted path of the model. A space splits the
    path, and shell syntax in it would be executed. The process decodes the path as ASCII in any locale, and a
    colon splits its library path.
    """
    wrong = sorted({sign for sign in str(path) if sign not in _PLAIN})
    if wrong:
        raise DataUnusable(
            f"{what} is at {str(path)!r}, and Triton cannot load models from a path that"
            f" contains {', '.join(map(_sign, wrong))}: its Python backend passes the path to a shell. Choose"
            f" a data folder (local.data) whose path has ASCII letters, digits and {_PLAIN_SIGNS} only."
        )


def _sign(sign: str) -> str:
    return "a space" if sign == " " else repr(sign)


_PLAIN_SIGNS = "./_-+=@%,"
_PLAIN = frozenset(string.ascii_letters + string.digits + _PLAIN_SIGNS)
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def serves(url: str, models: Sequence[str] = (), *, seconds: float = 2.0) -> bool:
    """Whether the server at `url` is ready, and each of `models` too."""
    # Imported late: `judgestream.local.stack` must load without a Triton client.
    from tritonclient.grpc import InferenceServerClient
    from tritonclient.utils import InferenceServerException

    try:
        with InferenceServerClient(url) as client:
            return bool(client.is_server_ready(client_timeout=seconds)) and all(
                client.is_model_ready(model, client_timeout=seconds) for model in models
            )
    except InferenceServerException:
        return False


def serves_http(url: str, models: Sequence[str] = (), *, seconds: float = 2.0) -> bool:
    """As `serves`, at Triton's HTTP: `url` is host:port."""
    ready = (f"/v2/models/{model}/ready" for model in models)
    return answers_http(url, ("/v2/health/ready", *ready), seconds=seconds)


def answers_http(url: str, paths: Sequence[str], *, seconds: float) -> bool:
    """Whether the server at host:port answers 200 to a GET of each path. `seconds` limits every step."""
    try:
        with closing(HTTPConnection(url, timeout=seconds)) as connection:
            for path in paths:
                connection.request("GET", path)
                answer = connection.getresponse()
                answer.read()
                if answer.status != HTTPStatus.OK:
                    return False
    except (OSError, HTTPException):
        return False
    return True
