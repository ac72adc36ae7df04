"""Installation of a judge behind a chat endpoint into Triton's model repository.

The release's digest covers endpoint, model, template and every option that changes answers: the weights
themselves are not accessible. Other options make another release. A provider that changes a model behind its
name changes the judge without a new digest, so use a dated model name where there is one.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path

from judgestream.adapters.releases.model_config import (
    bundled_models,
    model_files,
    package_root,
    write_file,
)
from judgestream.adapters.releases.parameters import CONFIG, kept_terms, with_terms
from judgestream.adapters.releases.tuning import Tuning
from judgestream.backends.chat.base_url import check_base_url
from judgestream.backends.chat.request_options import RequestOptions
from judgestream.core import limits
from judgestream.core.control_tokens import WELL_KNOWN
from judgestream.core.costs import Terms
from judgestream.core.errors import ConfigurationError
from judgestream.core.release_parameters import written
from judgestream.core.templates import CHAT
from judgestream.core.templates.base import Template
from judgestream.core.types import Release
from judgestream.template_files import template_of

FAMILY = "openai_judge"

WAY_OF_ASKING = 2
"""Increased when prompts are sent differently, so that answers may change under the same options."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteJudge:
    """The endpoint and its request options.

    endpoint          base URL, up to and including `/v1`
    endpoint_model    name of the model at the endpoint
    key_variable      environment variable of Triton's process that contains the key; "" without a key
    template          text of a template file (see `read_endpoint_template`); "": the bundled `template_id`
    max_input_tokens  stated in the release; the endpoint itself refuses longer prompts
    top_logprobs      alternatives per token; 0 if the endpoint returns none, then scores are read from text
    thinking_tokens   in addition to the reply's tokens, for a model that thinks before it answers
    options           how the endpoint wants to be asked
    """

    endpoint: str
    endpoint_model: str
    template_id: str = CHAT.id
    template: str = ""
    key_variable: str = ""
    concurrency: int = 16
    top_logprobs: int = 20
    thinking_tokens: int = 0
    deadline_s: float = 25.0
    max_input_tokens: int = 100_000
    options: RequestOptions = field(default_factory=RequestOptions)

    def judged_by(self) -> Template:
        """The template: from its file, or the bundled one.

        Raises:
            ConfigurationError: it is unknown or invalid.
        """
        return template_of(
            Release(
                name=self.endpoint_model,
                checkpoint_digest="",
                template_id=self.template_id,
                max_input_tokens=self.max_input_tokens,
                template=self.template,
            )
        )

    @property
    def digest(self) -> str:
        identity: list[object] = [
            WAY_OF_ASKING,
            self.endpoint.rstrip("/"),
            self.endpoint_model,
            self.template_id,
            self.top_logprobs,
            self.thinking_tokens,
        ]
        if answers := self.options.of_answers():
            identity.append(json.dumps(answers, sort_keys=True))
        if self.template:
            identity.append(self.template)
        return hashlib.sha256(json.dumps(identity).encode()).hexdigest()


def install_endpoint(
    judge: RemoteJudge,
    repository: Path,
    *,
    instances: int = 1,
    tuning: Tuning | None = None,
    terms: Terms | None = None,
) -> Release:
    """Write the model `openai-<digest8>`. Installing it again rewrites the files that differ.

    terms  prices and budget; default: those of an earlier installation

    Raises:
        ConfigurationError: the URL is invalid, or the template is unknown.
    """
    _check(judge)
    name = f"openai-{judge.digest[:8]}"
    release = Release(
        name=name,
        checkpoint_digest=judge.digest,
        template_id=judge.template_id,
        max_input_tokens=judge.max_input_tokens,
        template=judge.template,
        control_tokens=WELL_KNOWN,
    )
    _check_forms(judge.judged_by())
    values = {
        **asdict(tuning or Tuning()),
        **asdict(judge),
        "request_options": judge.options.as_json(),
        **written(release),
        "name": name,
        "instances": instances,
        "kind": "KIND_CPU",
        "family": FAMILY,
        "python_path": package_root(),
    }
    files = model_files(bundled_models() / FAMILY, values)
    files[CONFIG] = with_terms(files[CONFIG], terms or kept_terms(repository / name))
    for path, text in files.items():
        write_file(repository / name / path, text)
    return release


def _check_forms(known: Template) -> None:
    if all(form.grammar.reward for form in known.forms.values()):
        raise ConfigurationError(
            f"template {known.id} is for reward models, which `judgestream release install` serves: use"
            f" {CHAT.id} for an endpoint"
        )


def _check(judge: RemoteJudge) -> None:
    check_base_url(judge.endpoint)
    if judge.key_variable and not _VARIABLE.fullmatch(judge.key_variable):
        # The value may be the key itself, so it is not repeated.
        raise ConfigurationError(
            "invalid --key-variable: give the name of an environment variable such as OPENAI_API_KEY, not the"
            " key"
        )
    if not judge.endpoint_model.strip() or not judge.endpoint_model.isprintable():
        raise ConfigurationError(
            f"invalid endpoint model {limits.quoted(judge.endpoint_model)}: give its name at the endpoint"
        )
