"""Microsoft Entra ID and the managed identity of a Functions app: who gets a token.

The shape of a token is real (three parts, readable claims), its signature is none: only this double checks it.
"""

import base64
import json
import time
from urllib.parse import parse_qs

from tests.azure.double.azure import Azure
from tests.azure.double.proxy import IDENTITY
from tests.azure.double.wire import Answer, Request, route

HOST = "login.microsoftonline.com"
LIFE = 3600
"""Seconds for which a token is good; a test makes it short by the fault named `token-life`."""


def token(azure: Azure, audience: str, who: str) -> tuple[str, int]:
    """Return a new token and the seconds it lives."""
    fault = azure.faults.take("token-life")
    life = int(fault["seconds"]) if fault else LIFE
    now = int(time.time())
    claims = {
        "aud": audience,
        "iss": f"https://sts.windows.net/{azure.settings.tenant}/",
        "iat": now,
        "nbf": now,
        "exp": now + life,
        "appid": who,
        "oid": who,
        "tid": azure.settings.tenant,
        "serial": len(azure.tokens),
    }
    parts = [{"typ": "JWT", "alg": "none"}, claims]
    made = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    made = f"{made}.unsigned"
    azure.tokens[made] = who
    return made, life


@route("GET", "/{tenant}/v2.0/.well-known/openid-configuration", host=HOST, open=True)
def configuration(azure: Azure, request: Request, tenant: str) -> Answer:
    """Say where tokens are had."""
    if tenant.lower() not in {azure.settings.tenant, "common", "organizations"}:
        words = f"AADSTS90002: Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID."
        return Answer(400, {"error": "invalid_tenant", "error_description": words})
    base = f"https://{HOST}/{tenant}"
    return Answer(
        body={
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
        }
    )


@route("GET", "/common/discovery/instance", host=HOST, open=True)
def instance(azure: Azure, request: Request) -> Answer:
    """Say that this authority is known."""
    alias = {"preferred_network": HOST, "preferred_cache": "login.windows.net", "aliases": [HOST, "login.windows.net"]}
    where = f"https://{HOST}/{azure.settings.tenant}/v2.0/.well-known/openid-configuration"
    return Answer(body={"tenant_discovery_endpoint": where, "api-version": "1.1", "metadata": [alias]})


@route("POST", "/{tenant}/oauth2/v2.0/token", host=HOST, open=True)
def by_secret(azure: Azure, request: Request, tenant: str) -> Answer:
    """Give a service principal its token."""
    asked = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
    if asked.get("client_id") != azure.settings.client or asked.get("client_secret") != azure.settings.secret:
        words = f"AADSTS7000215: Invalid client secret provided for app '{asked.get('client_id')}'."
        return Answer(401, {"error": "invalid_client", "error_description": words, "error_codes": [7000215]})
    audience = asked.get("scope", "").split(" ")[0].removesuffix("/.default")
    made, life = token(azure, audience, azure.settings.client)
    return Answer(body={"token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": made})


@route("GET", "/msi/token", host=IDENTITY, open=True)
def by_identity(azure: Azure, request: Request) -> Answer:
    """Give the app that runs here its token; `client_id` asks for a user-assigned identity."""
    if request.headers.get("x-identity-header") != azure.settings.identity_header:
        return Answer(401, {"statusCode": 401, "message": "The X-IDENTITY-HEADER is missing or wrong."})
    who = request.query.get("client_id", "system")
    if who not in {"system", azure.settings.client}:
        return Answer(400, {"statusCode": 400, "message": f"No user assigned identity with client id {who} is found."})
    made, life = token(azure, request.query.get("resource", ""), who)
    expires = str(int(time.time()) + life)
    return Answer(body={"access_token": made, "expires_on": expires, "resource": "", "token_type": "Bearer"})
