from pathlib import Path

import pytest

from load.run_files import Progress, ProgressReader, Stop, read_stop, write_progress, write_stop

pytestmark = pytest.mark.unit


def progress(ended_s: float, **more: int) -> Progress:
    return Progress(ended_s + 0.5, 65.0, ended_s, 40, 0, **more)


def test_the_first_to_end_a_run_says_why(tmp_path: Path) -> None:
    path = tmp_path / "stop"
    assert read_stop(path) is None
    write_stop(path, Stop(12.5, "live failed"))
    write_stop(path, Stop(20.0))
    assert read_stop(path) == Stop(12.5, "live failed")
    assert [each.name for each in tmp_path.iterdir()] == ["stop"]


def test_progress_is_read_as_it_comes_and_half_a_line_waits_for_its_other_half(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    path.touch()
    reader = ProgressReader(path)
    assert reader.read() == []
    write_progress(path, progress(1.0))
    write_progress(path, progress(2.0, live_ended=3, live_errors=1))
    assert reader.read() == [progress(1.0), progress(2.0, live_ended=3, live_errors=1)]
    write_progress(tmp_path / "other", progress(3.0))
    line = (tmp_path / "other").read_text()
    for piece in (line[:20], line[20:-1], line[-1:]):
        assert reader.read() == []
        with path.open("a") as file:
            file.write(piece)
    assert reader.read() == [progress(3.0)]
    reader.close()
