import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.sources.push import same_repository

GITHUB = "https://github.com/heronworks/diabetes.git"
AZURE = "https://dev.azure.com/heronworks/Air%20Traffic/_git/flight-delays"
FOLDER = "file:///srv/git/diabetes.git"


@pytest.mark.parametrize(
    ("address", "configured"),
    [
        (GITHUB, GITHUB),
        ("https://github.com/heronworks/diabetes", GITHUB),
        ("http://github.com/heronworks/diabetes/", GITHUB),
        ("https://GitHub.com:443/HeronWorks/Diabetes.git/", GITHUB),
        ("https://dee:token@github.com/heronworks/diabetes.git", GITHUB),
        ("git://github.com/heronworks/diabetes.git", GITHUB),
        ("git@github.com:heronworks/diabetes.git", GITHUB),
        ("ssh://git@github.com:22/heronworks/diabetes.git", GITHUB),
        ("heronworks/diabetes", GITHUB),
        ("HeronWorks/Diabetes", GITHUB),
        (GITHUB, "git@github.com:heronworks/diabetes.git"),
        ("group/sub/model", "https://git.example.org/group/sub/model.git"),
        ("git.example.org:group/model.git", "https://git.example.org/group/model"),
        ("https://git.example.org:8443/a/b", "ssh://git@git.example.org:8443/a/b.git"),
        ("https://heronworks@dev.azure.com/heronworks/Air%20Traffic/_git/flight-delays", AZURE),
        ("https://dev.azure.com/heronworks/Air Traffic/_git/flight-delays", AZURE),
        ("git@ssh.dev.azure.com:v3/heronworks/Air%20Traffic/flight-delays", AZURE),
        ("https://heronworks.visualstudio.com/DefaultCollection/Air%20Traffic/_git/flight-delays", AZURE),
        ("heronworks@vs-ssh.visualstudio.com:v3/heronworks/Air%20Traffic/flight-delays", AZURE),
        ("https://heronworks.visualstudio.com/_git/model", "https://dev.azure.com/heronworks/model/_git/model"),
        (FOLDER, FOLDER),
        ("file://localhost/srv/git/diabetes.git", FOLDER),
        ("/srv/git/diabetes.git/", FOLDER),
        ("/srv/git/diabetes", FOLDER),
        ("file:///srv/git/diabetes/.git", FOLDER),
    ],
)
def test_two_ways_of_writing_one_repository_are_the_same(address: str, configured: str):
    assert same_repository(address, configured)


@pytest.mark.parametrize(
    ("address", "configured"),
    [
        ("https://github.com/mallory/diabetes.git", GITHUB),
        ("https://github.com/heronworks/diabetes-2.git", GITHUB),
        ("https://github.com/x/heronworks/diabetes", GITHUB),
        ("https://github.com.example.org/heronworks/diabetes", GITHUB),
        ("https://git.example.org/heronworks/diabetes", GITHUB),
        ("https://github.com:8443/heronworks/diabetes", GITHUB),
        ("https://github.com@example.org/heronworks/diabetes", GITHUB),
        ("git@example.org:heronworks/diabetes.git", GITHUB),
        ("diabetes", GITHUB),
        ("github.com/heronworks/diabetes", GITHUB),
        ("flight-delays", AZURE),
        ("https://dev.azure.com/heronworks/Other/_git/flight-delays", AZURE),
        ("https://git.example.org/Group/Model", "https://git.example.org/group/model"),
        ("file:///srv/git/Diabetes.git", FOLDER),
        ("file://elsewhere/srv/git/diabetes.git", FOLDER),
        ("srv/git/diabetes", FOLDER),
        ("file:///srv/git/x/../diabetes.git", FOLDER),
        ("git@ssh.dev.azure.com:v2/heronworks/Air%20Traffic/flight-delays", AZURE),
        ("https://git.example.org/v3/a/b", "https://dev.azure.com/v3/a/b"),
        ("", GITHUB),
        (GITHUB, ""),
        ("", ""),
        ("/", "/"),
        ("https://", "https://"),
        ("https://[::1/x", "https://[::1/x"),
        ("https://github.com:port/a/b", "https://github.com:port/a/b"),
    ],
)
def test_another_repository_or_nonsense_is_never_the_same(address: str, configured: str):
    assert not same_repository(address, configured)


@settings(max_examples=400, deadline=None)
@given(st.text(alphabet="abc:/@.[]%_git~\u00e9 ", max_size=25), st.text(max_size=25))
def test_no_text_breaks_the_comparison_and_between_urls_it_has_no_side(one: str, other: str):
    for left, right in ((one, other), (one, GITHUB), (f"https://{one}", other), (f"file://{one}", AZURE)):
        assert isinstance(same_repository(left, right), bool)
    one, other = f"https://{one}", f"https://{other}"
    assert same_repository(one, other) == same_repository(other, one)
