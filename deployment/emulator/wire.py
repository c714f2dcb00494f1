"""What the control plane is sent: bodies, checked; the names and values that several of them share."""

import re
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from deployment.emulator.errors import BadRequestError

ASSET_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}")


class Body(BaseModel):
    """A body, or a part of one, with ARM's names; what it does not name is ignored."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True, coerce_numbers_to_str=True)


WHOLE_NUMBER = re.compile(r"[0-9]{1,18}")

BodyT = TypeVar("BodyT", bound=Body)


def parse(model: type[BodyT], body: bytes) -> BodyT:
    """Read a body, or raise BadRequestError saying what is wrong with each field."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise BadRequestError(faults_of(error), code="InvalidRequestContent") from error


def faults_of(error: ValidationError) -> str:
    """Answer what is wrong with each field."""
    faults = [f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors()]
    return "; ".join(faults)


def check_asset_name(kind: str, *names: str) -> None:
    """Raise BadRequestError unless each is 1 to 255 letters, digits, dashes, dots and underscores."""
    for name in names:
        if ASSET_NAME.fullmatch(name) is None:
            raise BadRequestError(
                f"{kind} '{name}': the name or version is not allowed ({len(name)} characters vs 1 to 255);"
                " use letters, digits, '-', '.' and '_', and start with a letter, a digit or '_'"
            )


def whole_number(text: str) -> int | None:
    """Read a number of at most 18 digits; None of anything else."""
    return int(text) if WHOLE_NUMBER.fullmatch(text) else None


def strings(values: dict[str, Any] | None) -> dict[str, str]:
    """Answer a map without the entries that are null."""
    return {name: value for name, value in (values or {}).items() if value is not None}
