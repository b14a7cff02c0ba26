"""The workspace: found once a process, and the way every adapter asks it."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from shared.backends.azure.auth import Tokens, authentication
from shared.backends.azure.flights import Flight
from shared.backends.azure.guard import Guard
from shared.backends.azure.refusals import role_advice
from shared.backends.azure.scope import Scope
from shared.errors import Blocked, NotFound, StepFailed

T = TypeVar("T")


class Azure:
    """One workspace as whoever this app runs as; `do` is how adapters ask it. One a process is enough."""

    def __init__(self, scope: Scope, credential: Any = None) -> None:
        """`credential` is one of azure-identity's; by default it is what the scope says."""
        self.scope, self._credential = scope, credential
        self._guard = Guard(scope)
        self._lock = threading.Lock()
        self._tokens: Tokens | None = None
        self._workspace: Any = None
        self._flight: Flight[Any] = Flight()

    async def do(self, what: str, call: Callable[..., T], *arguments: Any) -> T:
        """Run `call(workspace, *arguments)` in a thread, bounded, with its errors translated."""
        with self._forgetful():
            return await self._guard.do(what, lambda: call(self.workspace(), *arguments))

    def now(self, what: str, call: Callable[..., T], *arguments: Any) -> T:
        """`do` for callers that are in a thread of their own."""
        with self._forgetful():
            return self._guard.now(what, lambda: call(self.workspace(), *arguments))

    def ask(self, what: str, call: Callable[..., T], *arguments: Any) -> T:
        """`now` for what needs no workspace: `call(*arguments)`."""
        with self._forgetful():
            return self._guard.now(what, call, *arguments)

    def workspace(self) -> Any:
        """Return the SDK's Workspace; `Blocked` says which setting or role to mend."""
        # Read once: another thread may forget it at any moment.
        found = self._workspace
        if found is None:
            found = self._workspace = self._flight.join(self._found)
        return found

    def authentication(self) -> Any:
        """Return the SDK's authentication as whoever this app is."""
        return authentication(self.tokens())

    def tokens(self) -> Tokens:
        """Return the tokens of this process."""
        with self._lock:
            if self._tokens is None:
                self._tokens = Tokens(self.scope, self._credential)
            return self._tokens

    @contextlib.contextmanager
    def _forgetful(self) -> Iterator[None]:
        """Begin anew after a refusal: a token may have been revoked, or be older than the role it needs."""
        try:
            yield
        except Blocked:
            self.tokens().forget()
            self._workspace = None
            raise

    def _found(self) -> Any:
        scope = self.scope
        what = f"the workspace {scope.workspace}"
        try:
            return self._guard.now(what, self._got)
        except NotFound as error:
            settings = "AZURE_SUBSCRIPTION_ID, AZURE_RESOURCE_GROUP and AZUREML_WORKSPACE"
            raise Blocked(f"{error}; see {settings}, or make it: signalbox provision --yes") from error
        except StepFailed as error:
            # The SDK lists the subscriptions first, and says by itself when this one is not among them.
            raise Blocked(f"{error}; see that AZURE_SUBSCRIPTION_ID is right, or {role_advice(scope)}") from error

    def _got(self) -> Any:
        from azureml.core import Workspace

        scope = self.scope
        return Workspace(scope.subscription, scope.resource_group, scope.workspace, auth=self.authentication())
