"""What is made of a container that boots, and of one that does not; real ones are in tests/container/test_boot.py."""

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deployment import booting
from deployment.booting import Container, ended, initialised, probed, scored
from deployment.checks import Standing
from deployment.golden import GoldenRequest, GoldenRequests, ModelArtefacts
from deployment.image import ImageError
from deployment.scoring import Answer

pytestmark = pytest.mark.unit

GOLDEN = GoldenRequests(
    absolute_tolerance=0.1,
    relative_tolerance=0,
    requests=(
        GoldenRequest(id="golden-00", body={"data": [[1]]}, predictions=(1.0,)),
        GoldenRequest(id="golden-01", body={"data": [[2]]}, predictions=(2.0,)),
    ),
)
MODEL = ModelArtefacts(Path("artifacts/model-1"), "diabetes", "1", Path("golden.json"), GOLDEN)
FINISHED = '{"message": "score.init() finished; POST /score is answered on 8003"}\n'


@dataclass(frozen=True)
class Scripted(Container):
    """A container whose logs, end and answers come one after the other."""

    logs: deque[str] = field(default_factory=deque)
    exit_codes: deque[int | None] = field(default_factory=deque)
    answers: deque[Answer] = field(default_factory=deque)

    @property
    def exit_code(self) -> int | None:
        return self.exit_codes.popleft() if len(self.exit_codes) > 1 else self.exit_codes[0]

    def log(self, *, lines: int | None = None) -> str:
        del lines
        return self.logs.popleft() if len(self.logs) > 1 else self.logs[0]

    def ask(self, method: str, path: str, *, timeout_s: float, body: object = None) -> Answer:
        del method, path, timeout_s, body
        return self.answers.popleft()


def answered(status: int, body: object) -> Answer:
    return Answer(status, "", body, "")


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(booting, "LOOK_S", 0.0)


def test_a_container_has_booted_once_init_says_that_it_has_finished() -> None:
    container = Scripted("c", logs=deque(["", "starting\n", FINISHED]), exit_codes=deque([None]))
    assert initialised(container, 60).standing is Standing.OK


def test_one_that_ends_before_has_not_and_its_own_reason_is_told() -> None:
    log = '{"level": "info", "message": "starting"}\n{"level": "critical", "message": "model: no such file"}\n'
    container = Scripted("c", logs=deque([log]), exit_codes=deque([None, 3]))
    finding = initialised(container, 60)
    assert finding.standing is Standing.FAIL
    assert finding.found == "the container ended with exit code 3: model: no such file"


def test_one_that_is_silent_for_too_long_has_not_booted() -> None:
    finding = initialised(Scripted("c", logs=deque(["starting\n"]), exit_codes=deque([None])), 0.0)
    assert finding.standing is Standing.FAIL
    assert finding.found == "not ready within 0 s: no line of its log says 'score.init() finished'"


def test_the_probe_wants_200_and_nothing_else() -> None:
    assert probed(Scripted("c", answers=deque([answered(200, {"pid": 9})]))).standing is Standing.OK
    finding = probed(Scripted("c", answers=deque([answered(503, "loading")])))
    assert (finding.standing, finding.found) == (Standing.FAIL, "status 503 (loading) instead of 200")


def test_every_golden_request_is_asked_and_the_first_wrong_answer_is_shown() -> None:
    right = Scripted("c", answers=deque([answered(200, [1.05]), answered(200, [2.0])]))
    assert scored(right, MODEL).found == "2 of 2 answered right, as model diabetes 1"
    wrong = Scripted("c", answers=deque([answered(200, [1.0]), answered(500, "no")]))
    finding = scored(wrong, MODEL)
    assert finding.standing is Standing.FAIL
    assert finding.found == "1 of 2 answered wrongly: golden-01 got status 500 (no) instead of 200"


@pytest.mark.parametrize(
    ("code", "standing", "told"),
    [(0, Standing.OK, "ended in good order"), (143, Standing.FAIL, "exit code 143 instead of exit code 0")],
)
def test_it_has_to_end_with_0_when_it_is_told_to(
    monkeypatch: pytest.MonkeyPatch, code: int, standing: Standing, told: str
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(booting, "docker", lambda *arguments, **_: asked.append(arguments[0]))
    finding = ended(Scripted("c", exit_codes=deque([code])))
    assert asked == ["stop"]
    assert finding.standing is standing
    assert told in finding.found


def test_a_container_is_removed_though_it_could_not_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def docker(*arguments: str) -> str:
        asked.append(arguments[0])
        if arguments[0] == "start":
            raise ImageError("no such program in it")
        return "c"

    monkeypatch.setattr(booting, "docker", docker)
    with pytest.raises(ImageError), booting.started_container("an image"):
        pass
    assert asked == ["create", "start", "rm"]
