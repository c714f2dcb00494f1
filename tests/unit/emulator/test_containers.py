import pytest

from deployment.emulator.containers import registry_of

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("image", "registry"),
    [
        ("tiny:1", None),
        ("library/tiny@sha256:0", None),
        ("acr.azurecr.io/tiny:1", "acr.azurecr.io"),
        ("localhost/tiny", "localhost"),
        ("127.0.0.1:5000/a/b@sha256:0", "127.0.0.1:5000"),
    ],
)
def test_the_registry_is_read_from_the_name_as_the_engine_does(image: str, registry: str | None) -> None:
    assert registry_of(image) == registry
