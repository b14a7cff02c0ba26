"""What the environment holds of the table of settings."""

import re
from collections.abc import Mapping

from shared.settings.table import TABLE


class Given:
    """What the environment holds of the table, and what is wrong with it."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.wrong: list[str] = []

    def text(self, name: str) -> str:
        """Return a value, its default when it is absent or empty; one that does not look like its pattern is wrong."""
        setting, value = TABLE[name], self.environ.get(name, "")
        if value and setting.like and not re.fullmatch(setting.like, value):
            self.wrong.append(f"{name} is {value!r}: it must be {setting.what}")
        return value or setting.default

    def choice(self, name: str, among: tuple[str, ...]) -> str:
        """Return a value that is one of those allowed; the first stands for any other."""
        value = self.text(name)
        if value in among:
            return value
        self.wrong.append(f"{name} is {value!r}: it must be {TABLE[name].what}")
        return among[0]

    def number(self, name: str, lowest: int, highest: int, whole: bool = False) -> float:
        """Return a number in a range; what is none, or is outside of it, is wrong."""
        value = self.text(name)
        pattern = r"[0-9]+" if whole else r"[0-9]+(\.[0-9]+)?"
        if re.fullmatch(pattern, value) and lowest <= float(value) <= highest:
            return float(value)
        self.wrong.append(f"{name} is {value!r}: it must be {TABLE[name].what}")
        return float(lowest)

    def demand(self, backend: str) -> None:
        """Name everything that a backend cannot do without and that is absent."""
        needed = {name: setting for name, setting in TABLE.items() if backend in setting.needed}
        self.wrong += [f"{name} is missing: {one.what}" for name, one in needed.items() if not self.environ.get(name)]
