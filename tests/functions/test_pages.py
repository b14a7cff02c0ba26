"""What a person sees in a browser, and what nobody gets out of it."""

import json
import re
from datetime import date
from urllib.parse import urlencode

import azure.functions as func
import pytest
from msgspec.structs import replace

from functions.approve import approve
from functions.pages import pages
from shared.control import access
from shared.release import line, tokens
from shared.release.ids import alias
from shared.release.people import Delegation, Roles
from tests.functions.conftest import App
from tests.thousand import better, thousand
from tests.world import KEY

FORM = "application/x-www-form-urlencoded"
OURS = {"origin": "null", "sec_fetch_site": "same-origin", "host": "signalbox.example.org"}


def asked(app: App) -> str:
    release = app.world.push("a")
    app.world.run()
    return release


def text(answer: func.HttpResponse) -> str:
    return answer.get_body().decode()


def fields(answer: func.HttpResponse) -> dict[str, str]:
    """Return what the form of a page holds."""
    return fields_of(text(answer))


def fields_of(page: str) -> dict[str, str]:
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))


def walk(app: App, path: str, token: str, **params: str) -> func.HttpResponse:
    return app.browse(pages, {"path": path}, token, **params)


def decide(app: App, release: str, body: dict[str, str], token: str, **headers: str) -> func.HttpResponse:
    given = {"content_type": FORM, "accept": "text/html", "cookie": f"signalbox={token}"} | OURS | headers
    return app.http(approve, "POST", urlencode(body).encode(), route={"release": release}, **given)


def test_the_link_in_the_mail_becomes_a_cookie_and_the_address_keeps_no_secret(app: App) -> None:
    release = asked(app)
    token = app.token(release)
    before = app.world.ledger_bytes(f"release/{release}")
    secrets = {"token": token, "code": "a-function-key"}
    answer = app.http(approve, "GET", params=secrets, route={"release": release}, accept="text/html")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/api/approvals/{release}")
    kept = answer.headers["Set-Cookie"]
    assert kept.startswith(f"signalbox={token}; Max-Age=")
    assert kept.endswith("; Path=/api; HttpOnly; SameSite=Lax; Secure")
    assert "Put houses v1 into production" in text(app.browse(approve, {"release": release}, token))
    assert app.world.ledger_bytes(f"release/{release}") == before


def test_a_link_that_is_not_ours_leaves_no_cookie(app: App) -> None:
    release = asked(app)
    for token in (app.token(release)[:-2] + "xx", "a\r\nSet-Cookie: b", "é"):
        answer = app.http(approve, "GET", params={"token": token}, route={"release": release}, accept="text/html")
        assert answer.status_code == 401
        assert "Set-Cookie" not in answer.headers
        assert "Who are you?" in text(answer)


def test_a_person_decides_in_the_form_that_they_were_shown(app: App) -> None:
    release = asked(app)
    token = app.token(release)
    form = fields(app.browse(approve, {"release": release}, token))
    answer = decide(app, release, form | {"decision": "approve", "reason": "good"}, token)
    assert "Approved. It goes into production now." in text(answer)
    app.world.run()
    assert app.world.live() == release
    assert fields(app.browse(approve, {"release": release}, token)) == {}


@pytest.mark.parametrize(
    ("form", "headers"),
    [
        ({"form": ""}, {}),
        ({"form": "9999999999." + "0" * 64}, {}),
        ({"form": "x" * 3000}, {}),
        ({}, {"origin": "https://elsewhere.example.org", "sec_fetch_site": "cross-site"}),
        ({}, {"origin": "", "sec_fetch_site": ""}),
        ({}, {"origin": "null", "sec_fetch_site": ""}),
        ({}, {"sec_fetch_site": "same-site"}),
        ({"evidence": "sha256:" + "0" * 64}, {}),
    ],
)
def test_a_cookie_decides_nothing_without_the_form_of_our_own_page(
    app: App, form: dict[str, str], headers: dict[str, str]
) -> None:
    release = asked(app)
    token = app.token(release)
    good = fields(app.browse(approve, {"release": release}, token)) | {"decision": "approve"}
    assert decide(app, release, good | form, token, **headers).status_code == 403
    assert line.standing(app.world.state(release)) == "ask"


def test_the_form_of_one_person_is_of_no_use_to_another_nor_after_a_while(app: App) -> None:
    release = asked(app)
    good = fields(app.browse(approve, {"release": release}, app.token(release))) | {"decision": "approve"}
    assert decide(app, release, good, app.token(release, "bo@example.org")).status_code == 403
    app.world.wait(hours=13)
    late = decide(app, release, good, app.token(release))
    assert (late.status_code, "This form expired" in text(late)) == (403, True)


def ruled(app: App, **changes: object) -> None:
    """Let projects.toml say otherwise."""
    app.world.projects["houses"] = replace(app.world.projects["houses"], **changes)


def test_who_made_a_change_reads_that_somebody_else_must_approve_it_and_may_still_reject(app: App) -> None:
    ruled(app, approvers=("ana@example.org", "dee@example.org"))
    release = asked(app)
    token = app.token(release, "dee@example.org")
    page = text(app.browse(approve, {"release": release}, token))
    assert "dee@example.org: made this change and may not approve it" in page
    assert 'value="approve"' not in page
    assert "Rejected." in text(decide(app, release, fields_of(page) | {"decision": "reject", "reason": "no"}, token))


def test_a_page_says_which_group_must_still_agree_and_who_answers_for_whom(app: App) -> None:
    risk, until = ("cy@example.org",), date(2100, 1, 1)
    ruled(
        app,
        approvers=("ana@example.org", "@risk"),
        groups={"risk": risk},
        required=("@risk",),
        delegations=(Delegation("cy@example.org", "eve@example.org", until),),
    )
    release = asked(app)
    page = text(app.browse(approve, {"release": release}, app.token(release)))
    assert "one of @risk (cy@example.org): <strong>must still agree</strong>" in page
    assert "eve@example.org answers for cy@example.org until 2100-01-01" in page
    eve = app.token(release, "eve@example.org")
    form = fields(app.browse(approve, {"release": release}, eve))
    decide(app, release, form | {"decision": "approve", "reason": "read it"}, eve)
    page = text(app.browse(approve, {"release": release}, app.token(release)))
    assert "eve@example.org for cy@example.org: <strong>approved</strong> (<bdi>read it</bdi>)" in page
    assert "one of @risk (cy@example.org): <strong>agreed</strong>" in page


def test_a_broken_glass_is_red_wherever_a_person_looks_until_somebody_else_confirms_it(app: App) -> None:
    ruled(app, quorum=2)
    release = asked(app)
    held = tokens.sign_pass(KEY, tokens.Pass("ana@example.org", 2**40))
    evidence = app.world.state(release).asked[1].evidence
    said = {"decision": "break-glass", "reason": "prices <b>burn</b>", "evidence": evidence}
    broken = decide(app, release, said, "", authorization=f"Bearer {held}")
    assert broken.status_code == 200
    app.world.run()
    red = '<strong class="bad">GLASS BROKEN</strong>'
    assert f"{red} by ana@example.org: <bdi>prices &lt;b&gt;burn&lt;/b&gt;" in text(
        walk(app, f"releases/{release}", held)
    )
    assert f"{red} <span" in text(walk(app, "", held))
    other = tokens.sign_pass(KEY, tokens.Pass("bo@example.org", 2**40))
    decide(app, release, said | {"decision": "confirm"}, "", authorization=f"Bearer {other}")
    assert "confirmed by bo@example.org" in text(walk(app, f"releases/{release}", held))
    assert red not in text(walk(app, "", held))


def test_rules_that_wait_are_said_on_the_first_page(app: App) -> None:
    token = app.token(asked(app))
    assert "a changed approval policy waits" not in text(walk(app, "", token))
    ruled(app, quorum=2)
    assert "a changed approval policy waits" in text(walk(app, "", token))


def test_roles_say_who_looks_and_whom_the_file_alone_names_waits_until_that_is_accepted(app: App) -> None:
    ruled(app, roles=Roles(viewer=("vi@example.org",)))
    release = asked(app)
    held = tokens.sign_pass(KEY, tokens.Pass("vi@example.org", 2**40))
    stranger = tokens.sign_pass(KEY, tokens.Pass("eve@example.org", 2**40))
    assert walk(app, f"releases/{release}", held).status_code == 200
    assert walk(app, f"releases/{release}", stranger).status_code == 404
    assert app.browse(approve, {"release": release}, stranger).status_code == 404
    assert "vi@example.org was not asked" in text(app.browse(approve, {"release": release}, held))
    ruled(app, roles=Roles(viewer=("eve@example.org",)))
    assert walk(app, f"releases/{release}", stranger).status_code == 404
    assert walk(app, f"releases/{release}", held).status_code == 404


def test_everything_a_person_may_see_is_reached_from_the_first_page(app: App) -> None:
    first = asked(app)
    app.world.decide(first)
    app.world.run()
    second = app.world.push("b")
    app.world.run()
    token = app.token(second)
    home = text(walk(app, "", token))
    assert f'<a href="/api/pages/releases/{first}">{alias(first)}</a>' in home
    assert f'<a href="/api/approvals/{second}">{alias(second)}</a>' in home
    assert "bo@example.org must decide" in home
    listed = text(walk(app, "releases", token, project="houses"))
    assert listed.index(alias(second)) < listed.index(alias(first))
    release = text(walk(app, f"releases/{first}", token))
    assert "ended as live at promote" in release
    assert f"log of {first}-train-1" in text(walk(app, f"releases/{first}/log", token, step="train"))
    sealed = json.loads(text(walk(app, f"releases/{first}/evidence", token)))
    assert sealed["release"]["id"] == first
    changed = text(app.browse(approve, {"release": second}, token))
    assert "What changed since v1" in changed
    assert "the same data as v1" in changed
    app.world.data()
    assert "in/january.csv" in text(walk(app, "events", token))


def test_a_list_of_a_thousand_releases_leads_to_every_one_of_them_once(app: App) -> None:
    better(app.world)
    thousand(app.world)
    held = tokens.sign_pass(KEY, tokens.Pass("ana@example.org", 2**40))
    seen, upto, places = list[str](), {}, []
    while True:
        page = text(walk(app, "releases", held, **upto))
        seen += re.findall(r'<th scope="row"><a href="/api/pages/releases/(\w+)">', page)
        places.append(re.findall(r"\d+ to \d+ of \d+", page)[0])
        older = re.search(r'upto=(\d+)" rel="next"', page)
        if older is None:
            break
        upto = {"upto": older[1]}
    assert (len(seen), len(set(seen))) == (1000, 1000)
    assert (places[0], places[1], places[-1]) == ("1 to 50 of 1000", "51 to 100 of 1000", "951 to 1000 of 1000")
    newer = re.search(r'upto=(\d+)" rel="prev"', text(walk(app, "releases", held, upto="900")))
    assert newer is not None
    assert newer[1] == "950"


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        ("nonsense", {}, 404),
        ("releases/nobody-there", {}, 404),
        ("releases", {"project": "boats"}, 404),
        ("releases", {"upto": "0"}, 400),
        ("events", {"upto": "-1"}, 400),
        ("assets/0/pico.css", {}, 404),
        ("assets/../../words.py", {}, 404),
    ],
)
def test_what_is_not_there_is_said_on_a_page(app: App, path: str, params: dict[str, str], status: int) -> None:
    answer = walk(app, path, app.token(asked(app)), **params)
    assert (answer.status_code, answer.mimetype) == (status, "text/html")


def test_nobody_sees_anything_without_proof_or_of_a_project_they_do_not_approve_for(app: App) -> None:
    release = asked(app)
    for path in ("", "releases", f"releases/{release}", "events"):
        assert app.http(pages, "GET", route={"path": path}, accept="text/html").status_code == 401
    stranger = app.token(release, "eve@example.org")
    assert "no project that you approve for" in text(walk(app, "", stranger))
    assert walk(app, f"releases/{release}", stranger).status_code == 404
    assert "eve@example.org was not asked about this release" in text(
        app.browse(approve, {"release": release}, stranger)
    )
    for_other = tokens.sign(KEY, tokens.Grant("f" * 20, "eve@example.org", "", 2**40))
    assert app.browse(approve, {"release": release}, for_other).status_code == 404


def test_a_pass_reads_and_decides_what_its_holder_is_asked_and_a_link_only_its_own_question(app: App) -> None:
    first, second = asked(app), app.world.push("b")
    app.world.run()
    held = tokens.sign_pass(KEY, tokens.Pass("ana@example.org", 2**40))
    other = tokens.sign(KEY, tokens.Grant(first, "ana@example.org", "", 2**40))
    assert "You came by the link of another release" in text(app.browse(approve, {"release": second}, other))
    form = fields(app.browse(approve, {"release": second}, held))
    answer = decide(app, second, form | {"decision": "approve"}, held)
    assert "Approved. It goes into production now." in text(answer)


def test_files_of_pages_are_kept_for_good_and_pages_never(app: App) -> None:
    token = app.token(asked(app))
    home = walk(app, "", token)
    assert home.headers["Cache-Control"] == "no-store"
    for path in re.findall(r'href="/api/pages/(assets/[^"]+)"', text(home)):
        file = walk(app, path, "")
        assert (file.status_code, file.mimetype) == (200, "text/css")
        assert "immutable" in file.headers["Cache-Control"]


def test_text_that_hides_or_turns_is_shown_for_what_it_is(app: App) -> None:
    app.world.results["certify"]["claims"] = [
        {"name": "x", "verdict": "warning", "sentence": "safe\u202eelif\u200b \x1b[2J<img src=x onerror=alert(1)>"}
    ]
    release = asked(app)
    page = text(app.browse(approve, {"release": release}, app.token(release)))
    assert "safe[U+202E]elif[U+200B] [U+001B][2J&lt;img src=x onerror=alert(1)&gt;" in page


def test_what_a_person_who_proved_who_they_are_read_is_recorded_and_what_nobody_asked_for_is_not(app: App) -> None:
    release = asked(app)
    token, month = app.token(release), access.stream_of(app.world.now.isoformat())
    # Said of the page, and not of what it is made with.
    (sheet, *_) = re.findall(r'href="/api/pages/(assets/[^"]+)"', text(walk(app, "", token)))
    began = app.world.ledger_bytes(month)
    assert began
    assert walk(app, sheet, token).status_code == 200
    assert walk(app, "", "sb1.forged").status_code in (401, 403)
    assert app.world.ledger_bytes(month) == began
    assert app.browse(approve, {"release": release}, token).status_code == 200
    assert walk(app, f"releases/{release}", token).status_code == 200
    rows = [json.loads(line)["data"] for line in app.world.ledger_bytes(month).splitlines()]
    assert [(row["who"], row["how"], row["what"]) for row in rows] == [
        ("ana@example.org", "link", "read pages"),
        ("ana@example.org", "link", f"read approvals/{release}"),
        ("ana@example.org", "link", f"read pages/releases/{release}"),
    ]
