from pathlib import Path

import pytest

from deployment.building import Runtime
from deployment.demo import Candidate, make_release
from deployment.display import LiveDisplay, make_console
from deployment.outcomes import BadInputError

pytestmark = pytest.mark.unit


def test_a_model_that_cannot_be_trained_ends_the_demo_with_what_training_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "model"
    package.mkdir()
    (package / "__main__.py").write_text("import sys; sys.exit('error: rows: column age is inf; leave the row out')")
    monkeypatch.chdir(tmp_path)
    with (
        LiveDisplay(make_console()) as display,
        pytest.raises(BadInputError, match=r"^training model 1: rows: column age is inf; leave the row out$"),
    ):
        make_release(display, "1", Candidate.GOOD, Runtime.PROCESSES, tmp_path / "bundles")


def test_the_second_model_of_the_demo_has_seen_more_rows_and_is_the_variant_that_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "model"
    package.mkdir()
    (package / "__main__.py").write_text("import sys; sys.exit(' '.join(sys.argv[1:]))")
    monkeypatch.chdir(tmp_path)
    with LiveDisplay(make_console()) as display:
        for version, rows_share in (("1", "0.8"), ("2", "1")):
            with pytest.raises(BadInputError, match=rf"--variant slow --rows-share {rows_share} --output artifacts"):
                make_release(display, version, Candidate.SLOW, Runtime.PROCESSES, tmp_path / "bundles")
