"""How an expression fails.

ExpressionSyntaxError    the text is no expression: a diagnostic of the definition, found before anything runs
EvaluationError          the text is fine but not for this data: an ASL error of the execution
"""

from __future__ import annotations


class ExpressionSyntaxError(ValueError):
    """The message says what is wrong with the text, without naming the field it stands in."""


class EvaluationError(Exception):
    """An ASL error raised by an expression.

    `error` is the ASL error name (States.Runtime, States.IntrinsicFailure, ...); the message is AWS's text
    without the prefix "An error occurred while executing the state ...", which the engine adds.
    """

    def __init__(self, message: str, error: str = "States.Runtime") -> None:
        super().__init__(message)
        self.error = error
        self.message = message
