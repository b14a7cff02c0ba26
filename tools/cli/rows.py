"""How releases and environments look in a terminal."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rich.table import Table
from rich.text import Text

# Not better than production is a good end: only what went wrong is red.
COLOURS = {"passed": "green", "running": "cyan", "failed": "red", "stopped": "yellow", "waiting": "dim"}
ENDINGS = {"live": "green", "kept": "green", "unchanged": "green", "open": "cyan", "failed": "red", "parked": "red"}
LONGEST = 100

View = Mapping[str, Any]


def plain(text: str) -> str:
    """Return what somebody else wrote so that no terminal is steered by it: control characters become spaces."""
    return "".join(char if char.isprintable() or char == "\n" else " " for char in text)


def under_way(view: View) -> str:
    """Return one line about a release that has not ended."""
    return (
        f"  {view['alias']}  {view['project']}#{view['number']}  at {view['standing']}, waits for {view['waits_for']}"
    )


def moment(one: View) -> str:
    """Return one line of a timeline: when, what, at which step, and what it means."""
    return f"  {one['at'][:19].replace('T', ' ')}  {one['fact']:<16} {one['step'] or '':<9} {plain(one['sentence'])}"


def seconds(value: float | None) -> str:
    """Return measured seconds as `1.4 s`, or nothing when there are none."""
    return "" if value is None else f"{value:.1f} s"


def word(step: View) -> str:
    """Return the one word for how a step stands; nothing runs while people think."""
    asks = step["step"] == "ask" and step["state"] == "running"
    return "waiting" if asks else str(step["word"] or step["state"])


def line(step: View) -> str:
    """Return the row of one step as plain text: step, word, seconds, sentence."""
    return f"  {step['step']:<9} {word(step):<12} {seconds(step['seconds']):>7}   {plain(step['sentence'])}".rstrip()


def steps(view: View) -> Table:
    """Return the rows of a release, one a step, for a terminal."""
    table = Table.grid(padding=(0, 2))
    for number in range(4):
        table.add_column(justify="right" if number == 2 else "left", overflow="fold")
    for step in view["steps"]:
        if step["state"] == "waiting" and view["state"] not in {"open", "parked"}:
            continue
        style = "green" if step["word"] in {"kept", "unchanged"} else COLOURS.get(step["state"], "")
        stands = Text(word(step), style=style)
        said = Text(plain(step["sentence"]))
        table.add_row(Text(f"  {step['step']}"), stands, Text(seconds(step["seconds"])), said)
    return table


def heading(view: View) -> Text:
    """Return one line that says which release this is and how it stands."""
    ended = view["state"] != "open"
    text = Text(f"{view['alias']}  {view['project']}#{view['number']}  ")
    text.append(view["state"] if ended else f"at {view['standing']}", style=ENDINGS.get(view["state"], "yellow"))
    if glass := view.get("glass"):
        text.append(f"  GLASS BROKEN by {plain(glass['by'])}", style="bold red")
    what = "scored with commit" if _note(view) else "commit"
    return text.append(f"  {what} {view['commit'][:7] or 'unknown'} {first_line(view['message'])}")


def _note(view: View) -> str:
    """Return what nobody knows of the model; nothing of one that a release trained."""
    return str(view.get("trained", {}).get("note", ""))


def first_line(message: str) -> str:
    """Return the first line of a commit message in quotes, at most as long as people make them, or nothing."""
    line = plain(message.strip().partition("\n")[0])
    return "" if not line else f'"{line}"' if len(line) <= LONGEST else f'"{line[:LONGEST]}…"'


def release(view: View) -> list[Any]:
    """Return everything one look at a release shows, part by part."""
    parts: list[Any] = [heading(view), Text(), steps(view), Text()]
    if view["state"] == "open":
        parts.append(Text(f"  waits for  {view['waits_for']}"))
    if glass := view.get("glass"):
        second = (
            f"confirmed by {glass['confirmed_by']}" if glass["confirmed_by"] else f"{glass['state']}, {glass['until']}"
        )
        parts.append(Text(f"  glass      {plain(glass['reason'])}: {plain(second)}", style="red"))
    told = {"reason": view["reason"], "advice": view["advice"], "note": _note(view)}
    told |= {**view["digests"], "live at": view["address"]}
    shown = {step["sentence"] for step in view["steps"]}
    parts += [Text(f"  {name:<10} {plain(value)}") for name, value in told.items() if value and value not in shown]
    return parts


def ago(moment: str, now: datetime | None = None) -> str:
    """Return how long ago an ISO 8601 moment was, in its largest unit."""
    try:
        then = datetime.fromisoformat(moment)
    except ValueError:
        return moment
    passed = ((now or datetime.now(UTC)) - (then if then.tzinfo else then.replace(tzinfo=UTC))).total_seconds()
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if passed >= 2 * size:
            return f"{int(passed // size)} {unit}"
    return f"{max(0, int(passed))} s"


def live(environment: View | None) -> str:
    """Return what an environment serves: version, alias, for how long."""
    if not environment or not environment["live"]:
        return "-"
    now = environment["live"]
    since = f" ({ago(str(now['since']))})" if now.get("since") else ""
    return f"v{now['version']} {now['alias']}{since}"


def waits(one: View) -> str:
    """Return who a waiting release waits for: `quick-otter: ana@, 1 of 2`."""
    missing = ", ".join(f"{who.split('@')[0]}@" for who in one["missing"])
    given = one["quorum"] - len(one["missing"]) if len(one["missing"]) < one["quorum"] else 0
    return f"{one['alias']}: {missing}, {max(0, given)} of {one['quorum']}"


def _rules_wait(of: Mapping[str, View]) -> bool:
    return any(place.get("rules_wait") for place in of.values())


def policy(told: View) -> list[str]:
    """Return the policy in force, and what is otherwise in projects.toml."""
    lines = [f"  {told['project']}, in force: {told['in_force']['digest'][:19]}…", *_rules(told["in_force"])]
    if told["waits"]:
        lines += [f"  in projects.toml: {told['written']['digest'][:19]}…", *_rules(told["written"])]
        lines += [f"  weaker: {plain(each)}" for each in told["weaker"]]
        need = "two of " if told["weaker"] else ""
        lines.append(f"  waits for {need}{plain(', '.join(told['may_accept']))}")
        lines += [f"  agreed: {plain(who)}" for who in told["agreed"]]
    return lines


def _rules(rules: View) -> list[str]:
    told = [f"    {rules['quorum']} of {plain(', '.join(rules['approvers']))} must agree"]
    told += [f"    of @{name} one: {plain(', '.join(who))}" for name, who in rules["required"].items()]
    told += [
        f"    {plain(each['to'])} for {plain(each['from'])} until {each['until']}" for each in rules["delegations"]
    ]
    told += ["    whoever made a change may approve it"] if rules["self_approval"] else []
    named = {role: plain(", ".join(who)) for role, who in (rules["roles"] or {}).items() if who}
    return told + [f"    {role}: {who}" for role, who in named.items()]


def glance(environments: list[View]) -> Table:
    """Return one row a project: staging, production, who is waited for, what is held."""
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim")
    for name in ("", "staging", "production", "waiting"):
        table.add_column(name)
    for project in sorted({one["project"] for one in environments}):
        of = {one["environment"]: one for one in environments if one["project"] == project}
        waiting = {one["release"]: waits(one) for place in of.values() for one in place["waiting"]}
        pending = [place["pending"] for place in of.values() if place.get("pending")]
        held = [
            f'HELD {name} since {str(place["held"]["at"])[:16]} by {place["held"]["by"]} "{place["held"]["reason"]}"'
            for name, place in of.items()
            if place["held"]
        ]
        rules = ["its approval policy changed, and nobody accepted that"] if _rules_wait(of) else []
        broken = [f"GLASS BROKEN: {release}" for place in of.values() for release in place.get("glass", ())]
        waits_for = Text("\n".join([*held, *waiting.values(), *pending, *rules]))
        waits_for = Text("\n").join(
            [*(Text(each, style="bold red") for each in broken), *([waits_for] if waits_for else [])]
        )
        table.add_row(project, live(of.get("staging")), live(of.get("production")), waits_for)
    return table


def came_in(row: View) -> str:
    """Return one line for something that came in, or for what the governor decided."""
    when = str(row["at"])[:19].replace("T", " ")
    became = f"{row['became']} {row.get('alias', '')}".rstrip()
    about = f"{row.get('id') or row['project'] or '-'}  {row['source']}  {became}"
    return f"  {when}  {about:<44}  {plain(row['subject'])}: {plain(row['reason'])}"
