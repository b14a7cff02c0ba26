"""The Functions host, the queue, Event Grid and the clock, in virtual time: the real functions run in it.

Several handlers are under way at once, in one or two processes.
Every call of a port and every deed of the host is a point.
There a seed chooses who goes on, and a plan what goes wrong.
"""

import asyncio
import heapq
import random
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar
from weakref import WeakValueDictionary

import azure.functions as func
from azure.functions.queue import QueueMessage
from azure.functions.timer import TimerRequest

import function_app
from functions import on_step_due, on_time_passed, patrol
from shared import wiring
from shared.answers import Order
from shared.errors import Conflict, SignalboxError, Unavailable
from tests.simulation.faults import Plan, Point
from tests.simulation.loop import StillLoop
from tests.world import Crash, World

_T = TypeVar("_T")
START = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)
LEASE, AGAIN, DELIVERIES = 120.0, 5.0, 5
"""Of the queue: seconds until a message comes again whose process died, or which failed, and how often it comes."""
EVERY, CLOCK = 60.0, 10.0
"""Seconds between two patrols, and between two looks of the clock."""
RETRIES = (10.0, 30.0, 60.0, 300.0, 600.0, 1800.0, 3600.0)
"""Event Grid's, in seconds."""
SECRET = b"the push secret of every project"

assert function_app.app


def user_function(function: Any) -> Callable[..., Coroutine[Any, Any, Any]]:
    """Return the coroutine function that a blueprint registered."""
    found: Callable[..., Coroutine[Any, Any, Any]] = function._function.get_user_function()
    return found


ON_STEP_DUE, ON_TIME_PASSED = map(user_function, (on_step_due.on_step_due, on_time_passed.on_time_passed))
PATROL, POISON = map(user_function, (patrol.patrol, patrol.patrol_poison))


class Orders(func.Out[list[str]]):
    """What the queue output was set to."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def set(self, val: list[str]) -> None:
        """Take the messages."""
        self.messages = val

    def get(self) -> list[str]:
        """Return the messages."""
        return self.messages


class Thing(Protocol):
    """Something that happens when its time has come."""

    def begin(self, host: "Host") -> None:
        """Happen, or begin a flight."""
        ...


class Invoked(Thing, Protocol):
    """What a handler is invoked with."""

    async def serve(self, host: "Host", process: "Process") -> None:
        """Call the function, and do what the host does after it."""
        ...

    def failed(self, host: "Host", died: bool) -> None:
        """Come again, when this kind of thing does."""
        ...


@dataclass(eq=False)
class Act:
    """Something that the outside does."""

    do: Callable[[], None]

    def __str__(self) -> str:
        return ""

    def begin(self, host: "Host") -> None:
        self.do()


@dataclass(eq=False)
class Process:
    """One process of the app: its memory, and whether it still lives."""

    wired: wiring.Wired
    dead: bool = False


@dataclass(eq=False)
class Flight:
    """One invocation under way."""

    process: Process
    about: Invoked
    task: asyncio.Task[None]


@dataclass(eq=False)
class Message:
    """One queue message; `count` is how often it was taken from the queue, and the receipt of the newest taker."""

    id: str
    body: str
    queue: str = "steps"
    count: int = 0
    gone: bool = False

    def __str__(self) -> str:
        return f"{self.id}:{self.count} {self.body}"

    def begin(self, host: "Host") -> None:
        if self.gone:
            return
        if self.queue == "steps" and self.count >= DELIVERIES:
            # It took its process with it each time: nobody could say that it failed.
            return self._poison(host)
        self.count += 1
        if host.deed_fault("queue", "get") == "twice":
            host.later(host.some(0.0, 2.0), self)
        host.fly(self)

    async def serve(self, host: "Host", process: Process) -> None:
        receipt, orders = self.count, Orders()
        given = QueueMessage(id=self.id, body=self.body.encode(), dequeue_count=receipt)
        if self.queue == "steps":
            await ON_STEP_DUE(given, orders)
        else:
            await POISON(given)
        await host.send(process, orders)
        await host.call(process, "queue", "delete", lambda: self._delete(receipt))

    async def _delete(self, receipt: int) -> None:
        if receipt == self.count:
            self.gone = True

    def failed(self, host: "Host", died: bool) -> None:
        if self.gone:
            return
        if self.queue == "steps" and self.count >= DELIVERIES and not died:
            return self._poison(host)
        host.later(LEASE if died else AGAIN, self)

    def _poison(self, host: "Host") -> None:
        self.gone = True
        host.poisoned += 1
        host.later(0.0, Message(f"{self.id}-poison", self.body, "steps-poison"))


@dataclass(eq=False)
class Delivery:
    """One event on its way to one function, until it is answered."""

    function: Callable[..., Coroutine[Any, Any, Any]]
    event: func.EventGridEvent
    taken: Callable[[], None] = lambda: None
    attempts: int = 0

    def __str__(self) -> str:
        return f"{self.event.id} {self.event.subject} ({self.attempts})"

    def begin(self, host: "Host") -> None:
        host.fly(self)

    async def serve(self, host: "Host", process: Process) -> None:
        orders = Orders()
        await self.function(self.event, orders)
        await host.send(process, orders)
        await host.call(process, "grid", "answer", _nothing)
        self.taken()

    def failed(self, host: "Host", died: bool) -> None:
        wait = RETRIES[min(self.attempts, len(RETRIES) - 1)]
        self.attempts += 1
        host.later(wait + (30.0 if died else 0.0), self)


@dataclass(eq=False)
class Request:
    """One HTTP request; `answered` hears status and body, or 0 when no answer came back."""

    function: Callable[..., Coroutine[Any, Any, Any]]
    request: func.HttpRequest
    answered: Callable[[int, bytes], None]

    def __str__(self) -> str:
        return f"{self.request.method} {dict(self.request.route_params)} {self.request.get_body()[:60]!r}"

    def begin(self, host: "Host") -> None:
        host.fly(self)

    async def serve(self, host: "Host", process: Process) -> None:
        orders = Orders()
        answer = await self.function(self.request, orders)
        await host.send(process, orders)
        await host.call(process, "http", "answer", _nothing)
        if answer.status_code == 500:
            host.wrong.append(f"a function broke: {answer.get_body()!r}")
        self.answered(answer.status_code, answer.get_body())

    def failed(self, host: "Host", died: bool) -> None:
        self.answered(0, b"")


@dataclass(eq=False)
class Tick:
    """A timer, one run at a time."""

    function: Callable[..., Coroutine[Any, Any, Any]]
    every: float
    flying: bool = False

    def __str__(self) -> str:
        return self.function.__name__

    def begin(self, host: "Host") -> None:
        host.later(self.every, self)
        if not self.flying:
            self.flying = True
            host.fly(self)

    async def serve(self, host: "Host", process: Process) -> None:
        orders = Orders()
        await self.function(TimerRequest(), orders)
        await host.send(process, orders)
        self.flying = False

    def failed(self, host: "Host", died: bool) -> None:
        self.flying = False


async def _nothing() -> None:
    """Have no effect: only the answer is at stake."""


@dataclass
class Host:
    """One run: the world, the processes, what is due, and what goes wrong."""

    world: World
    plan: Plan
    rng: random.Random | None = None
    """Chooses who goes on; without one, everything happens in order, one handler after the other."""
    patrols: bool = True
    at_once: int = 1
    processes: int = 1
    time: float = 0.0
    number: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    crashes: int = 0
    poisoned: int = 0
    wrong: list[str] = field(default_factory=list)
    """What must never be, and was."""
    trace: list[str] | None = None

    def __post_init__(self) -> None:
        self.loop = StillLoop()
        self.heap: list[tuple[float, int, Thing]] = []
        self.due: deque[Thing] = deque()
        self.waiting: list[tuple[asyncio.Future[None], Process]] = []
        self.flights: list[Flight] = []
        self.landed: list[asyncio.Task[None]] = []
        self.made = self.messages = self.ticks = 0
        self.begun: dict[tuple[str, str], Callable[..., None]] = {}
        """What the outside does after a call of a port took effect."""
        self.after: list[Callable[[], None]] = []
        """What looks around after every step."""
        self.settings = self.world.settings(SECRET)
        self.world.now = START
        self.up = [self.start() for _ in range(self.processes)]
        self.later(CLOCK, Tick(ON_TIME_PASSED, CLOCK))
        if self.patrols:
            self.later(EVERY, Tick(PATROL, EVERY))

    # The app's processes.

    def start(self) -> Process:
        """Start a process of the app: it remembers nothing."""
        process = Process(None)  # type: ignore[arg-type]
        control = self.world.controller(lambda name, port: _Port(self, process, name, port), WeakValueDictionary())
        process.wired = wiring.Wired(control, self.settings, 0)
        return process

    def _kill(self, process: Process) -> None:
        """Let every handler of a process die where it stands, and start another."""
        for turn, its in [each for each in self.waiting if each[1] is process]:
            self.waiting.remove((turn, its))
            turn.set_exception(Crash())
        self.loop.drain()
        self.up[self.up.index(process)] = self.start()

    def fly(self, about: Invoked) -> None:
        """Invoke a function in one of the processes."""
        process = self.rng.choice(self.up) if self.rng and len(self.up) > 1 else self.up[0]
        self._use(process)
        task = self.loop.create_task(about.serve(self, process))
        task.add_done_callback(self.landed.append)
        self.flights.append(Flight(process, about, task))
        self.loop.drain()

    def _use(self, process: Process) -> None:
        wiring.use(process.wired)

    def _land(self) -> None:
        while self.landed:
            task = self.landed.pop(0)
            flight = next(each for each in self.flights if each.task is task)
            self.flights.remove(flight)
            error = task.exception()
            if isinstance(error, Crash) or flight.process.dead:
                flight.about.failed(self, True)
            elif isinstance(error, Exception):
                if not isinstance(error, SignalboxError):
                    self.wrong.append(f"a handler broke: {error!r}")
                flight.about.failed(self, False)
            elif error is not None:
                raise error

    # Points.

    def some(self, low: float, high: float) -> float:
        """Return some seconds between two; the lower when nothing is left to chance."""
        return self.rng.uniform(low, high) if self.rng else low

    def deed_fault(self, port: str, method: str) -> str | None:
        """Return what goes wrong with a deed of the host that nobody waits for."""
        self.number += 1
        kind = self.plan.at(self.number, Point(port, method, steady=self._steady()))
        if kind:
            self.faults[kind] += 1
            self._note(f"{port}.{method} {kind}")
        return kind

    def _steady(self) -> bool:
        return not self.patrols and any(
            isinstance(flight.about, Message) and flight.about.count >= DELIVERIES - 1 for flight in self.flights
        )

    async def call(
        self,
        process: Process,
        port: str,
        method: str,
        effect: Callable[[], Awaitable[Any]],
        conditional: bool = False,
        switch: bool = False,
    ) -> Any:
        """Let one call of a port, or one deed of the host, have its effect when its turn comes, or go wrong."""
        if process.dead:
            raise Crash
        if self.at_once > 1:
            turn = self.loop.create_future()
            self.waiting.append((turn, process))
            await turn
        self.number += 1
        self.calls[port] += 1
        kind = self.plan.at(self.number, Point(port, method, conditional, switch, self._steady()))
        if self.trace is not None:
            self._note(f"{port}.{method} {kind or ''}")
        if kind is None:
            return await effect()
        self.faults[kind] += 1
        return await self._suffer(kind, process, f"{port}.{method}", effect)

    async def _suffer(self, kind: str, process: Process, name: str, effect: Callable[[], Awaitable[Any]]) -> Any:
        match kind:
            case "away":
                raise Unavailable(f"{name} cannot be asked")
            case "unsaid":
                await effect()
                raise Unavailable(f"the answer of {name} was lost")
            case "taken":
                await effect()
                if name == "ledger.mark":
                    return False
                raise Conflict(f"{name} answers 412")
            case "twice":
                first = await effect()
                with suppress(Conflict):
                    await effect()
                return first
            case "late":
                self.later(self.some(20.0, 90.0), Act(lambda: self._lands(effect)))
                raise Unavailable(f"{name} gave no answer in time")
            case "lost":
                return None
            case "crash before" | "crash after":
                if kind == "crash after":
                    with suppress(SignalboxError):
                        await effect()
                process.dead = True
                raise Crash
            case _:
                raise ValueError(kind)

    def _lands(self, effect: Callable[[], Awaitable[Any]]) -> None:
        with suppress(SignalboxError):
            at_once(effect())

    async def send(self, process: Process, orders: Orders) -> None:
        """Write what a function put into its queue output."""
        for text in orders.messages:
            await self.call(process, "queue", "put", lambda text=text: self._put(text))  # type: ignore[misc]

    def put(self, order: Order) -> None:
        """Put a message that another version of the app wrote."""
        at_once(self._put(order.text()))

    async def _put(self, text: str) -> None:
        self.messages += 1
        self._note(f"  put {text}")
        self.later(self.some(0.0, 1.0), Message(f"message-{self.messages}", text))

    def raise_event(self, delivery: Callable[[], Delivery]) -> None:
        """Let Event Grid take an event: it delivers it at least once, in no order."""
        kind = self.deed_fault("grid", "raise")
        if kind == "lost":
            return
        self.later(self.some(60.0, 200.0) if kind == "late" else self.some(0.0, 3.0), delivery())
        if kind == "twice":
            self.later(self.some(0.0, 40.0), delivery())

    # Time.

    def later(self, seconds: float, thing: Thing) -> None:
        """Let something happen some seconds from now."""
        self.made += 1
        self.ticks += isinstance(thing, Tick)
        heapq.heappush(self.heap, (self.time + seconds, self.made, thing))

    def _advance(self, to: float) -> None:
        if to > self.time:
            self.time = to
            self.world.now = START + timedelta(seconds=to)
        while self.heap and self.heap[0][0] <= self.time:
            thing = heapq.heappop(self.heap)[2]
            self.ticks -= isinstance(thing, Tick)
            self.due.append(thing)

    @property
    def still(self) -> bool:
        """Nothing is under way or to come, but the timer."""
        return not self.flights and not self.due and len(self.heap) == self.ticks

    def step(self) -> bool:
        """Let one thing go on; return whether there was one."""
        if self.heap and (self.heap[0][0] <= self.time or (self.waiting and self._hurries())):
            self._advance(max(self.time, self.heap[0][0]))
        begin = len(self.due) if len(self.flights) < self.at_once else 0
        choices = len(self.waiting) + begin
        if not choices:
            if self.flights:
                self.wrong.append("handlers wait for each other for ever")
                return False
            if not self.heap:
                return False
            self._advance(self.heap[0][0])
            return True
        chosen = self.rng.randrange(choices) if self.rng else 0
        if chosen < len(self.waiting):
            turn, process = self.waiting.pop(chosen)
            self._use(process)
            turn.set_result(None)
            self.loop.drain()
        else:
            self._begin(chosen - len(self.waiting))
        self._look_around()
        return True

    def _begin(self, at: int) -> None:
        thing = self.due[at]
        del self.due[at]
        if self.trace is not None:
            self._note(f"{type(thing).__name__} {thing}")
        thing.begin(self)

    def _hurries(self) -> bool:
        """A handler is slow now and then: time goes on for everybody else."""
        return self.rng is not None and self.rng.random() < 0.02

    def _look_around(self) -> None:
        for process in self.up:
            if process.dead:
                self.crashes += 1
                self._kill(process)
        self._land()
        for look in self.after:
            look()

    def _note(self, what: str) -> None:
        if self.trace is not None:
            self.trace.append(f"{self.time:8.1f} {self.number:5d} {what}")


def at_once(deed: Awaitable[_T]) -> _T:
    """Run a coroutine of the world, which never waits, to its end."""
    try:
        deed.send(None)  # type: ignore[attr-defined]
    except StopIteration as done:
        found: _T = done.value
        return found
    raise AssertionError("the world waits")


class _Port:
    """A port as one process sees it: every call is a point."""

    def __init__(self, host: Host, process: Process, name: str, port: Any) -> None:
        self._of = (host, process, name, port)

    def __getattr__(self, method: str) -> Any:
        host, process, name, port = self._of
        called = getattr(port, method)
        if not asyncio.iscoroutinefunction(called):
            return called
        append = (name, method) == ("ledger", "append")

        async def through(*given: Any, **named: Any) -> Any:
            async def effect() -> Any:
                answer = await called(*given, **named)
                if begun := host.begun.get((name, method)):
                    begun(*given)
                return answer

            conditional = append and given[2] is not None
            switch = conditional and given[0].startswith("environment/")
            return await host.call(process, name, method, effect, conditional, switch)

        setattr(self, method, through)
        return through
