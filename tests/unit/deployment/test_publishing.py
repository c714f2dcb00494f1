"""An image in a registry: what is pushed, what is not, and what is refused; a real registry is in tests/container."""

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deployment import publishing
from deployment.image import ImageError
from deployment.outcomes import BadInputError
from deployment.publishing import Tagged, later_revision, publish, tag_of

pytestmark = pytest.mark.unit

OURS, OTHER = "sha256:" + "0a" * 32, "sha256:" + "0b" * 32
IMAGE = f"diabetes-byoc@{OURS}"
NAME = "mine.azurecr.io/diabetes-byoc"


def digest_of(image_id: str) -> str:
    return image_id.replace("0", "d")


@dataclass
class Shelf:
    """An engine and its registry: the ids that each has by reference, what was pushed, and what a pull says."""

    images: dict[str, str] = field(default_factory=lambda: {IMAGE: OURS})
    pushed_there: dict[str, str] = field(default_factory=dict)
    pushes: list[str] = field(default_factory=list)
    refusal: str = ""
    swapped: bool = False  # somebody else pushes to the same tag, a moment later

    def docker(self, *arguments: str, timeout_s: float = 0) -> str:
        del timeout_s
        match arguments:
            case ("tag", image_id, reference):
                self.images[reference] = image_id
            case ("push", reference):
                self.pushes.append(reference.rpartition(":")[2])
                self.pushed_there[reference] = OTHER if self.swapped else self.images[reference]
            case ("image", "inspect", *_, reference):
                return self.images[reference]
            case ("load", "--input", _):
                self.images[IMAGE] = OURS
            case _:
                raise AssertionError(arguments)
        return ""

    def pull(self, reference: str) -> str:
        if self.refusal:
            raise ImageError(self.refusal)
        if reference not in self.pushed_there:
            raise ImageError(f"docker pull {reference}: exit code 1: manifest for {reference} not found")
        self.images[reference] = self.pushed_there[reference]
        return digest_of(self.images[reference])


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    made = Shelf()
    monkeypatch.setattr(publishing, "docker", made.docker)
    monkeypatch.setattr(publishing, "pull_image", made.pull)
    monkeypatch.setattr(publishing, "find_image", made.images.get)
    return made


def published(tar: Path | None = None, said: list[str] | None = None) -> publishing.Published:
    lines = said if said is not None else []
    return publish(IMAGE, tar=tar, registry="mine.azurecr.io", tags=["c0ffee", "main"], said=lines.append)


def test_an_image_is_pushed_under_both_tags_and_named_by_the_registrys_digest(shelf: Shelf) -> None:
    done = published()
    assert (done.image, done.pushed) == (f"{NAME}@{digest_of(OURS)}", True)
    assert shelf.pushes == ["c0ffee", "main"]


def test_one_that_is_there_is_not_pushed_again_and_that_is_said(shelf: Shelf) -> None:
    published()
    said: list[str] = []
    done = published(said=said)
    assert (done.image, done.pushed) == (f"{NAME}@{digest_of(OURS)}", False)
    assert shelf.pushes == ["c0ffee", "main"]
    assert said == [f"{NAME}: c0ffee and main are this image already; nothing is pushed"]


@pytest.mark.parametrize("there", [{}, {f"{NAME}:main": OTHER}])
def test_a_tag_that_is_missing_or_of_another_image_is_set(shelf: Shelf, there: dict[str, str]) -> None:
    shelf.pushed_there |= {f"{NAME}:c0ffee": OURS, **there}
    assert published().pushed
    assert shelf.pushed_there[f"{NAME}:main"] == OURS


def test_an_image_that_the_engine_lacks_is_loaded(shelf: Shelf, tmp_path: Path) -> None:
    shelf.images.clear()
    (tmp_path / "image.tar").touch()
    assert published(tmp_path / "image.tar").digest == digest_of(OURS)


def test_an_image_that_is_nowhere_is_refused(shelf: Shelf, tmp_path: Path) -> None:
    shelf.images.clear()
    with pytest.raises(BadInputError, match="no --tar was given"):
        published()
    with pytest.raises(BadInputError, match=r"image\.tar: there is no such file"):
        published(tmp_path / "image.tar")


def test_a_tar_of_another_image_is_refused(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.images.clear()
    monkeypatch.setattr(publishing, "docker", lambda *_, **__: "")
    (tmp_path / "image.tar").touch()
    with pytest.raises(BadInputError, match=r"image\.tar is not of it"):
        published(tmp_path / "image.tar")


def test_a_registry_that_wants_a_login_is_told_with_how_to_log_in(shelf: Shelf) -> None:
    shelf.refusal = "docker pull: exit code 1: unauthorized: authentication required"
    with pytest.raises(ImageError, match=r"unauthorized(.|\n)*python -m deployment login"):
        published()
    assert shelf.pushes == []


def test_what_the_registry_has_afterwards_must_be_the_image_that_was_tested(shelf: Shelf) -> None:
    shelf.swapped = True
    with pytest.raises(ImageError, match=f"{NAME}:c0ffee is image {OTHER}, not {OURS}"):
        published()


@pytest.mark.parametrize(
    ("branch", "tag"),
    [("main", "main"), ("feature/Faster #2", "feature-Faster-2"), (".hidden", "hidden"), ("x" * 200, "x" * 128)],
)
def test_a_branch_becomes_a_tag(branch: str, tag: str) -> None:
    assert tag_of(branch) == tag


def test_a_branch_of_which_nothing_can_stand_in_a_tag_is_refused() -> None:
    with pytest.raises(BadInputError, match="--also-tag '///'"):
        tag_of("///")


@pytest.fixture
def commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Three commits, one after the other, of the repository that the test is in."""
    monkeypatch.chdir(tmp_path)
    git = ["git", "-c", "user.name=tests", "-c", "user.email=tests@example.org"]
    subprocess.run([*git, "init", "--quiet"], check=True)
    made = []
    for name in ("first", "second", "third"):
        subprocess.run([*git, "commit", "--quiet", "--allow-empty", "--message", name], check=True)
        head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
        made.append(head.stdout.strip())
    return made


@pytest.mark.parametrize(
    ("there", "told"), [("third", "third"), ("second", ""), ("first", ""), ("unknown", ""), ("", "")]
)
def test_a_tag_is_of_a_later_commit_only_where_the_history_says_so(
    there: str, told: str, commits: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = dict(zip(("first", "second", "third"), commits, strict=True))
    revision = known.get(there, there)
    monkeypatch.setattr(publishing, "look_up", lambda _: Tagged(digest_of(OURS), OURS) if revision else None)
    monkeypatch.setattr(publishing, "revision_of", lambda _: revision)
    assert later_revision(NAME, "main", known["second"]) == known.get(told, "")
