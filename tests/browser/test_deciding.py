"""From the mailed link to production, in a browser; and what no page of another site gets done."""

import pytest
from playwright.sync_api import Page, expect

from shared.release import line
from tests.browser.conftest import House, shot
from tests.world import World


def test_the_mailed_link_is_read_approved_and_production_changes(house: House, page: Page) -> None:
    release = house.push("a")
    # The mail is read on another site, as web mail is.
    house.elsewhere.page = f'<a href="{house.link(release)}">decide</a>'
    page.goto(f"http://localhost:{house.elsewhere_port}/")
    page.get_by_role("link", name="decide").click()
    expect(page).to_have_url(f"{house.url}/api/approvals/{release}")
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "Put houses v1 into production, where nothing serves yet?"
    )
    shot(page, "approval-first")
    page.goto(f"{house.url}/api/pages")
    expect(page.get_by_role("row", name="houses").locator("[data-name=production]")).not_to_contain_text("v1")
    page.go_back()
    page.get_by_label("Your reason").fill("better on rows it never saw")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Approved. It goes into production now.")
    shot(page, "approved")
    house.do(World.run)
    assert house.do(World.live) == release
    page.get_by_role("link", name="See how").click()
    expect(page.locator(".state")).to_have_text("live")
    shot(page, "release-live")
    page.get_by_role("link", name="Signalbox").click()
    expect(page.get_by_role("row", name="houses").locator("[data-name=production]")).to_contain_text("v1")


def test_who_has_no_mouse_reads_and_rejects(house: House, page: Page) -> None:
    release = house.push("a")
    page.goto(house.link(release))
    seen = []
    for _ in range(30):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.innerText || document.activeElement.id"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none", seen[-1]
        if seen[-1] == "reason":
            break
    assert seen[:3] == ["Signalbox", "Releases", "Events"]
    page.keyboard.type("too slow on Mondays")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "Reject"
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Rejected. Production stays as it is.")
    house.do(World.run)
    assert house.do(lambda world: world.ended(release)) == "rejected"


def test_no_page_of_another_site_frames_a_question_or_decides_it(house: House, page: Page) -> None:
    release = house.push("a")
    page.goto(house.link(release))
    form = page.locator("input[name=form]").input_value()
    evidence = page.locator("input[name=evidence]").input_value()
    house.elsewhere.page = f"""
        <iframe src="{house.url}/api/approvals/{release}"></iframe>
        <form method="post" action="{house.url}/api/approvals/{release}">
        <input name="form" value="{form}"><input name="evidence" value="{evidence}">
        <button name="decision" value="approve">win</button></form>"""
    # Another site gets no cookie of ours; another port of this machine is the same site, and gets one.
    for host in ("localhost", "127.0.0.1"):
        page.goto(f"http://{host}:{house.elsewhere_port}/")
        page.frames[1].wait_for_url("chrome-error://chromewebdata/")
        page.get_by_role("button", name="win").click()
        expect(page.locator(".notice")).to_contain_text("sent by a page of another site")
    assert house.do(lambda world: line.standing(world.state(release))) == "ask"


def test_a_decision_without_a_reason_that_needs_one_is_said_and_changes_nothing(house: House, page: Page) -> None:
    release = house.push("a")
    page.goto(house.link(release))
    page.get_by_role("button", name="Reject").click()
    expect(page.locator(".notice")).to_contain_text("A rejection needs a reason")
    shot(page, "refused")
    assert house.do(lambda world: line.standing(world.state(release))) == "ask"


@pytest.mark.parametrize("context", [(360, 740)], indirect=True)
def test_who_was_late_is_told_so(house: House, page: Page) -> None:
    older, newer = house.push("a"), house.push("b")
    house.do(World.run)
    page.goto(house.link(older))
    expect(page.locator(".notice")).to_contain_text("superseded")
    expect(page.get_by_role("button")).to_have_count(0)
    shot(page, "superseded")
    page.get_by_role("link", name="The newer release").click()
    expect(page).to_have_url(f"{house.url}/api/pages/releases/{newer}")
