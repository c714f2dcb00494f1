"""GitHub: whether the workflows can log in, who may let them, and what has to pass before a merge."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from deployment.azure_names import points_at_emulator
from deployment.bootstrap.azure_plan import is_ours
from deployment.bootstrap.facts import Environment, GitHubFacts, Repository
from deployment.bootstrap.github_plan import VARIABLES
from deployment.bootstrap.reading_azure import credentials_of
from deployment.bootstrap.reading_github import read_github, read_repository
from deployment.bootstrap.subjects import Subjects, subjects_of
from deployment.bootstrap.tools import Reader
from deployment.bootstrap.wishes import SubjectForm, Wishes
from deployment.doctor.connection import VARIABLES as WORKSPACE
from deployment.doctor.connection import is_connected
from deployment.doctor.rows import Row, fail, ok, skipped, warn
from deployment.outcomes import BadInputError, PlatformError

GROUP = "GitHub"
NEEDED = tuple(VARIABLES)
ENVIRONMENTS = Wishes().environments
REQUIRED, CREDENTIALS = "required", "federated credentials"
CONNECT = "make bootstrap"
NOT_SET_UP = (
    (r"git: No such file", "git not found", "install it, or name the repository by GITHUB_REPOSITORY"),
    (r"No such file", "gh not found", "install the GitHub CLI (https://cli.github.com) and log in by `gh auth login`"),
    (r"gh auth login|HTTP 401", "gh is not logged in", "`gh auth login`, to see environments and variables"),
    (r"No such remote|not a git repository", "no repository on GitHub", ""),
)
PUBLISH = "publish this checkout (`gh repo create`), or name one by GITHUB_REPOSITORY"


@dataclass(frozen=True)
class Checkout:
    """What was read of the repository, and the checks that main waits for."""

    facts: GitHubFacts
    required: tuple[str, ...]


def read_checkout(read: Reader, environ: Mapping[str, str]) -> Checkout:
    wishes = Wishes(repository=environ.get("GITHUB_REPOSITORY", ""))
    repository = read_repository(read, wishes)
    return Checkout(read_github(read, wishes, repository), tuple(required_checks(read, repository)))


def required_checks(read: Reader, repository: Repository) -> Iterator[str]:
    """Yield the checks that main waits for, by rulesets and by branch protection, which admins alone may see."""
    branch = f"repos/{repository.full_name}"
    for rule in read.gh_if("api", f"{branch}/rules/branches/main") or ():
        if rule["type"] == "required_status_checks":
            yield from (each["context"] for each in rule["parameters"]["required_status_checks"])
    classic = read.gh_if("api", f"{branch}/branches/main/protection/required_status_checks") or {}
    yield from classic.get("contexts") or ()


def repository_rows(read: Reader, environ: Mapping[str, str]) -> Iterator[Row]:
    """Yield what is to be said of the repository."""
    try:
        checkout = read_checkout(read, environ)
    except PlatformError as error:
        yield unread_row(str(error))
        return
    facts = checkout.facts
    repository = facts.repository
    told = f"{repository.full_name}, {'private' if repository.private else 'public'}"
    if repository.default_branch == "main":
        yield ok(GROUP, "repository", f"{told}, main")
    else:
        fix = "rename the default branch to main: the workflows and the environments are for it"
        yield warn(GROUP, "repository", f"{told}, default branch {repository.default_branch}", fix)
    if not facts.environments and not any(name in facts.variables for name in NEEDED):
        yield skipped(GROUP, "environments", "not connected to Azure", CONNECT)
    else:
        for name in ENVIRONMENTS:
            yield environment_row(facts, name)
        yield variables_row(facts)
        yield from trust_rows(read, environ, facts)
    yield required_row(checkout)


def unread_row(error: str) -> Row:
    for words, told, fix in NOT_SET_UP:
        if re.search(words, error):
            return skipped(GROUP, "gh", told, fix or PUBLISH)
    found, _, fix = error.rpartition("\n")
    return warn(GROUP, "gh", " ".join((found or fix).split()), fix if found else "look at `gh auth status`")


def environment_row(facts: GitHubFacts, name: str) -> Row:
    """Return whether an environment is protected: main alone may use it, and in production somebody is asked."""
    label, there = f"environment {name}", facts.environments.get(name)
    if there is None:
        if name.startswith("staging") and not any(each.startswith("staging") for each in facts.environments):
            return skipped(GROUP, label, "there is no staging", f"{CONNECT} makes one, if you want it")
        fix = f"{CONNECT}: a workflow that names it makes it, and without any rule"
        return warn(GROUP, label, "does not exist", fix)
    if wrong := who_may_use(there):
        return warn(GROUP, label, f"unprotected: {wrong}, and so the identity", f"{CONNECT} leaves main alone")
    asked = ", ".join(each.name for each in there.reviewers)
    if name == "production" and not asked:
        if promoters := facts.variables.get("PROMOTERS"):
            return ok(
                GROUP, label, f"for main alone; nobody is asked, and PROMOTERS limits who may promote ({promoters})"
            )
        fix = 'make bootstrap ARGS="--reviewer LOGIN"; where the plan has no reviewers, set the variable PROMOTERS'
        return warn(GROUP, label, "for main alone; nobody is asked before traffic moves", fix)
    return ok(GROUP, label, f"for main alone; {f'asks {asked}' if asked else 'asks nobody'}")


def who_may_use(environment: Environment) -> str:
    """Say who may use an environment besides main; empty where nobody may."""
    if not environment.custom_policies:
        return "every protected branch may use it" if environment.protected_branches else "every branch may use it"
    others = [
        f"the {each.kind} {each.name}" for each in environment.policies if (each.name, each.kind) != ("main", "branch")
    ]
    return f"{', '.join(others)} may use it" if others else ""


def variables_row(facts: GitHubFacts) -> Row:
    missing = [name for name in NEEDED if not facts.variables.get(name)]
    if missing:
        fix = f"{CONNECT} sets them, unless each environment has its own"
        return warn(GROUP, "variables", f"not set for the repository: {', '.join(missing)}", fix)
    return ok(GROUP, "variables", f"all {len(NEEDED)} are set")


def trust_rows(read: Reader, environ: Mapping[str, str], facts: GitHubFacts) -> Iterator[Row]:
    """Yield the subject of the workflows' tokens, and whether Azure trusts it for each environment.

    Azure is asked only where the environment names a workspace of it.
    """
    try:
        subjects = subjects_of(facts.repository, SubjectForm.AUTO)
    except BadInputError as error:
        yield warn(GROUP, "subject", str(error).partition("; ")[0], str(error).partition("; ")[2])
        return
    yield ok(GROUP, "subject", f"{subjects.of('NAME')} ({subjects.why})")
    client_id = facts.variables.get("AZURE_CLIENT_ID")
    if not client_id:
        return
    if is_connected(environ) and not points_at_emulator(environ):
        yield trust_row(read, client_id, subjects, facts)
    else:
        fix = (
            f"export {', '.join(WORKSPACE)} (`gh variable list` shows them), where nothing of an emulator was exported"
        )
        yield skipped(GROUP, CREDENTIALS, "not looked at: this environment names no workspace of Azure", fix)


def trust_row(read: Reader, client_id: str, subjects: Subjects, facts: GitHubFacts) -> Row:
    name, environments = CREDENTIALS, tuple(facts.environments)
    subscription = facts.variables.get("AZURE_SUBSCRIPTION_ID", "")
    try:
        found = credentials_of(read_credentials(read, client_id, subscription))
    except PlatformError as error:
        told = str(error).partition("; ")[0].splitlines()[0]
        return skipped(GROUP, name, f"not looked at: {told}", "`az login`, as somebody who may read the identity")
    missing = [each for each in environments if not any(is_ours(one, subjects.of(each)) for one in found)]
    if missing:
        there = ", ".join(each.subject for each in found) or "none"
        told = f"Azure does not trust {', '.join(map(subjects.of, missing))} (it trusts {there})"
        return fail(GROUP, name, told, f"{CONNECT}: without it a login fails with AADSTS700213")
    return ok(GROUP, name, f"one for each of {', '.join(environments)}")


def read_credentials(read: Reader, client_id: str, subscription: str) -> list[dict[str, object]]:
    """Return the federated credentials of a managed identity, or of an app where there is no such identity."""
    where = ("--subscription", subscription) if subscription else ()
    found = [each for each in read.az("identity", "list", *where) if each["clientId"].lower() == client_id.lower()]
    if not found:
        return list(read.az("ad", "app", "federated-credential", "list", "--id", client_id))
    which = ("--identity-name", found[0]["name"], "--resource-group", found[0]["resourceGroup"])
    return list(read.az("identity", "federated-credential", "list", *which, *where))


def required_row(checkout: Checkout) -> Row:
    if REQUIRED in checkout.required:
        return ok(GROUP, "required check", f"main waits for {', '.join(dict.fromkeys(checkout.required))}")
    told = f"main does not wait for `{REQUIRED}`, as far as this may see ({', '.join(checkout.required) or 'no check'})"
    fix = "Settings > Rules > Rulesets: for main, require the status check `required` of image-tests"
    return warn(GROUP, "required check", told, fix)
