"""Over HTTP: who asks, and in whose name."""

import base64
import json
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from functions.approve import approve
from functions.environments import environments
from functions.health import health
from functions.policies import policies
from functions.releases import releases
from shared import wiring
from shared.release.people import Delegation, Roles
from shared.release.tokens import Pass, sign_pass
from tests.functions.conftest import App
from tests.world import KEY


def bearer(app: App, who: str) -> dict[str, str]:
    token = sign_pass(KEY, Pass(who, int(app.world.now.timestamp()) + 60))
    return {"authorization": f"Bearer {token}", "content_type": "application/json"}


def body(**said: str) -> bytes:
    return json.dumps(said | {"reason": "because"}).encode()


def read(answer: Any) -> Any:
    return json.loads(answer.get_body())


def test_where_roles_are_named_a_key_alone_operates_nothing_and_nobody_asks_in_anothers_name(app: App) -> None:
    app.world.projects["houses"] = replace(app.world.projects["houses"], roles=Roles(operator=("cy@example.org",)))
    release = app.world.push("a")
    app.world.run()
    cancel = {"path": f"{release}/cancel"}
    claimed = app.http(releases, "POST", body(by="cy@example.org"), route=cancel, content_type="application/json")
    assert claimed.status_code == 403
    assert "nothing proves who you are" in read(claimed)["error"]
    asked = body(by="cy@example.org")
    other = app.http(releases, "POST", asked, route=cancel, **bearer(app, "ana@example.org"))
    assert "nobody asks in another's name" in read(other)["error"]
    link = {"authorization": f"Bearer {app.token(release)}", "content_type": "application/json"}
    assert app.http(releases, "POST", body(by="ana@example.org"), route=cancel, **link).status_code == 403
    assert app.world.ended(release) == "open"
    assert app.http(releases, "POST", asked, route=cancel, **bearer(app, "CY@example.org")).status_code == 200
    hold = json.dumps({"action": "hold", "by": "cy@example.org", "reason": "wait"}).encode()
    route = {"path": "houses/production"}
    assert app.http(environments, "POST", hold, route=route, content_type="application/json").status_code == 403
    assert app.http(environments, "POST", hold, route=route, **bearer(app, "cy@example.org")).status_code == 200


def test_a_changed_policy_is_seen_by_its_digest_and_put_in_force_by_a_person(app: App) -> None:
    app.world.push("a")
    app.world.run()
    app.world.projects["houses"] = replace(app.world.projects["houses"], quorum=2)
    route = {"project": "houses"}
    shown = read(app.http(policies, "GET", route=route))
    assert (shown["waits"], shown["weaker"], shown["written"]["quorum"]) == (True, [], 2)
    assert read(app.http(health, "GET"))["policies_wait"] == 1
    asked = body(digest=shown["written"]["digest"], by="ana@example.org")
    assert app.http(policies, "POST", asked, route=route, content_type="application/json").status_code == 403
    done = app.http(policies, "POST", asked, route=route, **bearer(app, "ana@example.org"))
    assert (done.status_code, read(done)["state"]) == (200, "in force")
    assert read(app.http(health, "GET"))["policies_wait"] == 0


def test_a_sign_in_counts_only_where_the_platform_says_that_it_signs_people_in(app: App) -> None:
    app.world.push("a")
    app.world.run()
    claims = [{"typ": "preferred_username", "val": "ana@example.org"}]
    said = base64.b64encode(json.dumps({"auth_typ": "aad", "claims": claims}).encode()).decode()
    shown = read(app.http(policies, "GET", route={"project": "houses"}))
    asked = body(digest=shown["written"]["digest"], by="bo@example.org")
    sent = {"x_ms_client_principal": said, "content_type": "application/json"}
    before = app.http(policies, "POST", asked, route={"project": "houses"}, **sent)
    # It is in force already, so that nobody need prove anything; in another's name nobody asks all the same.
    assert before.status_code == 200
    wired = wiring.wired()
    wiring.use(wiring.Wired(wired.control, replace(wired.settings, signed_in=True), 0))
    signed_in = app.http(policies, "POST", asked, route={"project": "houses"}, **sent)
    assert "You are ana@example.org" in read(signed_in)["error"]
    malformed = app.http(
        policies, "POST", asked, route={"project": "houses"}, **(sent | {"x_ms_client_principal": "é"})
    )
    assert malformed.status_code == 401


def page(app: App, release: str, who: str) -> str:
    token = sign_pass(KEY, Pass(who, int(app.world.now.timestamp()) + 60))
    shown = app.http(
        approve, "GET", route={"release": release}, cookie=f"signalbox={token}", accept="text/html", host="x"
    )
    assert shown.status_code == 200, shown.get_body()
    return shown.get_body().decode()


def test_the_page_says_who_must_agree_who_may_not_and_lets_a_delegate_decide(app: App) -> None:
    until = (app.world.now + timedelta(days=3)).date()
    groups = {"risk": ("ana@example.org", "dee@example.org")}
    rules = {"approvers": ("bo@example.org", "@risk"), "required": ("@risk",), "groups": groups}
    delegations = (Delegation("ana@example.org", "cy@example.org", until),)
    app.world.projects["houses"] = replace(app.world.projects["houses"], delegations=delegations, **rules)
    release = app.world.push("a")
    app.world.run()
    asked = page(app, release, "cy@example.org")
    assert "one of @risk (ana@example.org, dee@example.org): <strong>must still agree</strong>" in asked
    assert "dee@example.org: made this change and may not approve it" in asked
    assert 'name="form"' in asked
    app.world.decide(release, "cy@example.org")
    asked = page(app, release, "cy@example.org")
    assert "cy@example.org for ana@example.org: <strong>approved</strong>" in asked
    assert 'name="form"' not in asked


def test_the_page_says_in_red_that_the_glass_was_broken(app: App) -> None:
    app.world.projects["houses"] = replace(app.world.projects["houses"], quorum=2)
    release = app.world.push("a")
    app.world.run()
    said = body(decision="break-glass", evidence=app.world.state(release).asked[1].evidence)
    sent = app.http(approve, "POST", said, route={"release": release}, **bearer(app, "ana@example.org"))
    assert read(sent)["message"].startswith("It goes into production now.")
    assert '<strong class="bad">GLASS BROKEN</strong> by ana@example.org' in page(app, release, "bo@example.org")
    assert read(app.http(releases, "GET", route={"path": release}))["glass"]["state"] == "waits"
    assert read(app.http(environments, "GET", route={"path": "houses"}))["environments"][1]["glass"] == [release]


def test_who_may_look_is_said_by_roles_and_groups(app: App) -> None:
    roles = Roles(viewer=("@risk",))
    groups = {"risk": ("cy@example.org",)}
    app.world.projects["houses"] = replace(app.world.projects["houses"], roles=roles, groups=groups)
    release = app.world.push("a")
    app.world.run()
    page(app, release, "cy@example.org")
    token = sign_pass(KEY, Pass("x@example.org", int(app.world.now.timestamp()) + 60))
    assert app.http(approve, "GET", params={"token": token}, route={"release": release}).status_code in (403, 404)
