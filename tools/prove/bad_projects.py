"""Projects that are wrong in every way, pushed through the whole line: each ends at its step and says what to do."""

import time
from dataclasses import dataclass

import httpx

from tools.cli.reach import release_path
from tools.demo import place
from tools.demo.watch import View
from tools.prove import stores, webhook
from tools.prove.ground import Ground, state_of

# The project's own tests train on fewer rows than this, so that only the real training goes wrong.
REAL = "if len(table) > 300:\n        "
READ = "    table = read(arguments.data)\n"
FOREVER = (
    REAL
    + """import subprocess, time
        subprocess.Popen(["sleep", "31536000"], start_new_session=True)
        time.sleep(31536000)
"""
)


@dataclass(frozen=True)
class Wrong:
    """A change to one file, the step at which it must end, and words that the reason must have."""

    name: str
    step: str
    file: str
    old: str
    new: str
    says: tuple[str, ...]


WRONG = (
    Wrong(
        "signalbox.toml with a metric that nobody knows",
        "check",
        "signalbox.toml",
        '"rmse"',
        '"rsme"',
        ("signalbox.toml, line 17", 'metric = "rsme"', 'Did you mean "rmse"?'),
    ),
    Wrong(
        "signalbox.toml with an unknown key",
        "check",
        "signalbox.toml",
        "minutes = 5",
        "minuts = 5",
        ("signalbox.toml", "minuts"),
    ),
    Wrong(
        "signalbox.toml that names a script that is not there",
        "check",
        "signalbox.toml",
        '"train.py"',
        '"trian.py"',
        ("train.script", "trian.py", "no such file"),
    ),
    Wrong("tests that fail", "check", "score.py", ".tolist()", ".tolist()[1:]", ("tests of the project fail",)),
    Wrong(
        "training that raises",
        "train",
        "train.py",
        READ,
        READ + "    " + REAL + 'table["no such column"]\n',
        ("train.py failed", "KeyError", "no such column"),
    ),
    Wrong(
        "training that hangs, with a child of its own (minutes = 0.05)",
        "train",
        "train.py",
        READ,
        READ + "    " + FOREVER,
        ("did not end within 3 s",),
    ),
    Wrong("training that writes no model", "train", "train.py", READ, READ + "    " + REAL + "return\n", ("no model",)),
    Wrong(
        "answers that are NaN",
        "evaluate",
        "score.py",
        "    return model.predict(rows[FEATURES]).tolist()\n",
        "    answers = model.predict(rows[FEATURES]).tolist()\n"
        '    return answers if len(rows) < 60 else [float("nan"), *answers[1:]]\n',
        ("nan for 1 of", "row 1"),
    ),
)


def prove(ground: Ground) -> None:
    """Push each of them, and a commit that is nowhere; none leaves a process behind."""
    clean = {wrong.file: (ground.at.working / wrong.file).read_text() for wrong in WRONG}
    for wrong in WRONG:
        ground.telling.say()
        ground.telling.say(f"{wrong.name}:")
        ground.change(wrong.file, wrong.old, wrong.new)
        if "hangs" in wrong.name:
            ground.change("signalbox.toml", "minutes = 5", "minutes = 0.05")
        began = time.monotonic()
        view = ground.ended(ground.push(place.commit(ground.at.working, wrong.name))["release"])
        _claimed(ground, wrong, view, time.monotonic() - began)
        for file, text in clean.items():
            (ground.at.working / file).write_text(text)
    left = stores.working_in(ground.state / "jobs")
    ground.telling.claim("no process of theirs is left", not left, left or "none")
    _nowhere(ground)


def _claimed(ground: Ground, wrong: Wrong, view: View, seconds: float) -> None:
    ended = next((step["step"] for step in view["steps"] if step["state"] == "failed"), "nowhere")
    told = f"{view['reason']}"
    ground.telling.say(f"reason  {told}")
    ground.telling.say(f"advice  {view['advice']}")
    missing = [word for word in wrong.says if word not in told]
    holds = view["state"] == "failed" and ended == wrong.step and not missing and bool(view["advice"])
    where = f"{view['state']} at {ended} after {seconds:.1f} s" + (f", without {missing}" if missing else "")
    ground.telling.claim(f"it ends at {wrong.step} with its reason and what to do", holds, where)
    if wrong.step != "check":
        log = ground.reach.text(release_path(view["release"], "/log"), step=wrong.step).strip().splitlines()
        ground.telling.claim("its log is kept", bool(log), f"{len(log)} lines")


def _nowhere(ground: Ground) -> None:
    """Announce a commit that the repository does not have: a signature alone brings nothing into the line."""
    body, headers = webhook.signed(ground.running, webhook.push(ground, "a" * 40))
    with httpx.Client(timeout=60, trust_env=False) as client:
        client.post(f"{ground.running.host_url}/api/push", content=body, headers=headers)
    view = ground.ended(ground.opened("a" * 40)["release"])
    ground.telling.say()
    holds = view["state"] == "stale" and state_of(view, "check") == "stopped"
    ground.telling.claim("a signed push of a commit that is nowhere", holds, f"{view['state']}: {view['reason']}")
