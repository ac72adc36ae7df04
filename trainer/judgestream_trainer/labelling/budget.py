"""What the teacher costs, and a budget that is never exceeded.

Before a prompt is sent, the most that it can cost is set aside: one token per byte of the prompt (no
tokenizer makes more) and all output tokens that it may write. What is spent and what is set aside together
never exceed the budget; what a reply did not need comes back. A prompt whose deadline passed is reckoned as
paid for in full. What a provider bills for a connection that broke and was tried again, nobody here knows.
"""

from dataclasses import dataclass

from judgestream.backends.chat.options import LINE_TOKENS
from judgestream.core.prompt import Prompt
from judgestream.core.types import Reply

FRAME_TOKENS = 256
"""What an endpoint's own chat template may add to a prompt."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokens:
    """Of one prompt and its reply. `estimated`: upper bounds, because the endpoint did not tell."""

    input: int
    output: int
    estimated: bool = False


@dataclass(kw_only=True, slots=True)
class Budget:
    """price_in, price_out: per million tokens; budget: in the same currency, None for no limit."""

    price_in: float = 0.0
    price_out: float = 0.0
    limit: float | None = None
    spent: float = 0.0
    reserved: float = 0.0

    def cost(self, input_tokens: int, output_tokens: int) -> float:
        return (input_tokens * self.price_in + output_tokens * self.price_out) / 1e6

    def reserve(self, prompt: Prompt) -> float | None:
        """Set the most aside that the prompt can cost; None, and nothing set aside, where it is not there."""
        bound = upper_bound(prompt)
        amount = self.cost(bound.input, bound.output)
        if self.limit is not None and self.spent + self.reserved + amount > self.limit:
            return None
        self.reserved += amount
        return amount

    def refund(self, amount: float) -> None:
        """Give back what was set aside, when the prompt is over."""
        self.reserved = max(0.0, self.reserved - amount)

    def spend(self, input_tokens: int, output_tokens: int) -> None:
        self.spent += self.cost(input_tokens, output_tokens)


def upper_bound(prompt: Prompt) -> Tokens:
    """No reply to this prompt takes more."""
    return Tokens(
        input=len(prompt.text.encode()) + FRAME_TOKENS,
        output=LINE_TOKENS + prompt.max_tokens,
        estimated=True,
    )


def usage(prompt: Prompt, reply: Reply) -> Tokens:
    """What the reply took, as its teacher counts; the upper bounds where it does not."""
    if reply.input_tokens <= 0:
        return upper_bound(prompt)
    return Tokens(input=reply.input_tokens, output=reply.output_tokens)
