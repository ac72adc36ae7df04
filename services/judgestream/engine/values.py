"""A reward model's values: one number per conversation, at its last token, as transformers'
`...ForSequenceClassification` computes it.

Conversations are packed like prompts, so the answers to one question share the tokens of the question.
"""

from dataclasses import dataclass

import torch

from judgestream.checkpoints.reward_scale import RewardScale
from judgestream.core.errors import ConfigurationError, PromptTooLong, RejectedByJudge
from judgestream.core.prompt import Prompt
from judgestream.core.templates.reward import conversation
from judgestream.core.types import Reply
from judgestream.engine.checkpoint import Checkpoint
from judgestream.engine.conversation_tokens import ConversationTokens, Message
from judgestream.engine.decoder import Decoder
from judgestream.engine.grammar import ScoreTree
from judgestream.engine.packing import PackedBatch
from judgestream.engine.readout import forward

_NO_TREE = ScoreTree(
    labels=0,
    count=0,
    tokens=(),
    parents=(),
    depths=(),
    edges=(),
    paths=(),
    closing=(),
    children=({},),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversation:
    """An admitted prompt of a reward model: its index in the call, and its token ids."""

    index: int
    ids: list[int]


@torch.inference_mode()
def row_values(decoder: Decoder, row: PackedBatch) -> list[float]:
    """The raw value of each conversation of a row, in the order of `row.prompts`."""
    states, _ = forward(decoder, row, _NO_TREE, keep_kv_cache=False)
    values: list[float] = decoder.values(states).tolist()
    return values


class ConversationReader:
    """The prompts of one reward model as token ids, and its values as replies."""

    def __init__(self, checkpoint: Checkpoint, scale: RewardScale) -> None:
        self._checkpoint = checkpoint
        self._scale = scale
        self._encoder = ConversationTokens(tokens=checkpoint.tokens)

    def admit(self, index: int, prompt: Prompt) -> Conversation | PromptTooLong | RejectedByJudge:
        """The prompt's token ids, or why it cannot be judged."""
        if not prompt.grammar.reward:
            return RejectedByJudge(
                f"score grammar: {self._checkpoint.manifest.name} is a reward model and writes no score line:"
                ' send {"reward": true, "labels": [], "count": 1}'
            )
        try:
            messages = [Message(role, text) for role, text in conversation(prompt.text)]
            ids = self._encoder.ids(messages)
        except (ValueError, ConfigurationError) as error:
            return RejectedByJudge(str(error))
        if not ids:
            return RejectedByJudge("the conversation is empty")
        limit = self._checkpoint.max_input_tokens
        if len(ids) > limit:
            return PromptTooLong(
                f"the conversation has {len(ids)} tokens, the context of {self._checkpoint.manifest.name}"
                f" holds {limit} prompt tokens"
            )
        return Conversation(index=index, ids=ids)

    def reply(self, conversation: Conversation, raw: float, latency_s: float) -> Reply:
        """The value in units of log-odds with the tie margin; the text is the raw value."""
        return Reply(
            text=f"{raw:.6g}",
            score_probs=(self._scale.value(raw), self._scale.margin),
            finish_reason="stop",
            input_tokens=len(conversation.ids),
            latency_s=latency_s,
        )
