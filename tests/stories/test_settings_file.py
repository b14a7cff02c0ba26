"""signalbox.toml as editors leave it."""

import io
import tarfile

import pytest

from shared.errors import StepFailed
from shared.steps import check
from tests.world import FILES, SETTINGS


def snapshot(settings: bytes) -> bytes:
    packed = io.BytesIO()
    files = {name: text.encode() for name, text in FILES.items()} | {"signalbox.toml": settings}
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def test_the_mark_that_some_editors_put_before_a_text_is_no_part_of_it() -> None:
    marked = check.settings_in(snapshot(b"\xef\xbb\xbf" + SETTINGS.encode()))
    assert marked == check.settings_in(snapshot(SETTINGS.replace("\n", "\r\n").encode()))


def test_settings_in_another_encoding_are_named_with_what_to_do() -> None:
    with pytest.raises(StepFailed) as caught:
        check.settings_in(snapshot(SETTINGS.encode("utf-16")))
    assert caught.value.reason == "signalbox.toml is not UTF-8 text"
    assert caught.value.advice == "Save it as UTF-8 and push again"


@pytest.mark.parametrize("key", ["train.script", "train.requirements", "score.script", "data.schema"])
def test_a_script_that_is_not_at_the_commit_is_named_with_the_key_that_names_it(key: str) -> None:
    table, _, name = key.partition(".")
    given, named = {"data": 'target = "price"\n', "evaluate": 'metric = "rmse"\n', "train": "", "score": ""}, "gone.py"
    given[table] += f'{name} = "{named}:schema"\n' if key == "data.schema" else f'{name} = "{named}"\n'
    with pytest.raises(StepFailed, match="no such file at this commit") as caught:
        check.settings_in(snapshot("".join(f"[{name}]\n{text}" for name, text in given.items()).encode()))
    assert caught.value.reason.startswith(f'signalbox.toml: {key} = "{named}"')


def test_a_script_may_be_named_from_the_folder_it_stands_in() -> None:
    named = check.settings_in(snapshot(f'{SETTINGS}[train]\nscript = "./train.py"\n'.encode()))
    assert named.train.script.endswith("train.py")
