"""What goes wrong, in three families: AMQP's soft and hard errors, and misuse of fakeamqp itself."""

from __future__ import annotations

REPLY_NAMES: dict[int, str] = {
    311: "CONTENT_TOO_LARGE",
    312: "NO_ROUTE",
    313: "NO_CONSUMERS",
    320: "CONNECTION_FORCED",
    402: "INVALID_PATH",
    403: "ACCESS_REFUSED",
    404: "NOT_FOUND",
    405: "RESOURCE_LOCKED",
    406: "PRECONDITION_FAILED",
    501: "FRAME_ERROR",
    502: "SYNTAX_ERROR",
    503: "COMMAND_INVALID",
    504: "CHANNEL_ERROR",
    505: "UNEXPECTED_FRAME",
    506: "RESOURCE_ERROR",
    530: "NOT_ALLOWED",
    540: "NOT_IMPLEMENTED",
    541: "INTERNAL_ERROR",
}
"""Reply codes and their names, AMQP 0-9-1 section 1.1, spelled as RabbitMQ's reply texts spell them."""


class AMQPError(Exception):
    """A refusal that RabbitMQ would send to the client as Channel.Close or Connection.Close.

    `names_method` tells whether that Close carries the ids of the method that failed.
    """

    def __init__(self, code: int, explanation: str, *, names_method: bool = True) -> None:
        self.code = code
        self.names_method = names_method
        self.explanation = explanation
        self.text = f"{REPLY_NAMES[code]} - {explanation}" if explanation else REPLY_NAMES[code]
        super().__init__(code, self.text)


class SoftError(AMQPError):
    """Closes the channel."""


class HardError(AMQPError):
    """Closes the connection."""


class FakeamqpError(Exception):
    """fakeamqp was used in a way that cannot work; the message says what to do."""


class UnsupportedFeature(FakeamqpError, NotImplementedError):
    """RabbitMQ can do this, fakeamqp cannot (yet); nothing has been changed."""


class Misuse(FakeamqpError, ValueError):
    """A call to fakeamqp's own API that makes no sense as it stands."""


class UnsupportedDefinitions(UserWarning):
    """Imported definitions say something that RabbitMQ would honour and fakeamqp cannot; all else was imported."""


def not_found(explanation: str) -> SoftError:
    """404."""
    return SoftError(404, explanation)


def access_refused(explanation: str) -> SoftError:
    """403."""
    return SoftError(403, explanation)


def resource_locked(explanation: str) -> SoftError:
    """405."""
    return SoftError(405, explanation)


def precondition_failed(explanation: str) -> SoftError:
    """406."""
    return SoftError(406, explanation)


def not_allowed(explanation: str) -> HardError:
    """530."""
    return HardError(530, explanation)


def not_implemented(explanation: str) -> HardError:
    """540."""
    return HardError(540, explanation)


def command_invalid(explanation: str) -> HardError:
    """503."""
    return HardError(503, explanation)


def channel_error(explanation: str) -> HardError:
    """504."""
    return HardError(504, explanation)
