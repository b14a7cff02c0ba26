"""What can go wrong, by what the caller can do about it.

Failed is not unavailable: `StepFailed` is an answer and becomes a fact, `Unavailable` is no answer and comes again.
"""


class SignalboxError(Exception):
    """Base of every error this app raises on purpose; `status` is the HTTP answer it becomes."""

    status = 500


class NotUnderstood(SignalboxError):
    """What came cannot be read: its sender must change it."""

    status = 400


class NotTrusted(SignalboxError):
    """The sender did not prove who it is (401)."""

    status = 401


class NotAllowed(NotTrusted):
    """The sender is known and may not do this (403)."""

    status = 403


class NotFound(SignalboxError):
    """What was named does not exist."""

    status = 404


class Conflict(SignalboxError):
    """Something else was recorded first; the message says what."""

    status = 409


class Moved(Conflict):
    """A stream is longer than it was when it was read: read it again, and decide again."""


class LengthRequired(SignalboxError):
    """The body came without a Content-Length, which the Functions host hands to us empty."""

    status = 411


class TooLarge(SignalboxError):
    """The body is larger than any real sender's."""

    status = 413


class StepFailed(SignalboxError):
    """The work said no: recorded as a fact, never retried by itself.

    `advice` says what to do next, `log` names the job whose log holds the whole story.
    """

    def __init__(self, reason: str, advice: str = "", log: str = "") -> None:
        super().__init__(reason)
        self.reason, self.advice, self.log = reason, advice, log


class Unavailable(SignalboxError):
    """An outside service could not be asked, or cannot answer yet: raised, so that the message comes again."""

    status = 503


class Blocked(Unavailable):
    """An outside service answers, but not to us: an operator must mend what the message names, and then it goes on."""


class NotYet(Unavailable):
    """Nothing is away: what came has its turn after something else, such as a training."""


class Absent(NotYet):
    """What an event tells of is not there, or not yet; its dead letter is the last that is waited for."""


class Misconfigured(SignalboxError):
    """Settings are missing or wrong; the message names every one of them at once.

    `shown` is for whoever proved nothing: it tells no value, and nothing of what the operator's files say.
    """

    def __init__(self, message: str, shown: str = "") -> None:
        super().__init__(message)
        self.shown = shown or message
