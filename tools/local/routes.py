"""Route templates as the Functions host reads them (ASP.NET's, without regard to case)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

_CONSTRAINTS = {
    "int": r"-?\d{1,10}",
    "long": r"-?\d{1,19}",
    "bool": r"true|false",
    "alpha": r"[A-Za-z]+",
    "guid": r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
}
_PARAMETER = re.compile(r"\{(?P<all>\*{0,2})(?P<name>[A-Za-z_]\w*)(?::(?P<kind>\w+))?(?P<optional>\?)?\}")
# More exact segments are tried first, as ASP.NET does.
_LITERAL, _MIXED, _CONSTRAINED, _PLAIN, _REST = range(5)


class BadRoute(ValueError):
    """A route template the host refuses."""


@dataclass(frozen=True)
class Template:
    """A compiled route: `rank` orders templates, `shape` is equal for templates that match the same paths."""

    text: str
    pattern: re.Pattern[str]
    rank: tuple[int, ...]
    shape: str

    def match(self, raw_path: str) -> Mapping[str, str] | None:
        """The route parameters of a percent-encoded path, or None; absent optional ones are left out."""
        found = self.pattern.fullmatch("/" + raw_path.strip("/"))
        if found is None:
            return None
        return {name: _decoded(value) for name, value in found.groupdict().items() if value is not None}


def compile_route(text: str) -> Template:
    """Compile the route template `text`, without its prefix; BadRoute says why one is refused."""
    route = text.strip("/")
    if route.lower().startswith(("admin", "runtime")):
        raise BadRoute(f"The route {text!r} begins with a word the host keeps for itself (admin, runtime).")
    pattern, rank, shape = "", list[int](), list[str]()
    segments = route.split("/") if route else []
    for place, segment in enumerate(segments):
        piece, weight, form, must_be_last = _segment(segment, text)
        if must_be_last and place != len(segments) - 1:
            raise BadRoute(f"In the route {text!r} only the last segment may be optional or take the rest.")
        pattern, rank, shape = pattern + piece, [*rank, weight], [*shape, form]
    try:
        compiled = re.compile(pattern or "/", re.IGNORECASE)
    except re.error as error:
        raise BadRoute(f"The route {text!r} cannot be compiled: {error}.") from error
    return Template(text, compiled, tuple(rank), "/".join(shape))


def _segment(segment: str, route: str) -> tuple[str, int, str, bool]:
    whole = _PARAMETER.fullmatch(segment)
    if whole is None:
        return _mixed(segment, route)
    if whole["all"]:
        return f"(?:/(?P<{whole['name']}>.*))?", _REST, "{*}", True
    piece, form = _group(whole, route)
    weight = _CONSTRAINED if whole["kind"] else _PLAIN
    if whole["optional"]:
        return f"(?:/{piece})?", weight, form + "?", True
    return f"/{piece}", weight, form, False


def _mixed(segment: str, route: str) -> tuple[str, int, str, bool]:
    pattern, form, end = "/", "", 0
    for found in _PARAMETER.finditer(segment):
        piece, part = _group(found, route)
        pattern += re.escape(segment[end : found.start()]) + piece
        form += segment[end : found.start()].lower() + part
        end = found.end()
    rest = segment[end:]
    if set("{}") & set(_PARAMETER.sub("", segment)) or not segment:
        raise BadRoute(f"The route {route!r} has a segment that cannot be read: {segment!r}.")
    return pattern + re.escape(rest), _MIXED if end else _LITERAL, form + rest.lower(), False


def _group(found: re.Match[str], route: str) -> tuple[str, str]:
    kind = found["kind"]
    if kind and kind not in _CONSTRAINTS:
        known = ", ".join(sorted(_CONSTRAINTS))
        raise BadRoute(f"The route {route!r} has the constraint {kind!r}; the local host knows {known}.")
    return f"(?P<{found['name']}>{_CONSTRAINTS.get(kind or '', '[^/]+')})", f"{{{kind or ''}}}"


def _decoded(value: str) -> str:
    # An encoded slash stays encoded, or a parameter would change its number of segments.
    return unquote(re.sub("%2f", "%252F", value, flags=re.IGNORECASE))
