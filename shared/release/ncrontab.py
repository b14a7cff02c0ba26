"""NCRONTAB, the schedules of Azure's timers: read strictly, because a cron library takes more than they do."""

import re

_NUMBER = r"\d{1,2}"
_NAME = r"[A-Za-z]{3,9}"


def _field(value: str) -> re.Pattern[str]:
    step = r"(?:/[1-9]\d?)?"
    item = rf"(?:\*|(?:{value})(?:-(?:{value}))?){step}"
    return re.compile(rf"{item}(?:,{item})*")


# Second, minute, hour, day, month, day of the week.
_FIELDS = (_field(_NUMBER),) * 4 + (_field(f"{_NUMBER}|{_NAME}"), _field(f"[0-6]|{_NAME}"))


def six_fields(text: str) -> str:
    """Return a schedule of five or six fields as six, with names of three letters; ValueError says what is wrong."""
    fields = text.split()
    if len(fields) == 5:
        fields = ["0", *fields]
    if len(fields) != 6:
        raise ValueError(f"has {len(fields)} fields; NCRONTAB has 6 (seconds first) or 5")
    for place, (field, allowed) in enumerate(zip(fields, _FIELDS, strict=True), start=1):
        if not allowed.fullmatch(field):
            raise ValueError(f"field {place} ({field!r}) is not NCRONTAB")
    return " ".join(re.sub(r"([A-Za-z]{3})[A-Za-z]*", r"\1", field) for field in fields)
