"""Every page, with a thousand releases in the ledger, on a desk and on a phone; and what a commit may say."""

from collections.abc import Iterator

import pytest
from msgspec.structs import replace
from playwright.sync_api import Locator, Page, expect

from shared.release import chain, facts, ids
from shared.streams import release_stream
from tests.browser.conftest import House, shot
from tests.thousand import CLAIM, better, thousand
from tests.world import RUNNER, World

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


def follow(link: Locator) -> None:
    """Follow a link to a page, which must fit its window."""
    with link.page.expect_navigation():
        link.click()
    fits(link.page)


@pytest.mark.parametrize("context", [(1100, 900), (360, 740)], indirect=True)
def test_every_page_is_walked_with_a_thousand_releases(house: House, walked: Page) -> None:
    release = house.do(better)
    house.do(thousand)
    walked.goto(house.pass_of())
    expect(walked).to_have_url(f"{house.url}/api/pages")
    fits(walked)
    shot(walked, "home")
    follow(walked.get_by_role("link", name="more under way"))
    shot(walked, "releases")
    follow(walked.get_by_role("link", name="Older"))
    expect(walked.get_by_text("51 to 100 of 1000")).to_have_count(1)
    expect(walked.locator("tbody tr")).to_have_count(50)
    follow(walked.locator("tbody th a").first)
    follow(walked.get_by_role("link", name="Events"))
    shot(walked, "events")
    follow(walked.get_by_role("link", name="Signalbox"))
    follow(walked.locator("[data-name=waiting] a").first)
    expect(walked.get_by_role("heading", level=1)).to_contain_text("in place of v1")
    walked.locator("summary").last.click()
    shot(walked, "approval")
    follow(walked.get_by_role("link", name=ids.alias(release)))
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
        opened = [
            replace(each, by=said, reason=said) if isinstance(each, facts.ReleaseOpened) else each for each in known
        ]
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
