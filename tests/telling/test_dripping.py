"""Who is told answers for ever, a byte at a time: neither the app nor whoever else is told waits for it."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import apprise  # noqa: F401 - or the first message would wait for it too
import pytest

from shared.backends.channels import AppriseChannels
from shared.backends.statuses import Account, HostStatuses
from shared.errors import Unavailable
from tests.telling.conftest import Dripping, Sink

SECONDS = 1.0


def status(dripping: Dripping, sink: Sink) -> Callable[[str], Awaitable[None]]:
    """Post statuses of two projects: to the one that drips, and to another host."""
    urls = {"drips": dripping.url, "other": sink.url}
    accounts = {name: Account("github", f"{url}/acme/x.git", name.upper(), "t") for name, url in urls.items()}
    statuses = HostStatuses(accounts, seconds=SECONDS)
    return lambda name: statuses.post(name, "a" * 40, "signalbox/x/check", "success", "14 tests", "l")


def message(dripping: Dripping, sink: Sink) -> Callable[[str], Awaitable[None]]:
    """Send to two channels: to the one that drips, and to another."""
    urls = {"drips": dripping.url, "other": sink.url}
    to = {name: f"json://{url.removeprefix('http://')}/x" for name, url in urls.items()}
    channels = AppriseChannels(to, "", seconds=SECONDS)
    return lambda name: channels.send(name, "houses v1 is live", "text")


@pytest.mark.parametrize("telling", [status, message])
def test_one_that_drips_is_given_up_and_nothing_else_waits_for_it(
    telling: Callable[[Dripping, Sink], Callable[[str], Awaitable[None]]], dripping: Dripping, sink: Sink
) -> None:
    sink.answers = [(201, "{}")]
    tell = telling(dripping, sink)

    async def story() -> list[BaseException | None]:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        waiting = [asyncio.create_task(asyncio.wait_for(tell("drips"), 30)) for _ in range(3)]
        with ThreadPoolExecutor(1) as aside:
            await asyncio.get_running_loop().run_in_executor(aside, dripping.asked.wait)
        # The app's own threads, and another one that is told.
        await asyncio.to_thread(int)
        await tell("other")
        return await asyncio.gather(*waiting, return_exceptions=True)

    ends = asyncio.run(story())
    assert [type(end) for end in ends] == [Unavailable] * 3
    assert "did not answer within 1 s" in str(ends[0])
    assert len(sink.got) == 1


def test_of_a_long_answer_only_the_beginning_is_read(sink: Sink) -> None:
    refused = "Cannot transition status via :enqueue from :pending"
    account = Account("gitlab", f"{sink.url}/acme/x.git", "T", "t")
    sink.answers = [(400, refused + " " * 1_000_000), (400, " " * 1_000_000 + refused)]

    def tell() -> None:
        asyncio.run(HostStatuses({"x": account}).post("x", "a" * 40, "c", "pending", "s", "l"))

    tell()
    with pytest.raises(Unavailable):
        tell()
