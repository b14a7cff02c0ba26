"""NCRONTAB, the schedules of Azure's timers: read strictly, because a cron library takes more than they do."""

import re

_MONTHS = "January February March April May June July August September October November December".split()
_DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split()


def _field(least: int, most: int, *names: str) -> re.Pattern[str]:
    allowed = [f"0?{number}" for number in range(least, most + 1)] + [f"{name[:3]}(?:{name[3:]})?" for name in names]
    value = f"(?:{'|'.join(allowed)})"
    item = rf"(?:\*|{value}(?:-{value})?)(?:/[1-9][0-9]?)?"
    return re.compile(rf"{item}(?:,{item})*", re.IGNORECASE)


# Second, minute, hour, day, month, day of the week.
_FIELDS = (
    _field(0, 59),
    _field(0, 59),
    _field(0, 23),
    _field(1, 31),
    _field(1, 12, *_MONTHS),
    _field(0, 6, *_DAYS),
)


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
