"""The workspace, reached through the SDK's own authentication and through ours."""

from shared.backends.azure.scope import Scope
from tests.azure.stand_in import StandIn


def test_the_sdk_alone_reaches_the_workspace_as_a_service_principal(double: StandIn, scope: Scope) -> None:
    from azureml.core import Workspace
    from azureml.core.authentication import ServicePrincipalAuthentication

    auth = ServicePrincipalAuthentication(scope.tenant, scope.client, scope.secret)
    found = Workspace.get(scope.workspace, auth, scope.subscription, scope.resource_group)

    assert found.location == scope.location
    asked = [each["route"] for each in double.requests()]
    assert asked == [
        "GET /{tenant}/v2.0/.well-known/openid-configuration",
        "POST /{tenant}/oauth2/v2.0/token",
        "GET /subscriptions",
        "GET {ws}",
    ]
