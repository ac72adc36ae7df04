"""Why a training left no judge."""

from judgestream.core.errors import ConfigurationError


class TrainingFailed(ConfigurationError):
    """This recipe made no judge of these examples, and would not if it were run again. Nothing is published.
    The message names the cause and what to change."""

    code = "training_failed"
