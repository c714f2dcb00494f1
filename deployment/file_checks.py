"""The checks of preflight that look at what is to be released: names, settings, the image's reference."""

import re

from deployment.checks import Facts, Finding, fail, ok, warn
from deployment.manifests import ProbeSettings
from deployment.registry import read_reference

NAME = re.compile(r"[a-zA-Z](?:-?[a-zA-Z0-9])*")
NAME_LENGTHS = range(3, 33)
MAX_REQUEST_TIMEOUT_MS = 180_000
DEPLOYMENT_FILE = "deployment.yml"


def check_names(facts: Facts) -> Finding:
    endpoint = facts.endpoint_file().name
    names = {f"endpoint {endpoint!r}": endpoint}
    deployments = dict.fromkeys((*facts.deployment_names, facts.deployment_file().name))
    names |= {f"deployment {name!r}": name for name in deployments}
    wrong = [what for what, name in names.items() if len(name) not in NAME_LENGTHS or not NAME.fullmatch(name)]
    if wrong:
        told = ", ".join(f"{what} ({len(names[what])} characters)" for what in wrong)
        return fail(
            f"{told}: the platform takes 3 to 32 characters, a letter first, letters, digits and single dashes",
            "rename it in endpoint.yml (AZUREML_ENDPOINT_NAME goes before that, where it is set) or deployment.yml",
        )
    return ok(f"{', '.join(names)}: 3 to 32 characters, a letter first, letters, digits and single dashes")


def check_auth_mode(facts: Facts) -> Finding:
    mode = facts.endpoint_file().auth_mode
    if mode.lower() != "key":
        return fail(
            f"endpoint.yml says auth_mode {mode!r} where a release scores with a key ('key')",
            "set auth_mode: key in endpoint.yml; an endpoint that exists keeps its mode, so make another one",
        )
    return ok("auth_mode is 'key', as a release needs it")


def check_probes(facts: Facts) -> Finding:
    deployment = facts.deployment_file()
    liveness, readiness = deployment.liveness_probe, deployment.readiness_probe
    faults = [*faults_of("liveness_probe", liveness), *faults_of("readiness_probe", readiness)]
    if liveness.success_threshold > 1:
        faults.append(f"liveness_probe.success_threshold {liveness.success_threshold} (allowed is 1)")
    if faults:
        return fail(", ".join(faults), f"mend the probes in {DEPLOYMENT_FILE}; the platform refuses them with 400")
    budget_s = readiness.initial_delay + readiness.failure_threshold * readiness.period
    return ok(
        f"the container has {readiness.initial_delay} + {readiness.failure_threshold} x {readiness.period} ="
        f" {budget_s} s to become ready"
    )


def faults_of(name: str, probe: ProbeSettings) -> list[str]:
    return [f"{name}.{key} {value} (at least 1)" for key, value in probe.model_dump().items() if value < 1]


def check_request_timeout(facts: Facts) -> Finding:
    timeout_ms = facts.deployment_file().request_settings.request_timeout_ms
    if not 0 < timeout_ms <= MAX_REQUEST_TIMEOUT_MS:
        return fail(
            f"request_timeout_ms is {timeout_ms} where the platform takes 1 to {MAX_REQUEST_TIMEOUT_MS}",
            f"set request_settings.request_timeout_ms in {DEPLOYMENT_FILE} within that range",
        )
    return ok(f"request_timeout_ms is {timeout_ms} of at most {MAX_REQUEST_TIMEOUT_MS}")


def check_concurrency(facts: Facts) -> Finding:
    deployment = facts.deployment_file()
    at_once, instances = deployment.request_settings.max_concurrent_requests_per_instance, deployment.instance_count
    what_follows = (
        f"max_concurrent_requests_per_instance is {at_once}: the platform answers 429 above 2 x {at_once} x {instances}"
        f" = {2 * at_once * instances} requests at once"
    )
    if at_once < 1:
        return fail(
            f"max_concurrent_requests_per_instance is {at_once} where the platform takes at least 1",
            f"set request_settings.max_concurrent_requests_per_instance in {DEPLOYMENT_FILE}",
        )
    if at_once == 1:
        return warn(
            f"{what_follows}; 1 is the platform's default",
            f"set request_settings.max_concurrent_requests_per_instance in {DEPLOYMENT_FILE} to what the container"
            " serves at once",
        )
    return ok(what_follows)


def check_digest(facts: Facts) -> Finding:
    if read_reference(facts.image) is None:
        return fail(
            f"{facts.image!r} is not [registry/]name@sha256:<64 hex digits>; a tag can change under a release",
            "release what `docker buildx imagetools inspect NAME:TAG` shows as the digest",
        )
    return ok(f"{facts.image} is named by its digest")
