"""An endpoint as a release, or somebody else, has left it."""

from dataclasses import replace

from deployment.outcomes import Outcome
from deployment.phases import Phase
from deployment.platform import Deployment, Endpoint, Traffic
from deployment.record import Record, utc_now
from deployment.settings import Afterwards, SoakSettings
from tests.lib.release_fakes import make_record
from tests.unit.deployment.scene import (
    BLUE_LIVE,
    a_deployment,
    an_endpoint,
    with_record,
)

BOTH = (a_deployment("blue", release_id="r-1"), a_deployment("green", release_id="r-2"))
SCALING = SoakSettings(afterwards=Afterwards.SCALE, instances=1)


def refused() -> Record:
    return make_record(Phase.OBSERVED).ended(Phase.REFUSED, Outcome.REFUSED_BY_GATE, utc_now())


def on_endpoint(
    record: Record | None, *deployments: Deployment, traffic: Traffic | None = None, mirror: Traffic | None = None
) -> Endpoint:
    """Return an endpoint with what the record left on it, or what somebody has made of that since."""
    endpoint = an_endpoint(traffic or BLUE_LIVE, *(deployments or BOTH))
    found = with_record(endpoint, record) if record else endpoint
    changed = replace(found, traffic=traffic) if traffic is not None else found
    return replace(changed, mirror_traffic=mirror) if mirror else changed
