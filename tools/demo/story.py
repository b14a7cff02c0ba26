"""The story the demo tells, one chapter a method; every chapter is something a user could do."""

import re
import shlex
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
from rich.console import Console

from tools.cli import mail, rows
from tools.cli.reach import Reach, command, find_state, release_path
from tools.demo import answer, place, predict
from tools.demo.azure import Azure
from tools.demo.place import Place, Trouble
from tools.demo.watch import View, Watch

# How work is handed over matters to who looks for a lost message, not in a summary.
_BETWEEN = {"StepOrdered", "StepStarted", "Submitted", "Heard"}


class Story:
    """One run of the demo on a stack that is up."""

    def __init__(
        self, at: Place, stack: Reach, topic_key: str, console: Console, alone: bool, azure: Azure | None = None
    ) -> None:
        self.at = at
        self.stack = stack
        self.topic_key = topic_key
        self.console = console
        self.alone = alone
        self.azure = azure

    def say(self, line: str = "") -> None:
        """Print one line as it is."""
        self.console.print(line, soft_wrap=True, markup=False)

    def command(self, line: str) -> str:
        """Return a command as it can be pasted here: the state folder is named unless it is found anyway."""
        found = find_state(None).resolve() == self.at.state.resolve()
        return f"{command()} {line}" if found else f"{command()} {line} --state {shlex.quote(str(self.at.state))}"

    def bring_data(self, only: Sequence[Path] | None = None) -> None:
        """Upload the data, or only these files of it, and wait until the app was told of every file."""
        files = self.at.files if only is None else only
        for file in files:
            self.put(file)
        until = time.monotonic() + 60
        while (missing := {*map(self.subject, files)} - self.heard()) and time.monotonic() < until:
            time.sleep(0.1)
        if missing:
            raise Trouble(
                f"The app was not told of {len(missing)} of {len(files)} files within 60 s: {command()} doctor"
            )

    def put(self, file: Path) -> None:
        """Upload one file, as any blob client would."""
        self.stack.put(self.at.project, file.relative_to(self.at.upload).as_posix(), file)

    def subject(self, file: Path) -> str:
        """Return what BlobCreated calls a file of the upload."""
        name = file.relative_to(self.at.upload).as_posix()
        return f"/blobServices/default/containers/{self.at.project}/blobs/{name}"

    def heard(self) -> set[str]:
        """Return the subjects of which the app has been told."""
        url, headers = f"{self.stack.grid_url}/topics/signalbox/deliveries", {"aeg-sas-key": self.topic_key}
        with httpx.Client(timeout=10, trust_env=False) as client:
            return {one["subject"] for one in client.get(url, headers=headers).json() if one["state"] == "delivered"}

    def release(self, commit: str, message: str) -> View:
        """Push a commit and return the release it opened."""
        said = place.push(self.at.working)
        self.say(f'\n  pushed   {commit[:7]}  "{message}"            {said}\n')
        return self.watch().opened(self.at.project, lambda view: view["commit"] == commit, f"the commit {commit[:7]}")

    def arrival(self, file: Path) -> View:
        """Upload one more file and return the release it opened; nobody pushes anything."""
        known = {view["release"] for view in self.stack.get("releases", project=self.at.project)["releases"]}
        self.put(file)
        opened = self.watch().opened(self.at.project, lambda view: view["release"] not in known, file.name)
        size, told = predict.rows_in(file), f"BlobCreated -> release {opened['alias']} #{opened['number']}"
        self.say(f"\n  arrived  {file.name}  {'' if size is None else f'{size:,} rows'}            {told}\n")
        return opened

    def watch(self) -> Watch:
        """Return what shows one release."""
        return Watch(self.stack, self.console)

    def through(self, opened: View) -> View:
        """Follow a release to its end, with its approval on the way."""
        watch, release = self.watch(), opened["release"]
        view = watch.follow(release, until=lambda view: asks(view) and bool(mail.questions(self.at.state, release)))
        if asks(view):
            self.decide(view)
            view = watch.follow(release, until=lambda view: False)
        return view

    def to_production(self, opened: View) -> View:
        """Follow the first release to production."""
        view = self.through(opened)
        if view["state"] != "live":
            self.watch().explain(view)
            raise Trouble(f"The first push did not reach production: it ended as {view['state']}.")
        return view

    def decide(self, view: View) -> None:
        """Show every way to answer; without a person, answer as the approver."""
        asked = answer.mailed(self.at.state, view["release"])
        self.say(f"\n{answer.ways(asked, view, self.command)}\n")
        if self.alone:
            self.say(f"  {answer.approve(asked, view, 'YES=1: the demo answers for the approver')}\n")
        else:
            self.say(f"  Waiting for {asked.to}: open the link, or paste one of the lines above in another terminal.\n")

    def not_better(self) -> View:
        """Push a change that does not make the model better; return the release as it ended."""
        message = worse(self.at)
        opened = self.release(place.commit(self.at.working, message), message)
        watch = self.watch()
        view = watch.follow(opened["release"], until=asks)
        if view["state"] != "kept":
            watch.explain(view)
            raise Trouble(f"The second push should have been kept back as not better; it is {view['state']}.")
        self.say(f"\n  {view['advice']}")
        return view

    def prediction(self, view: View) -> str:
        """Return what the live model says about one row of the data, beside the truth."""
        return predict.prediction(self.at, view["address"], self.azure.key(self.at.project) if self.azure else "")

    def back(self, bad: View, good: View) -> None:
        """Roll production back to an older release, and wait until the stable address answers from it."""
        reason = "the demo shows the way back"
        asked = {"action": "rollback", "reason": reason, "by": place.APPROVER}
        self.stack.post(f"environments/{self.at.project}/production", asked)
        self.say(f"\n  rolled back  {self.at.project} v{bad['version']} -> v{good['version']}: {reason}")
        until = time.monotonic() + 120
        while not (live := self.live())["seen"] or live["release"] != good["release"]:
            if time.monotonic() > until:
                raise Trouble(f"The stable address did not answer from {good['alias']} within 120 s: {live}")
            time.sleep(0.2)
        self.say(f"  live     {good['alias']} v{good['version']}, generation {live['generation']}; held until lifted\n")
        self.say(self.prediction(live))

    def live(self) -> View:
        """Return what is live in production now."""
        every = self.stack.get(f"environments/{self.at.project}")["environments"]
        return next(each["live"] for each in every if each["environment"] == "production")

    def closing(self, view: View) -> None:
        """Show what a release left: its timeline, its digests, and where it answers."""
        whole = self.command(f"show {view['alias']} --timeline")
        self.say(f"\nHow {view['alias']} got there, in outcomes (every fact: {whole}):\n")
        for one in self.stack.get(release_path(view["release"], "/timeline"))["timeline"]:
            if one["fact"] not in _BETWEEN:
                self.say(rows.moment(one))
        self.say()
        for name, digest in view["digests"].items():
            self.say(f"  {name:<9} {digest}")
        self.say(f"  {'live at':<9} {view['address']}")


def asks(view: View) -> bool:
    """Say whether a release waits for people."""
    return bool(view["standing"] == "ask")


def worse(at: Place) -> str:
    """Change the working copy so that the model does not get better, and return the commit's message."""
    script = at.working / at.settings.get("train", {}).get("script", "train.py")
    text = script.read_text("utf-8", "surrogateescape")
    if found := re.search(r"^ALPHA = .*$", text, re.M):
        script.write_text(text.replace(found[0], "ALPHA = 3.0"), "utf-8", "surrogateescape")
        return "Ridge, alpha 3.0"
    with (at.working / "README.md").open("a") as readme:
        readme.write("\n<!-- Nothing that trains has changed. -->\n")
    return "Say in the README that nothing changed"
