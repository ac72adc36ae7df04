"""The cost of a teacher, and a budget that is never exceeded.

Before a prompt is sent, its maximum cost is reserved: one input token per byte of the prompt (no tokenizer
produces more) and every output token that it may generate. Spent and reserved amounts together never exceed
the limit; the unused part is refunded with the reply. A prompt that missed its deadline counts as paid in
full. Charges for a connection that broke and was retried are not observable.
"""

from dataclasses import dataclass

from judgestream.core.costs import Prices
from judgestream.core.prompt import Prompt
from judgestream.core.types import Reply

FRAME_TOKENS = 256
"""Tokens that an endpoint's own chat template may add to a prompt."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokens:
    """Token counts of one prompt and its reply. `estimated`: upper bounds, because no counts were sent."""

    input: int
    output: int
    estimated: bool = False


@dataclass(kw_only=True, slots=True)
class Budget:
    """Prices are per million tokens; `limit` is in the same currency, None for no limit."""

    price_in: float = 0.0
    price_out: float = 0.0
    limit: float | None = None
    spent: float = 0.0
    reserved: float = 0.0

    def cost(self, input_tokens: int, output_tokens: int) -> float:
        prices = Prices(per_million_in=self.price_in, per_million_out=self.price_out)
        return prices.cost(input_tokens, output_tokens)

    def reserve(self, prompt: Prompt) -> float | None:
        """Reserve the maximum cost of the prompt. Returns it, or None if the limit does not allow it."""
        bound = upper_bound(prompt)
        amount = self.cost(bound.input, bound.output)
        if self.limit is not None and self.spent + self.reserved + amount > self.limit:
            return None
        self.reserved += amount
        return amount

    def refund(self, amount: float) -> None:
        """Release a reserved amount once the prompt has ended."""
        self.reserved = max(0.0, self.reserved - amount)

    def spend(self, input_tokens: int, output_tokens: int) -> None:
        self.spent += self.cost(input_tokens, output_tokens)


def upper_bound(prompt: Prompt) -> Tokens:
    """The most tokens that the prompt and any reply to it can take."""
    return Tokens(
        input=len(prompt.text.encode()) + FRAME_TOKENS,
        output=prompt.grammar.line_tokens + prompt.max_tokens,
        estimated=True,
    )


def usage(prompt: Prompt, reply: Reply) -> Tokens:
    """The tokens that the teacher reports, or the upper bounds if it reports none."""
    if reply.input_tokens <= 0:
        return upper_bound(prompt)
    return Tokens(input=reply.input_tokens, output=reply.output_tokens)
