"""What the workflows use of others: which version, which inputs and outputs, and what stands in for it here."""

import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # it ships no type information

from tests.lib.act import ACTIONS as STAND_INS
from tests.lib.act import PINS
from tests.workflows.files import FOLDER, USES, files, jobs, steps

pytestmark = pytest.mark.workflows
Pin = dict[str, Any]
TABLE: dict[str, Pin] = tomllib.loads(PINS.read_text(encoding="utf-8"))
READ = re.compile(r"steps\.(?P<step>[\w-]+)\.outputs\.(?P<output>[\w-]+)")


def used() -> Iterator[tuple[str, str, str, str]]:
    """Answer file, action, commit and version comment of each `uses:` of another's action."""
    for path in files():
        for found in USES.finditer(path.read_text(encoding="utf-8")):
            action, _, commit = found["uses"].partition("@")
            if not action.startswith("./"):
                yield path.name, action, commit, found["version"] or ""


def test_every_action_of_others_is_pinned_to_the_commit_and_version_of_the_table() -> None:
    assert list(used())
    for file, action, commit, version in used():
        assert action in TABLE, f"{file}: {action}"
        assert (commit, version) == (TABLE[action]["sha"], TABLE[action]["version"]), f"{file}: {action}"


def test_the_table_has_no_action_that_nobody_uses() -> None:
    assert {action for _, action, _, _ in used()} == TABLE.keys()


def test_every_input_is_one_that_the_action_has() -> None:
    for name, step in steps():
        uses = str(step.get("uses", ""))
        known = own_inputs(uses) if uses.startswith("./") else inputs_of(uses)
        assert set(step.get("with", {})) <= known, name


def test_every_output_that_is_read_is_one_that_the_step_has() -> None:
    for name, job in jobs():
        by_id = {step["id"]: step for step in job["steps"] if "id" in step}
        for found in READ.finditer(str(job)):
            assert found["step"] in by_id, f"{name}: {found[0]}"
            uses = str(by_id[found["step"]].get("uses", ""))
            if uses:
                assert found["output"] in TABLE[uses.partition("@")[0]]["outputs"], f"{name}: {found[0]}"


@pytest.mark.parametrize("action", [name for name, pin in TABLE.items() if pin.get("stand_in", True)])
def test_a_stand_in_has_no_input_or_output_that_the_action_does_not_have(action: str) -> None:
    stand_in = yaml.safe_load((STAND_INS / action / "action.yml").read_text(encoding="utf-8"))
    pin = TABLE[action]
    assert set(stand_in["inputs"]) <= {*pin["inputs"], *pin["added"]}
    assert set(stand_in.get("outputs", {})) <= set(pin["outputs"])


@pytest.mark.parametrize("action", [name for name, pin in TABLE.items() if pin.get("stand_in", True)])
def test_a_stand_in_takes_every_input_that_the_workflows_give(action: str) -> None:
    stand_in = yaml.safe_load((STAND_INS / action / "action.yml").read_text(encoding="utf-8"))
    given = {
        key for _, step in steps() if str(step.get("uses", "")).startswith(f"{action}@") for key in step.get("with", {})
    }
    assert given <= set(stand_in["inputs"])


def test_every_stand_in_stands_for_an_action_of_the_table() -> None:
    folders = {path.parent.relative_to(STAND_INS).as_posix() for path in STAND_INS.rglob("action.yml")}
    assert folders == {name for name, pin in TABLE.items() if pin.get("stand_in", True)}


def inputs_of(uses: str) -> set[str]:
    pin = TABLE.get(uses.partition("@")[0], {"inputs": [], "added": []})
    return {*pin["inputs"], *pin["added"]}


def own_inputs(uses: str) -> set[str]:
    document = yaml.safe_load((FOLDER.parent / uses / "action.yml").read_text(encoding="utf-8"))
    return set(document.get("inputs", {}))
