"""The sizes of machine that an instance may run on, as Azure's documentation of virtual machine sizes gives them."""

from collections.abc import Mapping
from dataclasses import dataclass

from deployment.emulator.errors import BadRequestError


@dataclass(frozen=True, slots=True)
class Family:
    """A series of sizes, under which Azure counts cores."""

    series: str

    @property
    def name(self) -> str:
        """The name that sizes and quota refer to it by."""
        return f"standard{self.series}Family"

    @property
    def localized_name(self) -> str:
        """What the quota of it is called."""
        return f"Standard {self.series} Family Cluster Dedicated vCPUs"


@dataclass(frozen=True, slots=True)
class Sku:
    """A size of virtual machine."""

    name: str
    family: Family
    cores: int
    memory_gib: float


FAMILIES = _DSV2, _FSV2, _ESV3 = Family("DSv2"), Family("FSv2"), Family("ESv3")
SIZES = (
    Sku("Standard_DS1_v2", _DSV2, 1, 3.5),
    Sku("Standard_DS2_v2", _DSV2, 2, 7),
    Sku("Standard_DS3_v2", _DSV2, 4, 14),
    Sku("Standard_DS4_v2", _DSV2, 8, 28),
    Sku("Standard_DS5_v2", _DSV2, 16, 56),
    Sku("Standard_F2s_v2", _FSV2, 2, 4),
    Sku("Standard_F4s_v2", _FSV2, 4, 8),
    Sku("Standard_F8s_v2", _FSV2, 8, 16),
    Sku("Standard_F16s_v2", _FSV2, 16, 32),
    Sku("Standard_F32s_v2", _FSV2, 32, 64),
    Sku("Standard_F48s_v2", _FSV2, 48, 96),
    Sku("Standard_F64s_v2", _FSV2, 64, 128),
    Sku("Standard_F72s_v2", _FSV2, 72, 144),
    Sku("Standard_E2s_v3", _ESV3, 2, 16),
    Sku("Standard_E4s_v3", _ESV3, 4, 32),
    Sku("Standard_E8s_v3", _ESV3, 8, 64),
    Sku("Standard_E16s_v3", _ESV3, 16, 128),
    Sku("Standard_E32s_v3", _ESV3, 32, 256),
    Sku("Standard_E48s_v3", _ESV3, 48, 384),
    Sku("Standard_E64s_v3", _ESV3, 64, 432),
)
SKUS: Mapping[str, Sku] = {sku.name.lower(): sku for sku in SIZES}


def sku_named(instance_type: str) -> Sku:
    """Answer the SKU of that name, in any case, or raise BadRequestError."""
    sku = SKUS.get(instance_type.lower())
    if sku is None:
        known = ", ".join(each.name for each in SIZES)
        raise BadRequestError(
            f"VmSize: instance type '{instance_type}' is not supported; use one of {known}",
            code="InferencingClientCreateDeploymentFailed",
        )
    return sku
