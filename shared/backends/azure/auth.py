"""Who this app is in Azure: a service principal when it has a secret, else a managed identity."""

import time
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from shared.backends.azure.flights import Flight
from shared.backends.azure.guard import given_up
from shared.backends.azure.refusals import identity_advice, spoken
from shared.backends.azure.scope import Scope
from shared.errors import Blocked

EARLY = 300
"""Seconds before its end at which a token is renewed; a shorter-lived one, at half of its life."""


class Token(Struct, frozen=True):
    """One bearer token, and the time from which on it is renewed."""

    text: str
    renew: float


class Tokens:
    """One token an audience for the whole process: the SDK asks for one with every call."""

    def __init__(self, scope: Scope, credential: Any = None, now: Callable[[], float] = time.time) -> None:
        """`credential` is one of azure-identity's, by default what the scope says."""
        self._scope = scope
        # Made anew when tokens are forgotten: azure-identity keeps them too.
        self._make: Callable[[], Any] = lambda: credential or credential_of(scope)
        self._credential = self._make()
        self._now = now
        self._kept: dict[str, Token] = {}
        self._flights: dict[str, Flight[Token]] = {}

    def of(self, audience: str) -> str:
        """Return a token for `audience`, e.g. `https://ml.azure.com`; `Blocked` when there is none for us."""
        kept = self._kept.get(audience)
        if kept is None or self._now() >= kept.renew:
            kept = self._flights.setdefault(audience, Flight()).join(lambda: self._renewed(audience))
            self._kept[audience] = kept
        return kept.text

    def _renewed(self, audience: str) -> Token:
        given = self._asked(f"{audience}/.default")
        life = given.expires_on - self._now()
        return Token(given.token, self._now() + max(life - EARLY, life / 2))

    def forget(self) -> None:
        """Ask anew from now on."""
        self._kept.clear()
        self._credential = self._make()

    def _asked(self, scope: str) -> Any:
        from azure.core.exceptions import AzureError

        try:
            return self._credential.get_token(scope)
        except AzureError as error:
            if over := given_up():
                raise over from error
            advice = identity_advice(self._scope)
            raise Blocked(f"Azure does not let this app sign in: {spoken(error)}; {advice}") from error


def credential_of(scope: Scope) -> Any:
    """Return azure-identity's credential for a scope."""
    if scope.secret:
        from azure.identity import ClientSecretCredential

        return ClientSecretCredential(scope.tenant, scope.client, scope.secret)
    from azure.identity import ManagedIdentityCredential

    return ManagedIdentityCredential(client_id=scope.client or None)


def authentication(tokens: Tokens) -> Any:
    """Return the SDK's authentication over our tokens."""
    from azureml.core.authentication import TokenAuthentication

    # A function, not a method: the SDK copies its authentication deeply, and a lock cannot be copied.
    def of(audience: str) -> str:
        return tokens.of(audience)

    return TokenAuthentication(of)
