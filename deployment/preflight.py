"""What is checked before a release touches anything: everything that is known to fail later, or to take an hour to."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from deployment.checks import Check, Facts, Finding, Standing
from deployment.cloud import Cloud
from deployment.cloud_checks import (
    check_image_exists,
    check_instances,
    check_live,
    check_pull,
    check_quota,
)
from deployment.file_checks import (
    check_auth_mode,
    check_concurrency,
    check_digest,
    check_names,
    check_probes,
    check_request_timeout,
)
from deployment.manifests import DeploymentFile, read_endpoint, read_manifest
from deployment.outcomes import BadInputError, ReleaseError
from deployment.platform import Endpoint
from deployment.registry import ImageReference

__all__ = ["Check", "Standing", "preflight"]

# Each check, and what it stands for where Azure did not answer it: a release needs the last one itself.
CHECKS: tuple[tuple[str, Callable[[Facts], Finding], Standing], ...] = (
    ("names", check_names, Standing.WARN),
    ("auth mode", check_auth_mode, Standing.WARN),
    ("probes", check_probes, Standing.WARN),
    ("request timeout", check_request_timeout, Standing.WARN),
    ("concurrency", check_concurrency, Standing.WARN),
    ("instances", check_instances, Standing.WARN),
    ("core quota", check_quota, Standing.WARN),
    ("image digest", check_digest, Standing.WARN),
    ("image exists", check_image_exists, Standing.WARN),
    ("AcrPull", check_pull, Standing.WARN),
    ("live deployment", check_live, Standing.FAIL),
)


def preflight(
    cloud: Cloud,
    *,
    image: str,
    endpoint_file: Path,
    deployment_file: Path,
    deployment_names: Sequence[str],
    observe: Callable[[], Endpoint | None],
    has_image: Callable[[ImageReference], bool],
    release_id: str = "",
) -> tuple[Check, ...]:
    """Return every check of a release that would begin now, in one order, whatever the others found.

    `deployment_names` are the names that releases deploy under, of which the candidate gets the first that does not
    serve; `observe` is Platform.observe; `has_image` tells whether a registry has an image and raises PlatformError
    where it does not say (AzureCloud.has_image); `release_id` may be that of a release which goes on. Nothing is
    changed, and nothing is raised for what was found: what could not be read is a row that names the error. Azure is
    asked once for each thing.
    """
    facts = Facts(
        cloud,
        image=image,
        release_id=release_id,
        deployment_names=deployment_names,
        read_endpoint_file=partial(read_endpoint, endpoint_file, os.environ),
        read_deployment_file=partial(read_manifest, DeploymentFile, deployment_file),
        observe=observe,
        has_image=has_image,
    )
    return tuple(carry_out(name, check, facts, if_unknown) for name, check, if_unknown in CHECKS)


def carry_out(name: str, check: Callable[[Facts], Finding], facts: Facts, if_unknown: Standing) -> Check:
    """Return what a check found; an error in it is its own row."""
    try:
        finding = check(facts)
    except BadInputError as error:
        return Check(name, Standing.FAIL, f"not checked: {error}", "mend that file")
    except ReleaseError as error:
        fix = "let whoever runs this read it in Azure (role Reader), or look there by hand; then run preflight again"
        return Check(name, if_unknown, f"not checked: {error}", fix)
    return Check(name, finding.standing, finding.found, finding.fix)
