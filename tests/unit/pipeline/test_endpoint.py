"""The endpoint of an environment, by its name."""

from pathlib import Path

import pytest

from deployment.endpoint_name import endpoint_name
from pipeline.endpoint import endpoint_of, read_name
from pipeline.errors import PipelineError
from tests.lib.github_step import Step

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("line", ["name: my-endpoint", 'name: "my-endpoint"', "name:  'my-endpoint'  # unique"])
def test_the_endpoint_is_named_by_its_file(line: str, tmp_path: Path) -> None:
    path = tmp_path / "endpoint.yml"
    path.write_text(f"$schema: x\n# name: other\n{line}\nauth_mode: key\n", encoding="utf-8")
    assert read_name(path) == "my-endpoint"


def test_a_file_that_cannot_be_read_or_names_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"endpoint.yml cannot be read .*repository's root"):
        read_name(tmp_path / "endpoint.yml")
    (tmp_path / "endpoint.yml").write_text("auth_mode: key\n", encoding="utf-8")
    with pytest.raises(PipelineError, match=r"has no line `name: <endpoint>`"):
        read_name(tmp_path / "endpoint.yml")


def test_staging_is_another_endpoint_than_production(step: Step) -> None:
    del step  # it stands at the repository's root
    assert endpoint_of("production") == read_name(Path("deployment/endpoint.yml"))
    assert endpoint_of("staging") == f"{endpoint_of('production')}-staging"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "diabetes"),
        ({"AZUREML_ENDPOINT_NAME": ""}, "diabetes"),
        ({"AZUREML_ENDPOINT_NAME": " "}, "diabetes"),
        ({"AZUREML_ENDPOINT_NAME": "diabetes-staging"}, "diabetes-staging"),
    ],
)
def test_the_variable_goes_before_the_file_where_it_is_set(environ: dict[str, str], expected: str) -> None:
    assert endpoint_name("diabetes", environ) == expected
