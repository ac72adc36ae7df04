"""A chat-completions endpoint: its address, the limits of its use, and what was spent."""

from dataclasses import dataclass, field
from math import inf

from judgestream.backends.chat.request_options import RequestOptions
from judgestream.core.costs import Prices
from judgestream.core.types import Reply


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """Address and limits.

    url              base URL, up to and with `/v1`
    key              bearer token; empty for a server without one
    concurrency      prompts in progress at once
    top_logprobs     alternatives per token to ask for; 0 for an endpoint without log-probabilities
    thinking_tokens  added to the limit of the reply, for a model that thinks before it answers
    deadline_s       for one prompt, retries included
    patience_s       retries start within this time; then the failure is returned and the caller may retry
    backoff_s        first pause between retries; doubled each time
    prove            send the known good prompt where a failure may concern all prompts
    reuse_s          how long a reply is kept for a prompt that is sent again because its request failed
    options          how the endpoint wants to be asked
    prices           for the cost counter
    """

    url: str
    model: str
    key: str = field(default="", repr=False)
    concurrency: int = 16
    top_logprobs: int = 20
    thinking_tokens: int = 0
    deadline_s: float = 60.0
    patience_s: float = inf
    backoff_s: float = 0.5
    prove: bool = False
    reuse_s: float = 0.0
    options: RequestOptions = field(default_factory=RequestOptions)
    prices: Prices = field(default_factory=Prices)

    def without_key(self, text: str) -> str:
        """The text with the key taken out."""
        return text.replace(self.key, "[the key]") if self.key else text


@dataclass(kw_only=True, slots=True)
class Usage:
    """What was spent since the judge was created. `reused` prompts cost nothing."""

    prompts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    retries: int = 0
    probes: int = 0
    reused: int = 0
    cost: float = 0.0

    def add(self, reply: Reply, endpoint: Endpoint) -> None:
        """Count one reply at the endpoint's prices."""
        self.prompts += 1
        self.input_tokens += reply.input_tokens
        self.output_tokens += reply.output_tokens
        self.cost += endpoint.prices.cost(reply.input_tokens, reply.output_tokens)
