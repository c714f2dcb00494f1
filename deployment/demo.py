"""`make demo`: a release from training to 100 % traffic (or to its refusal) on this machine alone."""

import os
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from time import monotonic

from deployment.background import BackgroundClient
from deployment.building import Runtime, build
from deployment.display import LiveDisplay, make_console, print_result
from deployment.emulated import emulator
from deployment.golden import read_artefacts
from deployment.outcomes import EXIT_CLIENTS_FAILED, BadInputError, PlatformError
from deployment.platform import Platform
from deployment.prometheus import require_program, watching
from deployment.release import Release, Result
from deployment.releasing import Paths, connect, git_sha, make_rollout, write_reports
from deployment.scoring import ScoringClient
from deployment.settings import ReleaseSettings, read_settings

ARTEFACTS = Path("artifacts")
FIRST_PROFILE = "demo-first"
# Two models of any fork's train(): the second has seen more.
ROWS_SHARES = {"1": "0.8", "2": "1"}


class Candidate(StrEnum):
    """The second model: one to promote and two to refuse."""

    GOOD = "good"
    SLOW = "slow"
    WRONG = "wrong"


def run_demo(candidate: Candidate, runtime: Runtime, paths: Paths, *, with_prometheus: bool = False) -> int:
    """Train, build, release version 1, then the candidate beside a client that never stops; return the exit code."""
    console = make_console()
    if with_prometheus:
        require_program()
    settings = read_settings(paths.settings_file, profile=paths.profile)
    runtime = runtime.chosen()
    console.print(f"Colours are {EXPLAINED[runtime]}.", markup=False)
    started_s = monotonic()
    with tempfile.TemporaryDirectory(prefix="byoc-demo-") as folder, LiveDisplay(console) as display:
        bundles = Path(folder, "bundles")
        releases = [
            make_release(display, version, variant, runtime, bundles)
            for version, variant in (("1", Candidate.GOOD), ("2", candidate))
        ]
        display.started("starting the emulator of Azure ML")
        with emulator(Path(folder), bundles, runtime) as environment:
            display.said(f"emulator of Azure ML: {environment['ARM_CLOUD_METADATA_URL'].split('/metadata')[0]}")
            # Before the SDK is imported, which asks for the cloud's metadata already.
            os.environ.update(environment)
            watch = watching(environment, Path(folder, "prometheus"), console) if with_prometheus else nullcontext()
            with watch:
                platform = connect(paths, settings.platform)
                release, background = releases[0], None
                result = release_first(platform, release, paths, display)
                if not result.outcome.exit_code:
                    release = releases[1]
                    result, background = release_candidate(platform, settings, release, paths, display)
    facts = {"runtime": f"{runtime} on this machine, emulated Azure ML"}
    if background is not None:
        facts["background client"] = background.summary()
    written = write_reports(result, release, paths, facts)
    display.said("The emulator and the colours have been stopped; images and reports stay.")
    rows = {**facts, "took": f"{monotonic() - started_s:.0f} s", **written}
    print_result(console, result, rows)
    if result.outcome.exit_code:
        used = paths.profile if background is not None else FIRST_PROFILE
        console.print(f"The limits of this release are [profiles.{used}] of {paths.settings_file}.", markup=False)
    return EXIT_CLIENTS_FAILED if background is not None and background.failures else result.outcome.exit_code


EXPLAINED = {
    Runtime.CONTAINERS: "containers of the image that this demo builds (a Docker Engine answers)",
    Runtime.PROCESSES: "processes of the same code, each on ports of its own (no Docker Engine is used)",
}


def make_release(display: LiveDisplay, version: str, variant: Candidate, runtime: Runtime, bundles: Path) -> Release:
    """Train a model version and put it into an image (or a bundle of processes), addressed by digest."""
    display.started(f"training model {version}")
    model_dir = ARTEFACTS / f"demo-{version}"
    train = [sys.executable, "-m", "model", "train", "--version", version, "--variant", variant]
    train += ["--rows-share", ROWS_SHARES[version], "--output", str(model_dir)]
    trained = subprocess.run(train, check=False, capture_output=True, text=True)
    if trained.returncode:
        raise BadInputError(
            f"training model {version}: {(trained.stderr or trained.stdout).strip().removeprefix('error: ')}"
        )
    display.said(trained.stdout.strip())
    display.started(f"building the image with model {version}")
    image = build(
        model_dir,
        runtime,
        bundles,
        lambda line: display.started(f"building the image with model {version}: {line[:60]}"),
    )
    display.said(f"image with model {version}: {image}")
    release_id = f"demo-{version}-{variant}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    return Release(release_id, image, read_artefacts(model_dir), git_sha())


def release_first(platform: Platform, release: Release, paths: Paths, display: LiveDisplay) -> Result:
    """Give the endpoint a live deployment to compare with."""
    settings = read_settings(paths.settings_file, profile=FIRST_PROFILE)
    return make_rollout(platform, settings, release, paths, display).promote()


def release_candidate(
    platform: Platform, settings: ReleaseSettings, release: Release, paths: Paths, display: LiveDisplay
) -> tuple[Result, BackgroundClient]:
    """Release the candidate while a client keeps asking the endpoint's own route."""
    endpoint = platform.observe()
    if endpoint is None:
        raise PlatformError("endpoint: it vanished after the first release")
    bodies = [request.body for request in release.model.golden.requests]
    with ScoringClient(endpoint.scoring_uri, platform.endpoint_key()) as client:
        with BackgroundClient(client, bodies) as background:
            result = make_rollout(platform, settings, release, paths, display).promote()
        return result, background
