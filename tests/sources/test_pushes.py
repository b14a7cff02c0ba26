import base64
import hashlib
import hmac
import json
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import LengthRequired, NotTrusted, NotUnderstood, TooLarge
from shared.release.notices import Ignored, Pushed
from shared.sources import azure_devops, github
from shared.sources.push import read_push
from shared.sources.signatures import Secret

PAYLOADS = Path(__file__).parent / "payloads"
OLD, NEW, ZEROS = "1f0c7a7d4b0e9b7e0d1a8f1c7b9a3f4e5d6c7b8a", "3f2c9d1e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d", "0" * 40
DIABETES = Secret("diabetes", "DIABETES_HOOK", b"a long random text")
OLDER = Secret("diabetes", "DIABETES_HOOK_OLD", b"the one before it")
DELAYS = Secret("flight-delays", "DELAYS_HOOK", b"p\xc3\xa4ss:word")
UNSET = Secret("unset", "UNSET", b"")
SECRETS = [DIABETES, OLDER, DELAYS, UNSET]


def payload(name: str) -> dict[str, Any]:
    return json.loads((PAYLOADS / name).read_bytes())


def signed(body: bytes, key: bytes = DIABETES.value, event: str = "push") -> dict[str, str]:
    return {
        "x-github-event": event,
        "X-GITHUB-DELIVERY": "72d3162e-cc78",
        "x-hub-signature-256": "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest(),
        "content-type": "application/json",
        "content-length": str(len(body)),
    }


def basic(password: bytes) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(b"hook:" + password).decode()}


def read_github(document: object, event: str = "push") -> Any:
    body = json.dumps(document).encode()
    (notice,) = github.read(signed(body, event=event), body)
    return notice


def read_azure(document: object) -> Any:
    return azure_devops.read({}, json.dumps(document).encode())


# who sent it


def test_the_signature_that_github_publishes_as_an_example_is_right():
    secret = Secret("any", "ANY", b"It's a Secret to Everybody")
    headers = {"X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}
    assert github.signed_by(headers, b"Hello, World!", [UNSET, secret]) == [secret]


def test_a_signed_push_tells_which_secret_proved_it_and_what_moved():
    body = (PAYLOADS / "github.push.json").read_bytes()
    trusted, notices = read_push(signed(body, OLDER.value), body, SECRETS)
    assert trusted == [OLDER]
    assert notices == [
        Pushed(
            source="github",
            addresses=(
                "https://github.com/heronworks/diabetes.git",
                "git@github.com:heronworks/diabetes.git",
                "git://github.com/heronworks/diabetes.git",
                "https://github.com/heronworks/diabetes",
                "heronworks/diabetes",
            ),
            ref="refs/heads/main",
            before=OLD,
            after=NEW,
            by="dee@example.org",
            message="Ridge, alpha 0.1\n\nLess noise on the small sample.",
            delivery="72d3162e-cc78",
        )
    ]


def test_projects_that_share_a_secret_are_both_named():
    twin = Secret("twin", "TWIN_HOOK", DIABETES.value)
    body = (PAYLOADS / "github.push.json").read_bytes()
    assert read_push(signed(body), body, [*SECRETS, twin])[0] == [DIABETES, twin]


def test_the_signature_covers_the_raw_bytes():
    body = (PAYLOADS / "github.push.json").read_bytes()
    with pytest.raises(NotTrusted, match="X-Hub-Signature-256 of this push fits no project's secret"):
        read_push(signed(body), body + b" ", SECRETS)


def test_a_push_with_a_wrong_signature_is_refused_before_it_is_parsed():
    with pytest.raises(NotTrusted):
        read_push(signed(b"{", b"another key"), b"{", SECRETS)


@pytest.mark.parametrize("header", ["", "sha256=", "sha1=abc", "é", "\ud800", "sha256=" + "0" * 64, "\x00"])
def test_an_odd_signature_is_no_match_and_never_an_error(header: str):
    assert github.signed_by({"X-Hub-Signature-256": header}, b"{}", SECRETS) == []


def test_nobody_is_trusted_by_an_empty_secret():
    body = b"{}"
    assert github.signed_by(signed(body, b""), body, SECRETS) == []
    assert azure_devops.signed_by(basic(b""), body, SECRETS) == []


@settings(max_examples=300, deadline=None)
@given(st.text(), st.binary(max_size=50), st.sampled_from(["X-Hub-Signature-256", "Authorization"]))
def test_no_made_up_header_proves_a_sender(value: str, body: bytes, name: str):
    for text in (value, f"sha256={value}", f"Basic {value}"):
        with pytest.raises((NotTrusted, LengthRequired)):
            read_push({name: text}, body, SECRETS)


@settings(max_examples=300, deadline=None)
@given(st.binary(min_size=1, max_size=40), st.binary(max_size=80), st.integers(0, 70), st.characters())
def test_a_signature_with_one_changed_character_proves_nothing(key: bytes, body: bytes, at: int, other: str):
    secret = Secret("any", "ANY", key)
    right = signed(body, key)["x-hub-signature-256"]
    assert github.signed_by({"X-Hub-Signature-256": right}, body, [secret]) == [secret]
    if other != right[at : at + 1] and not (at == len(right) - 1 and other.isspace()):
        wrong = right[:at] + other + right[at + 1 :]
        assert github.signed_by({"X-Hub-Signature-256": wrong}, body, [secret]) == []


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic é",
        "Basic \ud800",
        "Bearer " + base64.b64encode(b"hook:" + DELAYS.value).decode(),
        "Basic " + base64.b64encode(DELAYS.value.replace(b":", b"")).decode(),
        "Basic " + base64.b64encode(b"hook:wrong").decode(),
        "Basic !" + base64.b64encode(b"hook:" + DELAYS.value).decode(),
        "Basic " + base64.b64encode(b"hook").decode(),
    ],
)
def test_an_odd_authorization_is_no_match_and_never_an_error(value: str):
    assert azure_devops.signed_by({"authorization": value}, b"{}", SECRETS) == []


def test_a_push_of_azure_devops_is_proved_by_its_password_colons_and_umlauts_included():
    body = (PAYLOADS / "azure_devops.push.json").read_bytes()
    trusted, notices = read_push(basic(DELAYS.value), body, SECRETS)
    assert trusted == [DELAYS]
    assert len(notices) == 4


def test_a_push_without_any_proof_is_told_what_to_set():
    with pytest.raises(NotTrusted, match=r"has no header Authorization or X-Signalbox-Secret\. Give the webhook"):
        read_push({}, b"{}", SECRETS)
    with pytest.raises(NotTrusted, match="has no header X-Hub-Signature-256"):
        read_push({"X-GitHub-Event": "push"}, b"{}", SECRETS)
    with pytest.raises(NotTrusted, match="Authorization of this push fits no"):
        read_push(basic(b"wrong"), b"{}", SECRETS)


def test_the_length_comes_before_everything():
    with pytest.raises(LengthRequired):
        read_push({"X-GitHub-Event": "push", "Transfer-Encoding": "chunked"}, b"", SECRETS)
    with pytest.raises(TooLarge):
        read_push({}, b" " * (5 * 1024 * 1024 + 1), SECRETS)


def test_a_secret_does_not_show_its_value():
    assert "random" not in repr(DIABETES)
    assert "DIABETES_HOOK" in repr(DIABETES)


# what GitHub says


def test_a_new_branch_is_a_push_from_no_commit():
    notice = read_github(payload("github.push.json") | {"before": ZEROS})
    assert isinstance(notice, Pushed)
    assert notice.before == ZEROS


def test_a_push_in_a_form_is_read():
    document = json.dumps(payload("github.push.json"))
    body = urlencode({"payload": document}).encode()
    headers = signed(body) | {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    trusted, notices = read_push(headers, body, SECRETS)
    assert trusted == [DIABETES]
    assert notices == [read_github(payload("github.push.json"))]


def test_a_form_without_a_payload_is_not_understood():
    with pytest.raises(NotUnderstood, match="no field payload"):
        github.read({"X-GitHub-Event": "push", "Content-Type": "application/x-www-form-urlencoded"}, b"other=1")


def test_a_ping_is_ignored_as_a_ping_with_or_without_a_repository():
    ping = read_github(payload("github.ping.json"), "ping")
    assert ping == Ignored(
        "github",
        "ping",
        "a ping",
        "72d3162e-cc78",
        ("https://github.com/heronworks/diabetes.git", "heronworks/diabetes"),
    )
    assert read_github({"zen": "Less."}, "ping").addresses == ()


def test_another_event_is_ignored_with_its_name():
    notice = read_github({"action": "opened", "repository": {"full_name": "heronworks/diabetes"}}, "pull_request")
    assert notice.reason == "a pull_request event; only pushes open releases"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"after": ZEROS}, "the branch main was deleted"),
        ({"deleted": True}, "the branch main was deleted"),
        ({"ref": "refs/tags/v1"}, "the tag v1 moved; only branches open releases"),
        ({"ref": "refs/notes/x"}, "the ref refs/notes/x moved; only branches open releases"),
        ({"ref": "main"}, "the ref main moved; only branches open releases"),
    ],
)
def test_a_ref_that_is_no_living_branch_is_ignored_with_its_reason(change: dict[str, object], reason: str):
    notice = read_github(payload("github.push.json") | change)
    assert isinstance(notice, Ignored)
    assert notice.reason == reason
    assert "heronworks/diabetes" in notice.addresses


def test_the_deletion_of_a_tag_without_a_head_commit_is_ignored():
    assert read_github(payload("github.tag_deleted.json")).reason == "the tag v1 was deleted"


@pytest.mark.parametrize(
    ("change", "by"),
    [
        ({}, "dee@example.org"),
        ({"sender": {"login": "dee", "email": "other@example.org"}}, "dee@example.org"),
        ({"pusher": {"name": "dee", "email": None}}, "dee"),
        ({"pusher": {"name": "deploy-key"}, "sender": None}, "deploy-key"),
        ({"pusher": None, "sender": {"login": "bo", "email": "bo@example.org"}}, "bo@example.org"),
        ({"pusher": None, "sender": None}, ""),
    ],
)
def test_the_pusher_is_the_account_and_never_the_author_of_the_commit(change: dict[str, object], by: str):
    assert read_github(payload("github.push.json") | change).by == by


@pytest.mark.parametrize("commit", [None, {}, {"message": None}])
def test_a_push_without_a_message_has_an_empty_one(commit: object):
    assert read_github(payload("github.push.json") | {"head_commit": commit}).message == ""


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"ref": None}, "`ref`"),
        ({"ref": ""}, "field ref is empty"),
        ({"ref": "refs/heads/ma\u202ein"}, "field ref has a hidden"),
        ({"before": 1}, "`before`"),
        ({"after": NEW[:-1]}, "`after`"),
        ({"after": NEW + "\n"}, "`after`"),
        ({"after": NEW.upper()}, "`after`"),
        ({"after": "--upload-pack=touch"}, "`after`"),
        ({"repository": "heronworks/diabetes"}, "`repository`"),
        ({"repository": {"clone_url": 7}}, "`repository.clone_url`"),
        ({"repository": {"clone_url": ""}}, "repository.clone_url or repository.full_name"),
        ({"repository": {"clone_url": "https://example.org/\u2066x"}}, "field repository has a hidden"),
        ({"pusher": []}, "`pusher`"),
    ],
)
def test_an_odd_field_of_a_push_is_named(change: dict[str, object], field: str):
    with pytest.raises(NotUnderstood, match=field):
        read_github(payload("github.push.json") | change)


@pytest.mark.parametrize("missing", ["ref", "before", "after", "repository"])
def test_a_missing_field_of_a_push_is_named(missing: str):
    document = payload("github.push.json")
    del document[missing]
    with pytest.raises(NotUnderstood, match=f"missing required field `{missing}`"):
        read_github(document)


def test_a_delivery_without_an_event_name_is_not_understood():
    headers = signed(b"{}") | {"x-github-event": ""}
    with pytest.raises(NotUnderstood, match="X-GitHub-Event is missing"):
        read_push(headers, b"{}", SECRETS)


json_values = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.lists(st.integers(), max_size=2)


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(st.sampled_from(["ref", "before", "after", "repository", "deleted", "sender"]), json_values))
def test_whatever_a_signed_push_holds_it_is_a_notice_or_not_understood(change: dict[str, object]):
    with suppress(NotUnderstood):
        assert isinstance(read_github(payload("github.push.json") | change), Pushed | Ignored)


# what Azure DevOps says


def test_every_ref_of_a_push_of_azure_devops_is_a_notice():
    main, forest, old, tag = read_azure(payload("azure_devops.push.json"))
    assert main == Pushed(
        source="azure-devops",
        addresses=(
            "https://heronworks@dev.azure.com/heronworks/Air%20Traffic/_git/flight-delays",
            "https://dev.azure.com/heronworks/_apis/git/repositories/77aa88bb-0000-4000-8000-0123456789ab",
            "flight-delays",
        ),
        ref="refs/heads/main",
        before=OLD,
        after=NEW,
        by="dee@example.org",
        message="Drop the month column",
        delivery="5b1a2c3d-0000-4000-8000-0123456789ab:31",
    )
    assert (forest.ref, forest.before, forest.message) == ("refs/heads/forest", ZEROS, "Try a forest")
    assert old.reason == "the branch old was deleted"
    assert tag.reason == "the tag v2 moved; only branches open releases"


def test_another_event_of_azure_devops_is_ignored_whatever_its_resource_is():
    document = {"id": "d-1", "eventType": "workitem.created", "resource": {"refUpdates": 7}}
    assert read_azure(document) == [
        Ignored("azure-devops", "workitem.created", "a workitem.created event; only pushes open releases", "d-1")
    ]


@pytest.mark.parametrize("resource", [None, {}, {"pushId": 14}, {"refUpdates": [], "repository": {}}])
def test_a_push_without_details_is_told_which_setting_leaves_them_out(resource: object):
    with pytest.raises(NotUnderstood, match='set "Resource details to send" to All'):
        read_azure(payload("azure_devops.push.json") | {"resource": resource})


def test_a_push_that_moved_nothing_is_ignored():
    document = payload("azure_devops.push.json")
    document["resource"]["refUpdates"] = []
    assert [each.reason for each in read_azure(document)] == ["a push that moved no ref"]


@pytest.mark.parametrize(
    ("person", "by"),
    [
        ({"uniqueName": "Windows Live ID\\ana@example.org"}, "ana@example.org"),
        ({"uniqueName": "bo@example.org", "displayName": "Bo"}, "bo@example.org"),
        ({"uniqueName": "CORP\\cy"}, "CORP\\cy"),
        ({"displayName": "Dee"}, "Dee"),
        ({}, ""),
        (None, ""),
    ],
)
def test_who_pushed_to_azure_devops_is_named_by_e_mail_where_there_is_one(person: object, by: str):
    document = payload("azure_devops.push.json")
    document["resource"]["pushedBy"] = person
    assert read_azure(document)[0].by == by


def test_the_message_of_another_ref_is_never_borrowed():
    document = payload("azure_devops.push.json")
    document["resource"]["commits"] = document["resource"]["commits"][1:]
    assert [each.message for each in read_azure(document)[:2]] == ["", "Try a forest"]
    document["resource"]["commits"] = None
    assert read_azure(document)[1].message == ""


@pytest.mark.parametrize(
    ("change", "delivery"),
    [({"notificationId": None}, "9d0e1f2a-0000-4000-8000-0123456789ab"), ({"subscriptionId": None, "id": None}, "")],
)
def test_a_delivery_without_a_subscription_is_named_by_its_own_id(change: dict[str, object], delivery: str):
    assert read_azure(payload("azure_devops.push.json") | change)[0].delivery == delivery


def test_an_odd_field_of_azure_devops_is_named():
    with pytest.raises(NotUnderstood, match="missing required field `eventType`"):
        read_azure({})
    document = payload("azure_devops.push.json")
    document["resource"]["refUpdates"][0]["newObjectId"] = "HEAD"
    with pytest.raises(NotUnderstood, match="newObjectId"):
        read_azure(document)
