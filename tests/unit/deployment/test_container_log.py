import json

import pytest

from deployment.container_log import reason_of_end

pytestmark = pytest.mark.unit


def line(level: str, message: str) -> str:
    return json.dumps({"level": level, "message": message})


def test_the_last_critical_line_is_the_reason() -> None:
    log = [line("critical", "first"), line("critical", "model: changed"), line("error", "init failed"), "plain text"]
    assert reason_of_end("\n".join(log)) == "model: changed"


@pytest.mark.parametrize("log", ["", "plain text\n{", line("error", "no reason"), "[]\n1\nnull"])
def test_a_log_without_such_a_line_has_no_reason(log: str) -> None:
    assert reason_of_end(log) is None


def test_a_long_reason_is_cut() -> None:
    assert len(reason_of_end(line("critical", "x" * 1000)) or "") == 400
