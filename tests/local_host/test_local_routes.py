"""Routes as the Functions host matches them."""

import pytest

from tools.local.routes import BadRoute, compile_route


@pytest.mark.parametrize(
    ("template", "path", "parameters"),
    [
        ("releases", "releases", {}),
        ("releases", "Releases/", {}),
        ("", "", {}),
        ("releases/{release}", "releases/ab12", {"release": "ab12"}),
        ("releases/{release}", "RELEASES/Ab12", {"release": "Ab12"}),
        ("releases/{release?}", "releases", {}),
        ("releases/{release?}", "releases/ab12", {"release": "ab12"}),
        ("pages/{*rest}", "pages", {}),
        ("pages/{*rest}", "pages/a/b%20c", {"rest": "a/b c"}),
        ("pages/{*rest}", "pages/a%2Fb", {"rest": "a%2Fb"}),
        ("number/{n:int}", "number/-12", {"n": "-12"}),
        ("number/{n:int?}", "number", {}),
        ("word/{w:alpha}", "word/abc", {"w": "abc"}),
        ("id/{i:guid}", "id/7C2F3A10-0000-4000-8000-000000000000", {"i": "7C2F3A10-0000-4000-8000-000000000000"}),
        ("v{major}.{minor}/x", "v1.2/X", {"major": "1", "minor": "2"}),
        ("a.b", "a.b", {}),
    ],
)
def test_a_path_gives_the_parameters_of_its_route(template: str, path: str, parameters: dict[str, str]) -> None:
    assert compile_route(template).match(path) == parameters


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("releases", "release"),
        ("releases/{release}", "releases"),
        ("releases/{release}", "releases/a/b"),
        ("releases/{release?}", "releases/a/b"),
        ("number/{n:int}", "number/twelve"),
        ("number/{n:int}", "number/12x"),
        ("id/{i:guid}", "id/7c2f3a10"),
        ("a.b", "axb"),
    ],
)
def test_a_path_of_another_shape_is_not_matched(template: str, path: str) -> None:
    assert compile_route(template).match(path) is None


@pytest.mark.parametrize("template", ["admin", "Admin/keys", "administer", "runtime/x", "/runtime"])
def test_a_route_in_the_space_of_the_host_is_refused(template: str) -> None:
    with pytest.raises(BadRoute, match="keeps for itself"):
        compile_route(template)


@pytest.mark.parametrize(
    "template", ["{a?}/b", "{*all}/b", "{a:colour}", "{a b}", "a//b", "{a", "a}", "{a}/{a}", "{a=1}"]
)
def test_a_route_that_cannot_be_read_is_refused(template: str) -> None:
    with pytest.raises(BadRoute):
        compile_route(template)


def test_the_more_exact_route_comes_first() -> None:
    templates = ["x/{*rest}", "x/{a}", "x/{a:int}", "x/v{a}", "x/live"]
    ordered = sorted((compile_route(one) for one in templates), key=lambda one: one.rank)
    assert [one.text for one in ordered] == list(reversed(templates))
