"""What the doctor says."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `do` is empty when it is ok."""

    about: str
    found: str
    do: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing needs to be done."""
        return not self.do

    def __str__(self) -> str:
        line = f"  {'ok' if self.ok else '!!'}  {self.about:<14} {self.found}"
        return line if self.ok else f"{line}\n      do: {self.do}"
