"""`python -m tests.conformance.sweep`: each of many annotations in each place where one may stand, one app for each."""

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.conformance.definitions import APP, EVENT, HTTP, OUT, QUEUE, RETURNED, TIMER
from tests.conformance.interpreter import NoPython313
from tests.conformance.page import brief, summary
from tests.conformance.verdicts import asked, compared, job

# One expression a line reads best.
ANNOTATIONS = """
    None|str|bytes|bytearray|memoryview|bool|int|dict|list|object|str \\| None|list[str]|typing.Any|typing.Text
    typing.List|typing.List[str]|typing.List[int]|typing.List[func.QueueMessage]|typing.List[typing.List[str]]
    typing.Dict[str, str]|typing.Set[str]|typing.FrozenSet[str]|typing.Iterable[str]|typing.Iterator[str]
    typing.Sequence[bytes]|typing.Generator[str, None, None]|typing.AsyncIterator[str]|typing.Tuple[str]
    typing.Optional[str]|typing.Union[str, bytes]|typing.Callable|typing.Generic|typing.Type[str]
    typing.Literal['a']|typing.TypeVar('T')|typing.Annotated[str, 1]|typing.NewType('N', str)
    typing.NamedTuple('X', [('a', str)])|type('S', (str,), {})|type('Q', (func.QueueMessage,), {})
    type('H', (func.HttpRequest,), {})|func.HttpRequest|func.HttpResponse|func.EventGridEvent|func.CloudEvent
    func.QueueMessage|func.TimerRequest|func.InputStream|func.Context|func.Out|func.Out[str]
"""
PLACES = {
    "an HTTP request": f"{APP}{HTTP}def f(req: HERE):\n    pass\n",
    "an event": f"{APP}{EVENT}def f(event: HERE):\n    pass\n",
    "a message": f"{APP}{QUEUE}def f(msg: HERE):\n    pass\n",
    "a timer": f"{APP}{TIMER}def f(timer: HERE):\n    pass\n",
    "an output": f"{APP}{HTTP}{OUT}def f(req, out: HERE):\n    pass\n",
    "what an output holds": f"{APP}{HTTP}{OUT}def f(req, out: func.Out[HERE]):\n    pass\n",
    "the answer": f"{APP}{HTTP}def f(req) -> HERE:\n    pass\n",
    "the return value for a queue": f"{APP}{TIMER}{RETURNED}def f(timer) -> HERE:\n    pass\n",
    "the return value for nothing": f"{APP}{TIMER}def f(timer) -> HERE:\n    pass\n",
    "the context": f"{APP}{HTTP}def f(req, context: HERE):\n    pass\n",
}


def apps() -> Mapping[str, str]:
    """The source of each app by its name."""
    lines = ANNOTATIONS.replace("\\|", "\0").strip().splitlines()
    known = [one.strip().replace("\0", "|") for line in lines for one in line.split("|")]
    return {f"{one} as {place}": source.replace("HERE", one) for one in known for place, source in PLACES.items()}


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        try:
            judged = compared(*asked([job(Path(folder), name, source) for name, source in apps().items()]))
        except NoPython313 as missing:
            print(f"{missing}; nothing was compared.")
            return 1
    for one in judged:
        if not one.agree:
            print(f"{one.name}: worker {brief(one.worker)}, host {brief(one.host)}")
    taken = sum("functions" in one.worker for one in judged)
    print(f"{len(judged)} annotations in their places, {taken} of them taken: {summary(judged)}.")
    return int(not all(one.agree for one in judged))


if __name__ == "__main__":
    sys.exit(main())
