"""What the environment holds of the table of settings."""

import re
from collections.abc import Mapping

from shared.errors import Misconfigured
from shared.settings.table import TABLE


class Given:
    """What the environment holds of the table, and what is wrong with it."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.wrong: list[str] = []
        self._shown: dict[str, str] = {}

    def say(self, wrong: str, shown: str) -> None:
        """Name what is wrong, and what is shown of it to whoever proved nothing."""
        self.wrong.append(wrong)
        self._shown[wrong] = shown

    def refuse(self) -> None:
        """Raise `Misconfigured` with everything that is wrong, if something is."""
        if self.wrong:
            shown = [self._shown.get(one, one) for one in self.wrong]
            raise Misconfigured(*("; ".join(dict.fromkeys(each)) for each in (self.wrong, shown)))

    def text(self, name: str) -> str:
        """Return a value, its default when it is absent or empty; one that does not look like its pattern is wrong."""
        setting, value = TABLE[name], self.environ.get(name, "")
        if value and setting.like and not re.fullmatch(setting.like, value):
            self._not(name, value, setting.what)
        return value or setting.default

    def choice(self, name: str, among: tuple[str, ...]) -> str:
        """Return a value that is one of those allowed; the first stands for any other."""
        value = self.text(name)
        if value in among:
            return value
        self._not(name, value, TABLE[name].what)
        return among[0]

    def number(self, name: str, lowest: int, highest: int, whole: bool = False) -> float:
        """Return a number in a range; what is none, or is outside of it, is wrong."""
        value = self.text(name)
        pattern = r"[0-9]+" if whole else r"[0-9]+(\.[0-9]+)?"
        if re.fullmatch(pattern, value) and lowest <= float(value) <= highest:
            return float(value)
        self._not(name, value, TABLE[name].what)
        return float(lowest)

    def _not(self, name: str, value: str, what: str) -> None:
        self.say(f"{name} is {value!r}: it must be {what}", f"{name} is not what it must be: {what}")

    def demand(self, backend: str) -> None:
        """Name everything that a backend cannot do without and that is absent."""
        needed = {name: setting for name, setting in TABLE.items() if backend in setting.needed}
        self.wrong += [f"{name} is missing: {one.what}" for name, one in needed.items() if not self.environ.get(name)]
