"""A judge behind an OpenAI-compatible endpoint -> Triton's model repository.

The release's digest names endpoint, model and template: all that we can know of weights that are somebody
else's. A provider that changes a model behind its name changes the judge without a new digest; pin a dated
model name where there is one.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from judgestream.adapters.model_repository import (
    Tuning,
    bundled_models,
    model_files,
    package_root,
    write_file,
)
from judgestream.core.errors import ConfigurationError
from judgestream.core.templates import CHAT, template
from judgestream.core.types import Release

FAMILY = "openai_judge"


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteJudge:
    """The endpoint and how to ask it.

    endpoint          base URL, up to and with `/v1`
    endpoint_model    as the endpoint calls it
    key_variable      environment variable of Triton's process that holds the key; "" without a key
    max_input_tokens  stated on the release; the endpoint itself refuses what is too long
    top_logprobs      alternatives per token; 0 where the endpoint has none, then a reading is its text
    price_in, price_out   per million tokens, for the cost counter
    """

    endpoint: str
    endpoint_model: str
    template_id: str = CHAT.id
    key_variable: str = ""
    concurrency: int = 16
    top_logprobs: int = 20
    deadline_s: float = 25.0
    max_input_tokens: int = 100_000
    price_in: float = 0.0
    price_out: float = 0.0

    @property
    def digest(self) -> str:
        identity = [self.endpoint.rstrip("/"), self.endpoint_model, self.template_id]
        return hashlib.sha256(json.dumps(identity).encode()).hexdigest()


def install_endpoint(
    judge: RemoteJudge, repository: Path, *, instances: int = 1, tuning: Tuning | None = None
) -> Release:
    """Write the model `openai-<digest8>`; installing it again changes what differs.

    Raises:
        ConfigurationError: the URL is none, or the template is unknown.
    """
    parts = urlsplit(judge.endpoint)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ConfigurationError(
            f"endpoint {judge.endpoint!r} is no URL such as http://host:8000/v1"
        )
    if parts.username or parts.password:
        raise ConfigurationError(
            "an endpoint's URL must not hold a key: name its variable with key_variable"
        )
    template(judge.template_id)
    name = f"openai-{judge.digest[:8]}"
    values = {
        **asdict(tuning or Tuning()),
        **asdict(judge),
        "name": name,
        "instances": instances,
        "kind": "KIND_CPU",
        "family": FAMILY,
        "checkpoint_digest": judge.digest,
        "python_path": package_root(),
    }
    for path, text in model_files(bundled_models() / FAMILY, values).items():
        write_file(repository / name / path, text)
    return Release(
        name=name,
        checkpoint_digest=judge.digest,
        template_id=judge.template_id,
        max_input_tokens=judge.max_input_tokens,
    )
