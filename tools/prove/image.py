"""image: after a release went live, a script that knows nothing of us gets the same answers from its image."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools.demo import place
from tools.prove.ground import Ground
from tools.prove.telling import Telling

SCRIPT = place.HOUSE / "tools" / "verify_image.py"


def prove(root: Path, telling: Telling) -> None:
    """Bring one release live and hold its image against the live address on 20 rows drawn by a seed."""
    ground = Ground(root, "image", telling)
    try:
        ground.up()
        ground.bring_data()
        release = ground.push(place.head(ground.at.working))["release"]
        telling.say(ground.approve(release))
        view = ground.ended(release, "live")
        telling.say(f"live at {view['address']}, image {view['digests']['image']}")
        layout = ground.state / "images" / ground.project
        ran = verify(ground, layout, release, view["address"])
        for line in ran.stdout.splitlines():
            telling.say(line)
        last = ran.stdout.splitlines()[-1] if ran.stdout else ran.stderr[-500:]
        telling.claim(
            "the unpacked image answers like production", not ran.returncode and "20 of 20 equal" in last, last
        )
        _changed(ground, layout, release, view["address"])
    finally:
        ground.down()


def verify(ground: Ground, layout: Path, release: str, url: str) -> subprocess.CompletedProcess[str]:
    """Run the script isolated, in an empty folder, so that nothing of ours can be imported."""
    nowhere = ground.state / "nowhere"
    nowhere.mkdir(exist_ok=True)
    data = str(ground.at.files[0].resolve())
    command = [sys.executable, "-I", str(SCRIPT), str(layout), release, url, data, "--rows", "20", "--seed", "7"]
    return subprocess.run(command, cwd=nowhere, capture_output=True, text=True, check=False, timeout=300)


def _changed(ground: Ground, layout: Path, release: str, url: str) -> None:
    """Change one byte of the model in a copy of the layout: the script must see it, or its yes is worth nothing."""
    copy = ground.state / "changed-layout"
    shutil.copytree(layout, copy, copy_function=os.link)
    smallest = min(
        (path for path in (copy / "blobs" / "sha256").iterdir() if path.read_bytes()[:2] == b"\x1f\x8b"),
        key=lambda path: path.stat().st_size,
    )
    content = bytearray(smallest.read_bytes())
    content[len(content) // 2] ^= 1
    smallest.unlink()
    smallest.write_bytes(content)
    ran = verify(ground, copy, release, url)
    ground.telling.claim("one changed byte in a layer is seen", ran.returncode != 0, ran.stderr.strip()[-200:])
    shutil.rmtree(copy)
