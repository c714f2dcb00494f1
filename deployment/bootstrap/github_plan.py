"""The part of the plan that is GitHub's: environments with their rules, and the six variables."""

from collections.abc import Callable, Iterator, Mapping

from deployment.bootstrap.facts import AzureFacts, Environment, GitHubFacts, Reviewer
from deployment.bootstrap.steps import CLIENT_ID, LOGIN_SERVER, Fallback, Step
from deployment.bootstrap.wishes import MOST_REVIEWERS, Wishes
from deployment.outcomes import BadInputError

MAIN = "main"
PROTECTION = (
    *("-F", "deployment_branch_policy[protected_branches]=false"),
    *("-F", "deployment_branch_policy[custom_branch_policies]=true"),
)
# The six variables, and what each is of Azure; pipeline/variables.py says what each may look like.
VARIABLES: Mapping[str, Callable[[AzureFacts], str]] = {
    "AZURE_CLIENT_ID": lambda azure: azure.principal.client_id or CLIENT_ID,
    "AZURE_TENANT_ID": lambda azure: azure.account.tenant_id,
    "AZURE_SUBSCRIPTION_ID": lambda azure: azure.account.subscription_id,
    "AZURE_RESOURCE_GROUP": lambda azure: azure.workspace.resource_group,
    "AZUREML_WORKSPACE_NAME": lambda azure: azure.workspace.name,
    "ACR_LOGIN_SERVER": lambda azure: azure.registry.login_server or LOGIN_SERVER,
}
# What GitHub says to a private repository whose plan has no reviewers; it has made the environment nonetheless.
NO_SUCH_PLAN = "billing plan"


def environment_steps(facts: GitHubFacts, wishes: Wishes) -> Iterator[Step]:
    """Yield each environment with main as the one branch that may use it, and the reviewers that were asked for."""
    for name in wishes.environments:
        there = facts.environments.get(name)
        asked = facts.reviewers if wishes.reviewed(name) else ()
        yield rules_step(facts, name, there, asked)
        yield from branch_steps(facts, name, there)


def rules_step(facts: GitHubFacts, name: str, there: Environment | None, asked: tuple[Reviewer, ...]) -> Step:
    """Return the step that sets an environment's rules anew, with all that it has already."""
    has = there.reviewers if there else ()
    missing = tuple(each for each in asked if (each.kind, each.id) not in {(one.kind, one.id) for one in has})
    told = f", asking {', '.join(each.name for each in (*has, *missing))}" if has or missing else ""
    what = f"environment {name} for chosen branches alone{told}"
    if there and there.custom_policies and not missing:
        return Step("GitHub", what)
    if len(has) + len(missing) > MOST_REVIEWERS:
        raise BadInputError(
            f"environment {name}: it has {len(has)} reviewers, and {len(missing)} more would be above the"
            f" {MOST_REVIEWERS} that GitHub takes; take some away in Settings > Environments > {name}"
        )
    path = f"repos/{facts.repository.full_name}/environments/{name}"
    put = ("gh", "api", "--method", "PUT", path, *PROTECTION, *kept(there))
    return Step(
        "GitHub",
        what,
        (*put, *reviewing((*has, *missing))),
        "Azure trusts the environment, so whoever may use it may use the identity",
        replaces=replaced(there),
        otherwise=Fallback(NO_SUCH_PLAN, (*put, *reviewing(has)), without_reviewers(facts, name)) if missing else None,
    )


def replaced(there: Environment | None) -> str:
    if there is None or there.custom_policies:
        return ""
    return "every protected branch may use it" if there.protected_branches else "every branch may use it"


def kept(there: Environment | None) -> tuple[str, ...]:
    """Return the rules that the environment has besides: a PUT that left them out would take them away."""
    if there is None:
        return ()
    fields: tuple[str, ...] = ()
    if there.wait_minutes:
        fields += ("-F", f"wait_timer={there.wait_minutes}")
    if there.prevent_self_review:
        fields += ("-F", "prevent_self_review=true")
    if not there.admins_bypass:
        fields += ("-F", "can_admins_bypass=false")
    return fields


def reviewing(reviewers: tuple[Reviewer, ...]) -> tuple[str, ...]:
    """Return the fields of the reviewers; `gh` begins another one with each `type`."""
    return tuple(
        part
        for each in reviewers
        for part in ("-F", f"reviewers[][type]={each.kind}", "-F", f"reviewers[][id]={each.id}")
    )


def without_reviewers(facts: GitHubFacts, name: str) -> str:
    logins = ",".join(each.name for each in facts.reviewers)
    return (
        f"environment {name} has no reviewers: GitHub does not give them to a private repository of this plan. So "
        "nobody is asked before traffic moves. Who may promote can be limited instead: gh variable set PROMOTERS --repo"
        f" {facts.repository.full_name} --body {logins}"
    )


def branch_steps(facts: GitHubFacts, name: str, there: Environment | None) -> Iterator[Step]:
    """Yield what leaves main as the one branch that may use the environment."""
    policies = there.policies if there else ()
    path = f"repos/{facts.repository.full_name}/environments/{name}/deployment-branch-policies"
    is_there = any((each.name, each.kind) == (MAIN, "branch") for each in policies)
    add = ("gh", "api", "--method", "POST", path, "-f", f"name={MAIN}")
    yield Step("GitHub", f"environment {name} for the branch {MAIN}", () if is_there else add)
    for each in policies:
        if (each.name, each.kind) != (MAIN, "branch"):
            remove = ("gh", "api", "--method", "DELETE", f"{path}/{each.id}")
            what = f"environment {name} no longer for the {each.kind} {each.name}"
            yield Step(
                "GitHub", what, remove, "it is for main alone", replaces=f"the {each.kind} {each.name} may use it"
            )


def variable_steps(facts: GitHubFacts, azure: AzureFacts) -> Iterator[Step]:
    """Yield the six variables; none of them is a secret."""
    for name, value in variables_of(azure).items():
        there = facts.variables.get(name)
        what = f"variable {name} = {value}"
        if there == value:
            yield Step("GitHub", what)
            continue
        command = ("gh", "variable", "set", name, "--repo", facts.repository.full_name, "--body", value)
        yield Step("GitHub", what, command, replaces=there or "")


def variables_of(azure: AzureFacts) -> dict[str, str]:
    return {name: value_of(azure) for name, value_of in VARIABLES.items()}


def notes_of(facts: GitHubFacts, wishes: Wishes) -> Iterator[str]:
    """Yield what is worth knowing before one says yes."""
    repository = facts.repository
    if repository.default_branch != MAIN:
        yield f"the default branch is {repository.default_branch}, and the workflows are for {MAIN}: rename it"
    production = facts.environments.get("production")
    if not wishes.reviewers and not (production and production.reviewers):
        yield "nobody is asked before traffic moves in production: name who is by --reviewer LOGIN"
    elif wishes.reviewers and repository.private:
        yield (
            "private repositories have reviewers on GitHub Enterprise alone; where GitHub refuses them, this goes on "
            "without and says what to do instead"
        )
