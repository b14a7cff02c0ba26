"""Environments and compute: looked up, made once, and what people read when they cannot be had."""

from pathlib import Path

import msgspec
import pytest

from shared.backends.azure import compute
from shared.backends.azure.environments import Environments, Recipe, described, recipe
from shared.backends.azure.workspace import Azure
from shared.errors import Blocked, StepFailed, Unavailable
from tests.azure.stand_in import StandIn

REGISTER = "PUT /environment/v1.0{ws}/environments/{name}"
LOOK = "GET /environment/v1.0{ws}/environments/{name}"
MAKE = "PUT {ws}/computes/{name}"
RECIPE = Recipe("flights", "mcr.microsoft.com/base:1", ("pandas==2.2.3", "numpy>=1.26"))


def test_an_environment_is_registered_once_and_again_only_when_it_changed(double: StandIn, azure: Azure) -> None:
    first, other = Environments(azure), Environments(azure)

    made = azure.now("one", lambda _: first.ensure(RECIPE))
    azure.now("one", lambda _: first.ensure(RECIPE))
    azure.now("one", lambda _: other.ensure(RECIPE))
    assert len(double.requests(REGISTER)) == 1
    assert len(double.requests(LOOK)) == 2

    changed = msgspec.structs.replace(RECIPE, image="mcr.microsoft.com/base:2")
    again = azure.now("one", lambda _: other.ensure(changed))

    assert (made.name, made.version) == (RECIPE.name, "1")
    assert again.name != made.name
    assert len(double.requests(REGISTER)) == 2


def test_what_is_registered_is_what_was_asked_for_and_nothing_else(double: StandIn, azure: Azure) -> None:
    azure.now("one", lambda _: Environments(azure).ensure(RECIPE))

    body = msgspec.json.decode(double.requests(REGISTER)[0]["body"])
    assert body["python"]["condaDependencies"] == {
        "name": "signalbox",
        "channels": ["conda-forge"],
        "dependencies": ["python=3.11", "pip", {"pip": ["pandas==2.2.3", "numpy>=1.26"]}],
    }
    assert body["Docker"]["baseImage"] == RECIPE.image if "Docker" in body else body["docker"]["baseImage"]
    assert body["EnvironmentVariables"] == {}


def test_a_lost_answer_registers_no_second_version(double: StandIn, azure: Azure) -> None:
    double.fault("PUT /environment/*", "lost", times=1)
    with pytest.raises(Unavailable):
        azure.now("one", lambda _: Environments(azure).ensure(RECIPE))

    made = azure.now("one", lambda _: Environments(azure).ensure(RECIPE))

    assert made.version == "1"
    assert len(double.requests(REGISTER)) == 1


def test_an_environment_that_may_not_be_seen_is_not_taken_for_absent(double: StandIn, azure: Azure) -> None:
    double.fault("GET /environment/*", "forbidden")

    with pytest.raises(Blocked, match="AuthorizationFailed"):
        azure.now("one", lambda _: Environments(azure).ensure(RECIPE))

    assert double.requests(REGISTER) == []


def test_a_recipe_holds_the_packages_of_the_project_and_ours_and_its_name_their_digest(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("# what training needs\nscikit-learn==1.7.1 \\\n  --hash=sha256:00ff\n")

    made = recipe("flights", tmp_path, "requirements.txt", "", "base", ["numpy>=1.26  # ours\n"])

    assert made.packages == ("scikit-learn==1.7.1", "numpy>=1.26")
    assert made.name == f"signalbox-flights-{made.digest[:12]}"
    assert made.digest != msgspec.structs.replace(made, packages=("numpy>=1.26", "scikit-learn==1.7.1")).digest


@pytest.mark.parametrize(
    "line", ["-r other.txt", "--extra-index-url https://pypi.example", "x @ https://x.example/x.whl"]
)
def test_requirements_that_are_more_than_packages_are_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "requirements.txt").write_text(f"numpy\n{line}\n")

    with pytest.raises(StepFailed, match="line 2"):
        recipe("flights", tmp_path, "requirements.txt", "", "base", [])


def test_a_conda_file_keeps_its_pins_beside_what_we_need(tmp_path: Path) -> None:
    text = "name: x\nchannels: [defaults]\ndependencies:\n- python=3.12\n- pip:\n  - numpy==1.26.4\n"
    (tmp_path / "conda.yml").write_text(text)

    made = described(recipe("flights", tmp_path, "requirements.txt", "conda.yml", "base", ["numpy>=1.26"]))

    assert made.python.conda_dependencies.as_dict()["dependencies"] == [
        "python=3.12",
        "pip",
        {"pip": ["numpy==1.26.4", "numpy>=1.26"]},
    ]


@pytest.mark.parametrize(
    ("path", "words"), [("../conda.yml", "not a path within"), ("none.yml", "there is no file none")]
)
def test_a_conda_file_that_is_not_in_the_project_is_named(tmp_path: Path, path: str, words: str) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "conda.yml").write_text("dependencies: [python=3.12]\n")

    with pytest.raises(StepFailed, match=words):
        recipe("flights", tmp_path / "code", "", path, "base", [])


def test_a_conda_file_that_cannot_be_read_says_what_is_wrong(azure: Azure) -> None:
    broken = msgspec.structs.replace(RECIPE, conda="packages: [numpy]\n")

    with pytest.raises(StepFailed, match="unknown packages key"):
        azure.now("one", lambda _: Environments(azure).ensure(broken))


def test_the_cluster_of_the_operator_is_made_when_there_is_none(double: StandIn, azure: Azure) -> None:
    assert compute.ensure(azure) == "signalbox-cpu"
    assert compute.ensure(azure) == "signalbox-cpu"

    [asked] = double.requests(MAKE)
    properties = msgspec.json.decode(asked["body"])["properties"]["properties"]
    assert properties["vmSize"] == azure.scope.vm_size
    assert properties["scaleSettings"] == {
        "minNodeCount": 0,
        "maxNodeCount": 4,
        "nodeIdleTimeBeforeScaleDown": "PT900S",
    }


def test_a_cluster_that_another_first_release_asked_for_meanwhile_is_waited_for(double: StandIn, azure: Azure) -> None:
    double.fault("PUT */computes/signalbox-cpu", "409", times=1, words="The cluster is in use by another operation.")

    with pytest.raises(Unavailable, match="the cluster signalbox-cpu is being made"):
        azure.now("a cluster", lambda _: compute.ensure(azure))


def test_a_cluster_in_the_making_is_looked_at_again_and_never_waited_for(double: StandIn, azure: Azure) -> None:
    double.plan("compute", looks=3)

    with pytest.raises(Unavailable, match=r"being made \(Creating\)"):
        compute.ensure(azure)
    asked = len(double.requests())

    assert compute.ensure(azure) == "signalbox-cpu"
    assert len(double.requests()) - asked == 1
    assert len(double.requests(MAKE)) == 1


def test_a_cluster_over_quota_ends_in_the_words_of_azure_and_what_to_do(double: StandIn, azure: Azure) -> None:
    double.plan("compute", state="Failed", times=1)

    with pytest.raises(StepFailed, match="ClusterCoreQuotaReached: The specified subscription has a total") as raised:
        compute.ensure(azure)

    assert "Usage + quotas" in raised.value.advice
    assert "az ml compute delete --name signalbox-cpu" in raised.value.advice


def test_a_refused_cluster_is_told_at_once(double: StandIn, azure: Azure) -> None:
    double.fault("PUT */computes/*", "quota")

    with pytest.raises(StepFailed, match="QuotaExceeded") as raised:
        compute.ensure(azure)

    assert "Usage + quotas" in raised.value.advice


def test_a_compute_target_that_a_project_names_is_never_made(double: StandIn, azure: Azure) -> None:
    with pytest.raises(StepFailed, match="no compute target gpu in workspace signalbox-ml") as raised:
        compute.ensure(azure, "gpu")

    assert "[train] compute" in raised.value.advice
    assert double.requests(MAKE) == []


def test_a_deleted_cluster_is_made_anew(double: StandIn, azure: Azure) -> None:
    compute.ensure(azure)
    double.ask("DELETE", "/computes/signalbox-cpu")

    assert compute.find(azure, "signalbox-cpu") is None
    assert compute.ensure(azure) == "signalbox-cpu"
    assert len(double.requests(MAKE)) == 2


def test_a_compute_target_that_may_not_be_seen_is_not_taken_for_absent(double: StandIn, azure: Azure) -> None:
    double.fault("GET */computes/*", "forbidden")

    with pytest.raises(Blocked, match="AuthorizationFailed"):
        compute.ensure(azure)

    assert double.requests(MAKE) == []
