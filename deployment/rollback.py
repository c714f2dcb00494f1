"""The way back: one idempotent call without a gate, never towards a deployment that cannot take the traffic."""

from dataclasses import dataclass
from time import monotonic

from deployment.candidate import look_until
from deployment.hold import Hold
from deployment.outcomes import ConflictError
from deployment.patience import PatientPlatform
from deployment.phases import Phase
from deployment.platform import Endpoint, Platform, Routing, require
from deployment.scoring import Answer, Ask
from deployment.split import SplitCheck, probe, wait_until_routed

PROBES = 40
# A deployment that answers within this time can take the traffic; one refusal may be a full queue's.
HEALTHY_WITHIN_S = 3.0
# No answer, a time-out, a full queue: that may be this machine's network, or the load.
MAYBE_NOT_ITS_FAULT = frozenset({0, 408, 429})
UNREACHED_WITHIN_S = 60.0


class NoSafeWayError(Exception):
    """Nobody is known to be able to take the traffic; whoever serves must go on serving."""


@dataclass(frozen=True)
class WayBack:
    """How to go back: the platform itself, how long to insist, and what to ask for a sign of life."""

    platform: Platform
    ask: Ask | None  # None: there is no key, so the control plane alone is set and believed
    patience_s: float
    routing_timeout_s: float

    def walk(self, hold: Hold, target: Routing, phase: Phase = Phase.ROLLING_BACK) -> SplitCheck:
        """Give the endpoint the `target` routing and see it routed.

        An empty target (what a first release started from) takes all traffic away. Raises NoSafeWayError if a
        deployment of the target cannot take traffic, or if the platform refuses for as long as it is asked, and
        ConflictError if somebody else has changed the endpoint.
        """
        patient = PatientPlatform(self.platform, self.patience_s, repeated=(Exception,))
        try:
            self.refuse_if_sick(require(patient.observe()), target)
            hold.write(phase, target, platform=patient)
        except (ConflictError, NoSafeWayError):
            raise
        except Exception as error:
            raise NoSafeWayError(f"the platform refused for up to {self.patience_s:g} s: {error}") from error
        if not target.traffic:
            return SplitCheck(fits=True, reason="nobody has traffic, as before", answered={}, failures=())
        if (ask := self.ask) is None:
            return SplitCheck(fits=True, reason="set; nobody could look who answers", answered={}, failures=())
        return wait_until_routed(
            lambda: probe(ask, PROBES), target.traffic, timeout_s=self.routing_timeout_s, forgive_failures=True
        )

    def refuse_if_sick(self, endpoint: Endpoint, target: Routing) -> None:
        """Raise NoSafeWayError unless every deployment of the target is provisioned and answers a request by name.

        One that is being changed, such as by autoscale, is believed where it answers.
        """
        for name in target.traffic:
            deployment = endpoint.deployments.get(name)
            can_be_asked = self.ask is not None and deployment is not None and deployment.may_serve
            if deployment is None or not (deployment.is_healthy or can_be_asked):
                state = deployment.provisioning_state if deployment else "missing"
                raise NoSafeWayError(f"{name} is {state} where Succeeded is needed")
            if self.ask is not None:
                self.wait_for_sign_of_life(self.ask, name)

    def wait_for_sign_of_life(self, ask: Ask, name: str) -> None:
        """Ask until the deployment answers; what may not be its own fault is borne with for longer."""
        started_s = monotonic()

        def decided(answer: Answer) -> bool:
            patient_s = UNREACHED_WITHIN_S if answer.status in MAYBE_NOT_ITS_FAULT else HEALTHY_WITHIN_S
            return answer.ok or monotonic() - started_s >= min(patient_s, self.patience_s)

        answer = look_until(
            lambda: ask(name),
            decided,
            timeout_s=UNREACHED_WITHIN_S,
            overdue=lambda last: NoSafeWayError(f"{name} answers status {last.status} where 200 is needed"),
        )
        if not answer.ok:
            raise NoSafeWayError(f"{name} answers status {answer.status} where 200 is needed")
