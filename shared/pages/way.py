"""How a person comes in: the link in the mail becomes a cookie, and the address keeps no secret."""

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from shared.answers import HTML, Answer


def arriving(path: str, query: Mapping[str, str], cookie: str) -> Answer:
    """Send a browser that came with a link to the same page without the secrets in its address; a cookie may be none.

    A function key that somebody put beside the token is one more.
    """
    rest = urlencode({name: value for name, value in query.items() if name not in ("token", "code")})
    address = f"/api/{quote(path)}" + (f"?{rest}" if rest else "")
    return Answer(303, "", kind=HTML, also={"Location": address} | ({"Set-Cookie": cookie} if cookie else {}))
