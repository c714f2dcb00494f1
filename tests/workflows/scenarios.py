"""Which runs the tests of this folder make, and what comes of each: every job's result, and what was left out of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Scenario:
    """One run of a workflow file.

    jobs is the result of each of its jobs, left_out the steps of a job that ran which did not, and failed the step that
    a failed job failed at. All other steps of the file have to have been executed.
    """

    name: str
    workflow: str
    jobs: Mapping[str, str]
    left_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    cancelled: bool = False
    # Jobs after a cancelled one: GitHub runs what is to run always, and act says so but runs none of it.
    not_run_by_act: tuple[str, ...] = ()

    @property
    def is_green(self) -> bool:
        """Whether its jobs succeeded, but for those that are not meant to run then."""
        return set(self.jobs.values()) <= {"success", "skipped"} and not self.cancelled


GREEN, RED, GREY = "success", "failure", "skipped"
NO_REQUEST = {"configured": ("What was asked for",)}
NO_ATTESTATION = {"preflight": ("Verify where it was built",)}
REST_OF_DEPLOY = ("Smoke",)
PUBLISHED = ("Publish the report", "Link the report")

# image-tests

PULL_REQUEST = Scenario(
    "pull request",
    "image-tests",
    {"lint": GREEN, "test": GREEN, "workflows": GREEN, "image": GREEN, "comment": GREEN, "required": GREEN},
)
PULL_REQUEST_OF_A_FORK = Scenario("pull request of a fork", "image-tests", {**PULL_REQUEST.jobs, "comment": GREY})
REPAIR = Scenario(
    "merge queue, with a change that repairs a base which cannot be built",
    "image-tests",
    {**PULL_REQUEST.jobs, "comment": GREY},
    left_out={"image": ("Compare with the base under load", "Keep the report")},
)
BROKEN_DOCKERFILE = Scenario(
    "pull request that breaks the Dockerfile",
    "image-tests",
    {"lint": GREEN, "test": GREEN, "workflows": GREEN, "image": RED, "comment": GREY, "required": RED},
    left_out={
        "image": ("Boot", "Container tests", "Build the base", "Compare with the base under load", "Keep the report")
    },
    failed={"image": "Build", "required": "All jobs"},
)
BROKEN_SERVICE = Scenario(
    "pull request with a server that does not start, a failing test, a failing workflow test and a lint",
    "image-tests",
    {"lint": RED, "test": RED, "workflows": RED, "image": RED, "comment": GREY, "required": RED},
    left_out={"image": ("Container tests", "Build the base", "Compare with the base under load", "Keep the report")},
    failed={"lint": "Lint", "test": "Test", "workflows": "Test", "image": "Boot", "required": "All jobs"},
)

# build-image

BUILD = Scenario(
    "push to main",
    "build-image",
    {"configured": GREEN, "build": GREEN, "scan": GREEN, "push": GREEN, "attest": GREEN},
)
BUILD_UNCONFIGURED = Scenario(
    "push to main of a fork without Azure",
    "build-image",
    {"configured": GREEN, "build": GREEN, "scan": GREEN, "push": GREY, "attest": GREY},
)
BUILD_CRITICAL = Scenario(
    "push to main with something critical in the image",
    "build-image",
    {"configured": GREEN, "build": GREEN, "scan": RED, "push": GREY, "attest": GREY},
    failed={"scan": "Scan"},
)
BUILD_WRONG = Scenario(
    "push to main of a model that misses its golden requests, half configured",
    "build-image",
    {"configured": RED, "build": RED, "scan": GREY, "push": GREY, "attest": GREY},
    left_out={"build": ("List what is in it", "Hand it over")},
    failed={"configured": "Configured?", "build": "Boot"},
)

# promote

FIRST_RELEASE = Scenario(
    "first release",
    "promote",
    {
        "configured": GREEN,
        "preflight": GREEN,
        "deploy": GREEN,
        "load": GREEN,
        "shift": GREEN,
        "finish": GREEN,
        "undo": GREY,
    },
    left_out={"shift": ("Roll back",)},
)
SECOND_RELEASE = Scenario(
    "second release, of a private repository, by digest and in steps of its own",
    "promote",
    FIRST_RELEASE.jobs,
    left_out={**NO_ATTESTATION, "shift": ("Roll back",)},
)
DRY_RUN = Scenario(
    "dry run",
    "promote",
    {
        "configured": GREEN,
        "preflight": GREEN,
        "deploy": GREY,
        "load": GREY,
        "shift": GREY,
        "finish": GREY,
        "undo": GREY,
    },
    left_out=NO_ATTESTATION,
)
PROMOTE_UNCONFIGURED = Scenario(
    "promote in a fork without Azure",
    "promote",
    {
        "configured": GREEN,
        "preflight": GREY,
        "deploy": GREY,
        "load": GREY,
        "shift": GREY,
        "finish": GREY,
        "undo": GREY,
    },
    left_out=NO_REQUEST,
)
PROMOTE_HALF_CONFIGURED = Scenario(
    "promote in a fork that is half connected",
    "promote",
    {**PROMOTE_UNCONFIGURED.jobs, "configured": RED},
    left_out=NO_REQUEST,
    failed={"configured": "Configured?"},
)
WRONG_CONFIRMATION = Scenario(
    "promote that was confirmed with another name, from a branch, by a stranger",
    "promote",
    {**PROMOTE_UNCONFIGURED.jobs, "configured": RED},
    failed={"configured": "What was asked for"},
)
NOT_ATTESTED = Scenario(
    "promote of an image that no workflow of main has attested",
    "promote",
    {**PROMOTE_UNCONFIGURED.jobs, "preflight": RED},
    left_out={"preflight": ("Who will be asked", "Preflight", "Keep the release so far")},
    failed={"preflight": "Verify where it was built"},
)
SLOW_CANDIDATE = Scenario(
    "promote of a slow candidate",
    "promote",
    {
        "configured": GREEN,
        "preflight": GREEN,
        "deploy": GREEN,
        "load": RED,
        "shift": GREY,
        "finish": GREY,
        "undo": GREEN,
    },
    left_out=NO_ATTESTATION,
    failed={"load": "Gate"},
)
NEVER_READY = Scenario(
    "promote of a candidate that never becomes ready",
    "promote",
    {
        "configured": GREEN,
        "preflight": GREEN,
        "deploy": RED,
        "load": GREY,
        "shift": GREY,
        "finish": GREY,
        "undo": GREEN,
    },
    left_out={**NO_ATTESTATION, "deploy": REST_OF_DEPLOY},
    failed={"deploy": "Deploy"},
)
PLATFORM_REFUSES = Scenario(
    "promote while the platform refuses deployments",
    "promote",
    NEVER_READY.jobs,
    left_out=NEVER_READY.left_out,
    failed=NEVER_READY.failed,
)
BREACH = Scenario(
    "promote of a candidate that fails under traffic",
    "promote",
    {
        "configured": GREEN,
        "preflight": GREEN,
        "deploy": GREEN,
        "load": GREEN,
        "shift": RED,
        "finish": GREY,
        "undo": GREEN,
    },
    left_out=NO_ATTESTATION,
    failed={"shift": "Shift"},
)
CANCELLED = Scenario(
    "promote that is cancelled under traffic",
    "promote",
    BREACH.jobs,
    left_out=NO_ATTESTATION,
    failed={"shift": "Shift"},
    cancelled=True,
    not_run_by_act=("undo",),
)

# the rest

ROLLBACK = Scenario("rollback", "rollback", {"configured": GREEN, "rollback": GREEN})
ROLLBACK_TO_NOBODY = Scenario(
    "rollback to a deployment that does not exist",
    "rollback",
    {"configured": GREEN, "rollback": RED},
    failed={"rollback": "Roll back"},
)
LOAD_TEST = Scenario("load test of who serves", "load-test", {"configured": GREEN, "load": GREEN})
LOAD_TEST_FAILS = Scenario(
    "load test of one that fails now and then", "load-test", {"configured": GREEN, "load": RED}, failed={"load": "Load"}
)
STATUS = Scenario("status", "status", {"configured": GREEN, "status": GREEN})
KEEPS_THE_WAY_BACK = {"guard": ("Give up the way back",)}
GUARD = Scenario("guard finds nothing", "guard", {"configured": GREEN, "guard": GREEN}, left_out=KEEPS_THE_WAY_BACK)
GUARD_NOW = Scenario("guard that gives up the way back", "guard", {"configured": GREEN, "guard": GREEN})
GUARD_SPLIT = Scenario(
    "guard finds traffic that is split",
    "guard",
    {"configured": GREEN, "guard": RED},
    left_out=KEEPS_THE_WAY_BACK,
    failed={"guard": "Look"},
)
TEARDOWN = Scenario("teardown", "teardown", {"configured": GREEN, "teardown": GREEN})
TEARDOWN_REFUSED = Scenario(
    "teardown that was confirmed with another name",
    "teardown",
    {"configured": RED, "teardown": GREY},
    failed={"configured": "What was asked for"},
)
SECURITY = Scenario(
    "security, every week",
    "security",
    {"workflows": GREEN, "dependencies": GREEN, "image": GREEN, "scan": GREEN, "scorecard": GREEN},
)
SECURITY_FINDS = Scenario(
    "security finds something everywhere",
    "security",
    {"workflows": RED, "dependencies": RED, "image": GREEN, "scan": RED, "scorecard": GREY},
    failed={"workflows": "Lint the workflows", "dependencies": "Audit the locks", "scan": "Scan"},
)

ALL = {name: each for name, each in globals().items() if isinstance(each, Scenario)}
# What is there to stop something: (workflow, job, step); each is seen stopping it in one of the scenarios.
GATES = (
    ("image-tests", "lint", "Lint"),
    ("image-tests", "test", "Test"),
    ("image-tests", "workflows", "Test"),
    ("image-tests", "image", "Build"),
    ("image-tests", "image", "Boot"),
    ("image-tests", "required", "All jobs"),
    ("build-image", "configured", "Configured?"),
    ("build-image", "build", "Boot"),
    ("build-image", "scan", "Scan"),
    ("promote", "configured", "Configured?"),
    ("promote", "configured", "What was asked for"),
    ("promote", "preflight", "Verify where it was built"),
    ("promote", "deploy", "Deploy"),
    ("promote", "load", "Gate"),
    ("promote", "shift", "Shift"),
    ("rollback", "rollback", "Roll back"),
    ("load-test", "load", "Load"),
    ("guard", "guard", "Look"),
    ("teardown", "configured", "What was asked for"),
    ("security", "workflows", "Lint the workflows"),
    ("security", "dependencies", "Audit the locks"),
    ("security", "scan", "Scan"),
)
