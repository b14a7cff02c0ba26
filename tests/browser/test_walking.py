"""Every page, with a thousand releases in the ledger, on a desk and on a phone; and what a commit may say."""

from collections.abc import Iterator

import pytest
from msgspec.structs import replace
from playwright.sync_api import Page, expect

from shared.release import chain, facts, ids
from shared.streams import project_stream, release_stream
from tests.browser.conftest import House, shot
from tests.world import FILES, RUNNER, World

BETTER = {"verdict": "better", "metric": "rmse", "rows": 88, "candidate": 54.9, "champion": 56.3}
BETTER |= {"gain": 1.4, "low": 0.2, "high": 2.7}
CLAIM = {"name": "drift", "verdict": "warning", "sentence": "the month of March is 2 % worse than the others"}
# What a commit, a name of a blob or a reason may say; any of it that ran would open a dialog.
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "'><svg onload=alert(3)>",
    "</title></textarea><script>alert(4)</script>",
    "<a href=javascript:alert(5)>click</a>",
    "{{ 7 * 7 }}{% raw %}",
    "<iframe srcdoc='<script>parent.alert(6)</script>'>",
    "<style>@import 'data:text/css,body{display:none}'</style>",
    "&lt;script&gt;alert(7)&lt;/script&gt;",
    "\u202etxt.exe \u2066hidden\u2069 \x1b[31m",
    "<base href=https://elsewhere.example.org/>",
    "<form action=https://elsewhere.example.org/><button>Approve</button></form>",
)


def better(world: World) -> str:
    """Let a release that is better than what is live come to its question; return it."""
    first = world.push("a", FILES | {"requirements.txt": "scikit-learn==1.7.1\njoblib==1.5.1\n"})
    world.run()
    world.decide(first)
    world.run()
    world.results["evaluate"] = dict(BETTER)
    world.results["check"] |= {"rows": 120, "columns": ["rooms", "garden", "price"]}
    world.results["certify"]["claims"].append(CLAIM)
    world.data()
    release = world.push("c", FILES | {"requirements.txt": "scikit-learn==1.7.2\njoblib==1.5.1\npandas==2.3.3\n"})
    world.run()
    return release


def thousand(world: World) -> None:
    """Let a thousand releases be in the ledger, each with the facts of the first; the last twenty are under way."""
    known = world.state_of_project().numbered
    kept = world.facts(release_stream(next(iter(known))))
    rows: list[facts.Fact] = []
    at = world.now.isoformat(timespec="milliseconds")
    for number in range(len(known) + 1, 1001):
        commit = f"{number:040x}"
        release = ids.release_id("houses", commit, "", "")
        moment = int(world.now.timestamp()) + 60 * number
        rows.append(facts.ReleaseNumbered(release, number, commit, "", "push", "", "dee@example.org", "a", moment))
        opened = replace(kept[0], release=release, number=number, commit=commit)
        told = kept[1:] if number <= 980 else kept[1:8]
        lines = chain.encode([opened, *told], at, chain.begin(release_stream(release)).head)
        RUNNER.run(world.ledger.append(release_stream(release), lines, 0))
        if number <= 980:
            rows.append(facts.ReleaseClosed(release, "kept"))
    RUNNER.run(world.control.streams.add(project_stream("houses"), rows))


@pytest.fixture
def walked(house: House, page: Page) -> Iterator[Page]:
    """Give a page that fits its window wherever it is, and asked nobody but us for anything."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: asked.append(f"said: {message.text}"))
    yield page
    assert [each for each in asked if not each.startswith((house.url, "data:"))] == []


def fits(page: Page) -> None:
    wide, window = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= window, f"{page.url} is {wide} wide in a window of {window}"


@pytest.mark.parametrize("context", [(1100, 900), (360, 740)], indirect=True)
def test_every_page_is_walked_with_a_thousand_releases(house: House, walked: Page) -> None:
    release = house.do(better)
    house.do(thousand)
    walked.goto(house.pass_of())
    expect(walked).to_have_url(f"{house.url}/api/pages")
    fits(walked)
    shot(walked, "home")
    walked.get_by_role("link", name="more under way").click()
    fits(walked)
    shot(walked, "releases")
    seen: list[str] = []
    while True:
        seen += walked.locator("tbody th a").evaluate_all("all => all.map(one => one.href)")
        if not walked.get_by_role("link", name="Older").count():
            break
        with walked.expect_navigation():
            walked.get_by_role("link", name="Older").click()
    assert (len(seen), len(set(seen))) == (1000, 1000)
    walked.get_by_role("link", name="Newer").click()
    walked.locator("tbody th a").first.click()
    fits(walked)
    walked.get_by_role("link", name="Events").click()
    fits(walked)
    shot(walked, "events")
    walked.get_by_role("link", name="Signalbox").click()
    walked.locator("[data-name=waiting] a").first.click()
    expect(walked.get_by_role("heading", level=1)).to_contain_text("in place of v1")
    walked.locator("summary").last.click()
    fits(walked)
    shot(walked, "approval")
    walked.get_by_role("link", name=ids.alias(release)).click()
    walked.locator("summary").click()
    fits(walked)
    shot(walked, "release")


def test_what_a_commit_says_is_shown_and_never_runs(house: House, walked: Page) -> None:
    said = " ".join(HOSTILE)
    house.do(lambda world: world.results["certify"]["claims"].append(CLAIM | {"sentence": said}))
    house.do(lambda world: world.data(said))
    release = house.push("a")
    stream = release_stream(release)

    def rename(world: World) -> None:
        """Let the commit say it, past all that strips it on its way in."""
        read = RUNNER.run(world.ledger.read(stream))
        known = [
            replace(each, message=said, author=said) if isinstance(each, facts.CodeRead) else each
            for each in chain.decode(stream, read).facts
        ]
        opened = [replace(each, by=said, reason=said) if isinstance(each, facts.ReleaseOpened) else each for each in known]
        world.ledger.put_back(stream, chain.encode(opened, world.now.isoformat(), chain.begin(stream).head))
        world.control.streams.kept.clear()

    house.do(rename)
    walked.goto(house.link(release))
    for path in (f"approvals/{release}", f"pages/releases/{release}", "pages", "pages/releases", "pages/events"):
        walked.goto(f"{house.url}/api/{path}")
        made = "script, iframe, base, style, img, [onerror], [onload], [href^=javascript], [action]"
        assert walked.locator(made).count() == 0, path
        fits(walked)
    walked.goto(f"{house.url}/api/pages/releases/{release}")
    expect(walked.locator("dl").first).to_contain_text("[U+202E]txt.exe")
    shot(walked, "hostile")
