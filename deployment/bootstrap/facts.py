"""What was read of Azure and of GitHub before anything is planned."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Account:
    """Who is logged in to Azure, and where."""

    subscription_id: str
    subscription_name: str
    tenant_id: str
    user: str


@dataclass(frozen=True)
class Resource:
    """A resource of Azure that exists, or, where `exists` is false, the one that will be made."""

    id: str
    name: str
    resource_group: str
    location: str
    exists: bool


@dataclass(frozen=True)
class Registry(Resource):
    """A container registry; its login server is known once it exists."""

    login_server: str = ""
    admin_user: bool = False


@dataclass(frozen=True)
class Workspace(Resource):
    """A workspace of Azure ML and the ARM id of its own registry, empty while it has none."""

    registry_id: str = ""


@dataclass(frozen=True)
class Credential:
    """A federated credential as it stands."""

    name: str
    issuer: str
    subject: str
    audiences: tuple[str, ...]


@dataclass(frozen=True)
class Principal:
    """The identity of the workflows, as far as it exists: `client_id` and `principal_id` are empty while it does not.

    Of an app registration, the app is made first (client_id), and then its service principal (principal_id).
    """

    name: str
    client_id: str = ""
    principal_id: str = ""
    credentials: tuple[Credential, ...] = ()
    resource_group: str = ""


@dataclass(frozen=True)
class Assignment:
    """A role that somebody has at a scope; the role by its GUID."""

    principal_id: str
    role: str
    scope: str


@dataclass(frozen=True)
class EndpointFacts:
    """An endpoint whose identity has to pull from a registry that is not the workspace's own."""

    name: str
    exists: bool
    principal_id: str = ""


@dataclass(frozen=True)
class AzureFacts:
    """Azure, as it stands."""

    account: Account
    group: Resource
    registry: Registry
    workspace: Workspace
    principal: Principal
    assignments: tuple[Assignment, ...]
    unregistered: tuple[str, ...]  # resource providers that the subscription does not have yet
    has_ml_extension: bool
    region_role: str  # the GUID of the custom role; empty while there is none
    endpoints: tuple[EndpointFacts, ...] = ()


@dataclass(frozen=True)
class Repository:
    """The repository, and what it says of the subjects of its tokens; None is what it does not say."""

    full_name: str
    id: int
    owner_id: int
    created_at: str
    private: bool
    default_branch: str
    is_admin: bool
    subject_prefix: str | None = None
    immutable_subject: bool | None = None
    default_subject: bool | None = None


@dataclass(frozen=True)
class Reviewer:
    """Who is asked: a person or a team."""

    kind: str
    id: int
    name: str


@dataclass(frozen=True)
class BranchPolicy:
    """A pattern of the names that may use an environment."""

    id: int
    name: str
    kind: str


@dataclass(frozen=True)
class Environment:
    """An environment of the repository with the rules that a PUT would replace."""

    name: str
    reviewers: tuple[Reviewer, ...] = ()
    wait_minutes: int = 0
    prevent_self_review: bool = False
    admins_bypass: bool = True
    custom_policies: bool = False  # false: every branch may use it, or every protected one
    protected_branches: bool = False
    policies: tuple[BranchPolicy, ...] = ()


@dataclass(frozen=True)
class GitHubFacts:
    """GitHub, as it stands."""

    repository: Repository
    environments: Mapping[str, Environment]
    variables: Mapping[str, str]
    reviewers: tuple[Reviewer, ...] = ()


@dataclass(frozen=True)
class Facts:
    """All that the plan is made of."""

    azure: AzureFacts
    github: GitHubFacts
    autoscale: bool = False  # whether release.toml lets Azure Monitor scale what serves


def environment_of(document: Mapping[str, Any], policies: tuple[BranchPolicy, ...] = ()) -> Environment:
    """Read an environment as GitHub's REST API describes it."""
    rules = {rule["type"]: rule for rule in document.get("protection_rules") or ()}
    asked = rules.get("required_reviewers", {})
    branches = document.get("deployment_branch_policy") or {}
    return Environment(
        name=document["name"],
        reviewers=tuple(map(reviewer_of, asked.get("reviewers") or ())),
        wait_minutes=int(rules.get("wait_timer", {}).get("wait_timer") or 0),
        prevent_self_review=bool(asked.get("prevent_self_review")),
        admins_bypass=bool(document.get("can_admins_bypass", True)),
        custom_policies=bool(branches.get("custom_branch_policies")),
        protected_branches=bool(branches.get("protected_branches")),
        policies=policies,
    )


def reviewer_of(document: Mapping[str, Any]) -> Reviewer:
    reviewer = document["reviewer"]
    return Reviewer(document["type"], int(reviewer["id"]), str(reviewer.get("login") or reviewer.get("slug")))
