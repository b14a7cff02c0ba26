"""The people of `projects.toml`: groups, delegations, roles, and who is meant by each name.

A person is an e-mail address, whatever its case; `@risk` is everybody in the group `risk`.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from datetime import date

from msgspec import Struct

Groups = Mapping[str, tuple[str, ...]]
GROUP = re.compile(r"[a-z][a-z0-9-]{0,62}")


class Delegation(Struct, frozen=True, forbid_unknown_fields=True, rename={"giver": "from"}):
    """One approver lets another person answer for them, up to and including a day (UTC)."""

    giver: str
    to: str
    until: date


class Roles(Struct, frozen=True, forbid_unknown_fields=True):
    """Who may look, operate and change the rules of a project; approvers may look without being named here.

    Without this table whoever has a function key may look and operate, as whom they say.
    """

    viewer: tuple[str, ...] = ()
    operator: tuple[str, ...] = ()
    admin: tuple[str, ...] = ()


def same(one: str, other: str) -> bool:
    """Say whether two addresses are one person's, however each is spelt."""
    return one == other or key(one) == key(other)


def key(address: str) -> str:
    """Return what is the same for every spelling of an address: that inside `Name <address>`, nothing invisible."""
    seen = "".join(each for each in address if each.isascii() or unicodedata.category(each) != "Cf").strip()
    if seen.endswith(">"):
        seen = seen[:-1].rpartition("<")[2].strip()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", seen).casefold())


def among(person: str, people: Iterable[str]) -> bool:
    """Say whether a person is one of these."""
    return any(same(person, other) for other in people)


def resolved(names: Iterable[str], groups: Groups) -> tuple[str, ...]:
    """Return the people meant by names and groups, each once, as they were spelt first."""
    people: dict[str, str] = {}
    for name in names:
        for each in groups.get(name[1:], ()) if name.startswith("@") else (name,):
            people.setdefault(key(each), each)
    return tuple(people.values())


def named(names: Iterable[str], groups: Groups) -> dict[str, tuple[str, ...]]:
    """Return those of the groups that are among these names."""
    return {name[1:]: groups[name[1:]] for name in names if name.startswith("@") and name[1:] in groups}


def wrong_about_groups(groups: Groups) -> Iterator[tuple[str, str]]:
    """Yield each group that is wrong, and what is allowed."""
    for name, members in groups.items():
        if not GROUP.fullmatch(name):
            yield name, "people under a name of lower-case letters, digits and - that begins with a letter"
        if not members or any(not member.strip() or member.startswith("@") for member in members):
            yield name, "a list of people, by their addresses: no group is in a group"
