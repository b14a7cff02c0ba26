"""Everything that is ever to be told of a release or of production, addressed and in words, as it stands now."""

from collections.abc import Iterable

from shared import headlines, words
from shared.ports import Outside
from shared.release import environment, facts, ids, state, telling
from shared.release.config import Project
from shared.release.facts import Fact
from shared.release.telling import Happened, Telling
from shared.steps import ask

MAIL = "MAIL"
"""The target of what goes to one person, as the setting is named."""
STATUSES = "statuses of "
"""The target of what stands at the commits of a project, whose name follows."""


def of_release(outside: Outside, known: Iterable[Fact], page: str) -> list[Telling]:
    """Return all of a release; `page` is where people read about it."""
    release = state.fold(known)
    entry = outside.projects.get(release.opened.project) if release.opened else None
    if entry is None:
        return []
    found = telling.happened(release)
    mails = _mails(outside, release, found) if outside.channels.mails else []
    return [*_statuses(release, entry), *_news(release, entry, found, page), *mails]


def of_production(outside: Outside, project: str, known: Iterable[Fact], page: str) -> list[Telling]:
    """Return all of a project's production."""
    production, entry = environment.fold(known), outside.projects.get(project)
    found = telling.rolled_back(production)
    if entry is None or not found:
        return []
    subject, text = headlines.rolled_back(project, production)
    return [_sent(channel, one, subject, text, page) for one in found for channel in _channels(entry, one)]


def _statuses(known: state.State, entry: Project) -> list[Telling]:
    if entry.tell is None or not entry.tell.statuses:
        return []
    about = f"signalbox/{known.release.project}"
    return [
        Telling(f"{STATUSES}{known.release.project}", what, _said(stand.state, text), text, state=stand.state)
        for stand in telling.stands(known)
        for what in [f"{about}/{stand.step}" if stand.step else about]
        for text in [headlines.status(known, stand)]
    ]


def shown(outside: Outside, target: str) -> str:
    """Return a target as health shows it, which anybody may ask: by the name of its secret, and by no project's."""
    entry = outside.projects.get(target.removeprefix(STATUSES))
    if not target.startswith(STATUSES):
        return target
    return f"statuses ({entry.tell.token or entry.credential})" if entry and entry.tell else "statuses"


def _said(how: telling.Stands, sentence: str) -> str:
    # What was said may have to be forgotten one day; that it was this sentence is enough to know.
    return f"{how} {ids.sha256(sentence.encode())[:23]}"


def _news(known: state.State, entry: Project, found: list[Happened], page: str) -> list[Telling]:
    told = [(one, *headlines.headline(known, one)) for one in found]
    return [_sent(to, one, subject, text, page) for one, subject, text in told for to in _channels(entry, one)]


def _channels(entry: Project, one: Happened) -> tuple[str, ...]:
    return tuple(dict.fromkeys(entry.tell.to)) if entry.tell and one.news in entry.tell.events else ()


def _sent(channel: str, one: Happened, subject: str, text: str, page: str) -> Telling:
    return Telling(channel, one.what, "sent", f"{text}\n{page}", subject, who=one.who)


def _mails(outside: Outside, known: state.State, found: list[Happened]) -> list[Telling]:
    """Return what each person is asked who has not decided yet, with the link that is theirs alone."""
    asked = telling.question(known)
    if asked is None:
        return []
    mails = []
    for one in found:
        for person in _asked(known, one):
            letter = ask.letter(outside, known, asked, person)
            subject, text = words.reminding(letter) if one.news == "reminded" else letter
            mails.append(Telling(MAIL, one.what, "sent", text, subject, who=person))
    return mails


def _asked(known: state.State, one: Happened) -> tuple[str, ...]:
    match one.fact:
        case facts.Asked():
            return telling.missing(known)
        case facts.Reminded(to=to):
            return tuple(who for who in to if who in telling.missing(known))
        case _:
            return ()
