"""The body of an autoscale setting, checked as Azure's reference of autoscaleSettings describes it."""

import json
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from deployment.emulator.autoscale import AutoscaleSetting
from deployment.emulator.wire import Body, parse, strings

DAY = timedelta(days=1)
Count = Annotated[int, Field(ge=0)]


class _Trigger(Body):
    metric_name: str
    metric_resource_uri: str
    time_grain: Annotated[timedelta, Field(ge=timedelta(minutes=1), le=DAY / 2)]
    statistic: Literal["Average", "Min", "Max", "Sum", "Count"]
    time_window: Annotated[timedelta, Field(ge=timedelta(minutes=5), le=DAY / 2)]
    time_aggregation: Literal["Average", "Minimum", "Maximum", "Total", "Count", "Last"]
    operator: Literal["Equals", "NotEquals", "GreaterThan", "GreaterThanOrEqual", "LessThan", "LessThanOrEqual"]
    threshold: Annotated[float, Field(allow_inf_nan=False)]


class _Action(Body):
    direction: Literal["None", "Increase", "Decrease"]
    type: Literal["ChangeCount", "PercentChangeCount", "ExactCount", "ServiceAllowedNextValue"]
    value: int = 1
    cooldown: Annotated[timedelta, Field(ge=timedelta(minutes=1), le=7 * DAY)]


class _Rule(Body):
    metric_trigger: _Trigger
    scale_action: _Action


class _Capacity(Body):
    minimum: Count
    maximum: Count
    default: Count

    @model_validator(mode="after")
    def is_in_order(self) -> Self:
        if not self.minimum <= self.default <= self.maximum:
            raise ValueError(f"minimum {self.minimum}, default {self.default}, maximum {self.maximum} are not in order")
        return self


class _Profile(Body):
    name: str
    capacity: _Capacity
    rules: Annotated[list[_Rule], Field(max_length=10)]


class _Properties(Body):
    profiles: Annotated[list[_Profile], Field(min_length=1, max_length=20)]
    target_resource_uri: str


class _Setting(Body):
    location: str
    tags: dict[str, str] | None = None
    properties: _Properties


def read_setting(name: str, body: bytes) -> AutoscaleSetting:
    """Read the body of a setting's PUT; raises BadRequestError."""
    wanted = parse(_Setting, body)
    target = wanted.properties.target_resource_uri
    properties = json.loads(body)["properties"]
    return AutoscaleSetting(name, wanted.location, target, strings(wanted.tags), properties)
