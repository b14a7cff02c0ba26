"""What Azure says when it says no, in its own words and with what to do next.

The words are read from the answer itself: errors of the SDK hold it in many shapes, and some cannot even be printed.
"""

import json
from typing import Any

from msgspec import Struct

from shared.backends.azure.scope import Scope
from shared.errors import Blocked, Conflict, NotFound, SignalboxError, StepFailed, Unavailable

LONGEST = 600
"""Characters of the service's words that a message holds."""
QUOTA = ("quota", "corelimit", "exceeding approved")
ROLES = "'AzureML Data Scientist', and 'AzureML Compute Operator' to make clusters"


class Refusal(Struct, frozen=True):
    """One answer that says no."""

    status: int
    code: str
    words: str
    place: str
    """Method, host and path."""

    def __str__(self) -> str:
        return f"{self.code or self.status}: {self.words}" if self.words else f"it answers {self.status}"

    @property
    def is_about_quota(self) -> bool:
        """Say whether the subscription may not have as much as was asked."""
        told = f"{self.code} {self.words}".lower()
        return any(each in told for each in QUOTA)


def refusal(request: Any, answer: Any) -> Refusal:
    """Read an answer of `requests`; a body that is no known shape is taken as it is."""
    # Without the query, which may hold a signature; the SDK doubles a slash now and then.
    place = f"{request.method} {request.url.partition('?')[0].removeprefix('https://').replace('//', '/')}"
    code, words = _said(answer.text)
    return Refusal(answer.status_code, code, words, place)


def _said(text: str) -> tuple[str, str]:
    try:
        body = json.loads(text)
    except ValueError:
        return "", " ".join(text.split())[:LONGEST]
    found = body.get("error", body) if isinstance(body, dict) else {}
    if isinstance(found, str):
        return found, str(body.get("error_description", "")).partition("\r\n")[0][:LONGEST]
    if not isinstance(found, dict):
        return "", text[:LONGEST]
    code, words = str(found.get("code") or ""), str(found.get("message") or "")
    deeper = [each for each in found.get("details") or [] if isinstance(each, dict) and each.get("message")]
    words = "; ".join([words, *(str(each["message"]) for each in deeper if each["message"] != words)])
    return code, " ".join(words.split())[:LONGEST]


def translated(what: str, scope: Scope, error: Exception, refused: Refusal | None) -> SignalboxError:
    """Return our error for one of the SDK's; `refused` is the service's last answer when that was a no."""
    if refused is None and _broke_off(error):
        return Unavailable(f"Azure broke off while it was asked for {what} ({type(error).__name__}: {spoken(error)})")
    if refused is None and type(error).__module__.partition(".")[0] in ("builtins", "json", "requests", "msrest"):
        # The SDK stumbled over an answer: a gateway's page of HTML, or a field that is not as it was.
        kind = type(error).__name__
        return Unavailable(f"what Azure answered about {what} could not be read ({kind}: {spoken(error)})")
    if refused is None:
        return StepFailed(f"Azure's SDK refuses {what}: {spoken(error)}", "mend what it names, then retry")
    if refused.is_about_quota:
        return StepFailed(f"{what}: {refused}", quota_advice(scope))
    match refused.status:
        case 401:
            return Blocked(f"{what}: Azure does not take this app's token ({refused}); {identity_advice(scope)}")
        case 403:
            return Blocked(f"{what}: {refused}; {role_advice(scope)}")
        case 404:
            return NotFound(f"{what}: {refused}")
        case 409 | 412:
            return Conflict(f"{what}: {refused}")
        case status if status >= 500:
            return Unavailable(f"Azure could not be asked for {what}: {refused}")
        case _:
            return StepFailed(f"{what}: {refused}", f"Azure refused {refused.place}; mend what it names, then retry")


def _broke_off(error: BaseException) -> bool:
    """Say whether a connection is behind an error of the SDK, which wraps it in many classes of its own."""
    # Imported here, and loaded already: nothing of an SDK is before the first call.
    from azure.core.exceptions import IncompleteReadError, ServiceRequestError, ServiceResponseError
    from requests.exceptions import RequestException
    from urllib3.exceptions import HTTPError

    broken = (RequestException, HTTPError, OSError, ServiceRequestError, ServiceResponseError, IncompleteReadError)
    behind: list[BaseException | None] = [error]
    seen: set[int] = set()
    while behind:
        each = behind.pop()
        # What was translated before belongs to a call that is over.
        if each is None or id(each) in seen or isinstance(each, SignalboxError):
            continue
        if isinstance(each, broken):
            return True
        seen.add(id(each))
        behind += [each.__cause__, each.__context__]
    return False


def spoken(error: BaseException) -> str:
    """Return what an error of the SDK says; never by its `str`, which may raise, or print headers and keys."""
    message = getattr(error, "message", None)
    if not isinstance(message, str):
        first = error.args[0] if error.args else ""
        message = first if isinstance(first, str) else ""
    return " ".join(message.split())[:LONGEST] or type(error).__name__


def identity_advice(scope: Scope) -> str:
    """Say what to look at when this app cannot sign in."""
    if scope.secret:
        return (
            "see that AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET are right and the secret has not expired"
        )
    if scope.client:
        return "see that the user-assigned identity AZURE_CLIENT_ID is assigned to this app"
    return "switch the app's managed identity on, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"


def role_advice(scope: Scope) -> str:
    """Say which role is missing."""
    who = scope.client or "this app's managed identity"
    return f"give {who} the role {ROLES}, on {scope.path}"


def quota_advice(scope: Scope) -> str:
    """Say where more is asked for."""
    where = f"subscription {scope.subscription}, Usage + quotas, {scope.location or 'its region'}"
    return f"ask for more in the portal ({where}), or choose a smaller AZUREML_VM_SIZE; then retry"
