"""The error of a training that makes no judge."""

from judgestream.core.errors import ConfigurationError


class TrainingFailed(ConfigurationError):
    """This recipe cannot make a judge from these examples; a retry would fail again. Nothing is published.
    The message names the cause and what to change."""

    code = "training_failed"
