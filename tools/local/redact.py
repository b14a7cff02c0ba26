"""Keeps keys out of what is printed."""

import logging
import re

_KEY = re.compile(r"([?&](?:code|token)=)[^&\s\"']+", re.IGNORECASE)


def redacted(text: str) -> str:
    """`text` with the values of `code=` and `token=` in addresses taken out."""
    return _KEY.sub(r"\1...", text)


class RedactingFormatter(logging.Formatter):
    """Formats a record and takes keys out of it."""

    def format(self, record: logging.LogRecord) -> str:
        """The formatted, redacted line."""
        return redacted(super().format(record))
