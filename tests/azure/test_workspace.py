"""The workspace, reached through the SDK's own authentication and through ours; and what people read when it is not."""

import asyncio
import sys

import msgspec
import pytest
from azure.core.credentials import AccessToken

from shared.backends.azure.auth import Tokens
from shared.backends.azure.scope import Scope
from shared.backends.azure.workspace import Azure
from shared.errors import Blocked
from tests.azure.stand_in import StandIn

TOKEN = "POST /{tenant}/oauth2/v2.0/token"
IDENTITY = "GET /msi/token"


def located(workspace: object) -> str:
    """Return where a workspace is, as a call that needs no request."""
    return str(getattr(workspace, "location", ""))


def test_the_sdk_alone_reaches_the_workspace_as_a_service_principal(double: StandIn, scope: Scope) -> None:
    from azureml.core import Workspace
    from azureml.core.authentication import ServicePrincipalAuthentication

    auth = ServicePrincipalAuthentication(scope.tenant, scope.client, scope.secret)
    found = Workspace.get(scope.workspace, auth, scope.subscription, scope.resource_group)

    assert found.location == scope.location
    asked = [each["route"] for each in double.requests()]
    assert asked == [
        "GET /{tenant}/v2.0/.well-known/openid-configuration",
        TOKEN,
        "GET /subscriptions",
        "GET {ws}",
    ]


async def reached_by_eight(azure: Azure) -> list[str]:
    """Ask for the workspace eight times at once."""
    return list(await asyncio.gather(*(azure.do("the location", located) for _ in range(8))))


def test_a_service_principal_reaches_the_workspace_once_however_many_ask(double: StandIn, azure: Azure) -> None:
    found = asyncio.run(reached_by_eight(azure))

    assert found == [azure.scope.location] * 8
    assert len(double.requests("GET {ws}")) == 1
    assert len(double.requests(TOKEN)) == 1


def test_a_managed_identity_reaches_the_workspace(double: StandIn, scope: Scope) -> None:
    azure = Azure(msgspec.structs.replace(scope, tenant="", client="", secret=""))

    assert azure.now("the location", located) == scope.location

    assert [each["query"].get("client_id") for each in double.requests(IDENTITY)] == [None]
    assert double.requests(TOKEN) == []


def test_a_user_assigned_identity_is_asked_for_by_its_client_id(double: StandIn, scope: Scope) -> None:
    azure = Azure(msgspec.structs.replace(scope, tenant="", secret=""))

    azure.now("the location", located)

    assert [each["query"].get("client_id") for each in double.requests(IDENTITY)] == [scope.client]


def test_one_token_an_audience_serves_every_call(double: StandIn, scope: Scope) -> None:
    from azureml.core import Model

    azure = Azure(msgspec.structs.replace(scope, tenant="", client="", secret=""))

    azure.now("the location", located)
    first = len(double.requests(IDENTITY))
    azure.now("the location", located)

    assert first == len(double.requests(IDENTITY)) == 1
    assert Model is not None


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"workspace": "gone"}, "workspaces/gone' under resource group 'signalbox' was not found"),
        ({"resource_group": "other"}, "Resource group 'other' could not be found"),
        ({"subscription": "no-subscription"}, "You don't have access to no-subscription subscription"),
    ],
)
def test_a_wrong_scope_names_the_settings_that_say_where(
    double: StandIn, scope: Scope, changed: dict[str, str], words: str
) -> None:
    azure = Azure(msgspec.structs.replace(scope, **changed))

    with pytest.raises(Blocked, match=words) as raised:
        azure.now("the location", located)

    assert "AZURE_SUBSCRIPTION_ID" in str(raised.value)


def test_a_missing_role_is_told_in_the_words_of_azure_and_names_the_role(double: StandIn, azure: Azure) -> None:
    double.fault("GET */workspaces/signalbox-ml", "forbidden")

    with pytest.raises(Blocked) as raised:
        azure.now("the location", located)

    said = str(raised.value)
    assert "AuthorizationFailed" in said
    assert "does not have authorization to perform action" in said
    assert "AzureML Data Scientist" in said
    assert azure.scope.client in said


def test_a_wrong_secret_says_so_in_the_words_of_azure(double: StandIn, scope: Scope) -> None:
    azure = Azure(msgspec.structs.replace(scope, secret="no-secret"))

    with pytest.raises(Blocked, match=r"AADSTS7000215.*AZURE_CLIENT_SECRET") as raised:
        azure.now("the location", located)

    assert "no-secret" not in str(raised.value)


def test_the_workspace_is_asked_for_again_once_it_was_mended(double: StandIn, azure: Azure) -> None:
    double.fault("GET */workspaces/signalbox-ml", "forbidden", times=1)
    with pytest.raises(Blocked):
        azure.now("the location", located)

    assert azure.now("the location", located) == azure.scope.location


class Forgotten(Azure):
    """One whose workspace other threads forget as soon as it is kept."""

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, None if name == "_workspace" else value)


def test_a_workspace_that_another_thread_forgets_meanwhile_is_used_all_the_same(double: StandIn, scope: Scope) -> None:
    assert Forgotten(scope).now("the location", located) == scope.location


def test_what_the_sdk_prints_reaches_nobody_and_ours_does(azure: Azure, capsys: pytest.CaptureFixture[str]) -> None:
    def talks(workspace: object) -> None:
        print("Registering model")

    azure.now("nothing", talks)
    print("ours")

    assert capsys.readouterr().out == "ours\n"
    assert "azure" not in type(sys.stdout).__module__


def test_a_scope_that_is_printed_shows_no_secret(scope: Scope) -> None:
    shown = repr(msgspec.structs.replace(scope, storage="AccountKey=key"))

    assert scope.workspace in shown
    assert scope.secret not in shown
    assert "AccountKey" not in shown


def test_a_token_is_renewed_before_it_ends(scope: Scope) -> None:
    given: list[str] = []
    now = [1000.0]

    class Credential:
        """One whose tokens live for an hour, or for the seconds it is told."""

        life = 3600.0

        def get_token(self, *scopes: str) -> AccessToken:
            """Return a new token."""
            given.append(scopes[0])
            return AccessToken(f"token {len(given)}", int(now[0] + self.life))

    credential = Credential()
    tokens = Tokens(scope, credential, lambda: now[0])
    assert [tokens.of("https://a"), tokens.of("https://a"), tokens.of("https://b")] == ["token 1", "token 1", "token 2"]

    now[0] += 3600 - 301
    assert tokens.of("https://a") == "token 1"
    now[0] += 2
    credential.life = 60.0
    assert tokens.of("https://a") == "token 3"
    now[0] += 29
    assert tokens.of("https://a") == "token 3"
    now[0] += 2
    assert tokens.of("https://a") == "token 4"
    assert given == ["https://a/.default", "https://b/.default", "https://a/.default", "https://a/.default"]
