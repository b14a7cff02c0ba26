"""events: patrol off and one subscription removed, a release stands and says what it waits for; one POST moves it."""

from collections.abc import Callable, Sequence
from pathlib import Path

from tools.demo.watch import View
from tools.prove import azure, stores
from tools.prove.ground import Ground, asks
from tools.prove.telling import Telling


def prove(root: Path, telling: Telling) -> None:
    """Take each of the four subscriptions away in turn; every one has a release of its own."""
    ground = Ground(root, "events", telling)
    try:
        for number, (function, show) in enumerate(_SHOWS, start=1):
            telling.say()
            telling.say(f"stack up with --no-patrol --without {function}")
            ground.up(without=[function], patrol=False)
            if number == 1:
                ground.bring_data()
            show(ground, ground.push(ground.alpha(number / 4))["release"])
            ground.down()
    finally:
        ground.down()


def _registered(ground: Ground, release: str) -> None:
    _stands(ground, release, "register", "ModelRegistered")
    (version,) = stores.versions(ground.state, release)
    event = azure.model_registered(ground.project, version, release)
    _moves(ground, release, "register", "on_model_registered", event)
    _goes_on(ground, release)


def _pushed(ground: Ground, release: str) -> None:
    _stands(ground, release, "package", "ImagePushed")
    (digest,) = stores.images(ground.state, ground.project, release)
    event = azure.image_pushed(ground.project, release, digest)
    _moves(ground, release, "package", "on_image_pushed", event)
    _goes_on(ground, release)


def _run_ended(ground: Ground, release: str) -> None:
    for step in ("check", "train", "evaluate", "certify", "try"):
        _stands(ground, release, step, "RunCompleted")
        event = azure.run_completed(ground.project, f"{release}-{step}-1")
        _moves(ground, release, step, "on_run_ended", event)
    _goes_on(ground, release)


def _deployed(ground: Ground, release: str) -> None:
    for step, environment in (("stage", "staging"), ("promote", "production")):
        if step == "promote":
            ground.telling.say(ground.approve(release))
        view = _stands(ground, release, step, "ModelDeployed")
        event = azure.model_deployed(f"{release}-{environment}", f"{ground.project}:{view['version']}")
        if step == "stage":
            _moves(ground, release, step, "on_model_deployed", event)
            _goes_on(ground, release)
        else:
            azure.post(ground.running, ground.telling, "on_model_deployed", event)
            view = ground.ended(release, "live")
            ground.telling.claim("it moves, and goes into production", view["state"] == "live", view["address"])


def _stands(ground: Ground, release: str, step: str, event: str) -> View:
    """Claim that the release stays at a step, that it says why, and that the event was raised and reached nobody."""
    view = ground.standing(release, step)
    waits = str(view["waits_for"])
    ground.telling.claim(f"it stands at {step}, at rest, and says what it waits for", event in waits, waits)
    lost = stores.undelivered(ground.state, event, release)
    told = [one["subject"] for one in lost if step != "promote" or one["subject"].endswith("-production")]
    about = ", ".join(told[-1:])
    ground.telling.claim(f"the topic has {event} and nobody to bring it to", bool(told), about)
    return view


def _moves(ground: Ground, release: str, step: str, function: str, event: azure.Event) -> None:
    """Post the event and claim that the release leaves the step."""
    status = azure.post(ground.running, ground.telling, function, event)
    view = ground.until(release, f"it to leave {step}", lambda view: view["standing"] != step, 30.0)
    names = [one["step"] for one in view["steps"]]
    moved = status == 202 and names.index(view["standing"]) > names.index(step)
    ground.telling.claim("it moves", moved, f"{step} -> {view['standing']}")


def _goes_on(ground: Ground, release: str) -> None:
    """Claim that nothing else was missing: with that one event the line goes on until people are asked."""
    view = ground.until(release, "people to be asked", asks)
    ground.telling.claim("and goes on by itself until people are asked", asks(view), view["waits_for"])


_SHOWS: Sequence[tuple[str, Callable[[Ground, str], None]]] = (
    ("on_model_registered", _registered),
    ("on_image_pushed", _pushed),
    ("on_run_ended", _run_ended),
    ("on_model_deployed", _deployed),
)
