"""Whether this repository is connected to Azure, and what is left to do for that."""

from collections.abc import Mapping

from deployment.github import add_summary, annotate, set_output
from pipeline.environment import require
from pipeline.errors import PipelineError
from pipeline.markdown import plain, table
from pipeline.variables import NEEDED, missing_of, read_variables, refuse_unless_complete

ENVIRONMENTS = (
    ("registry", "build-image", "pushes images, nobody is asked"),
    ("production", "promote before traffic moves, teardown", "add required reviewers here"),
    ("production-unattended", "everything else that touches the endpoint", "nobody is asked"),
    ("staging", "the same for the endpoint of staging", "as you like"),
    ("staging-unattended", "the same for the endpoint of staging", "nobody is asked"),
)
CONNECT = """\
Nothing is wrong: pull requests are tested without Azure, and what needs it was left out. To connect it, run
`make bootstrap` in a clone of this repository (docs/bootstrap.md), or do by hand what that does:

1. Create the five environments below, and let each be deployed to from the branch main only: Settings > Environments >
   NAME > Deployment branches > Selected branches: main. Or, for each of them, and before it has reviewers, as the first
   call sets all its rules anew:

   ```
   gh api -X PUT repos/OWNER/REPO/environments/NAME -F 'deployment_branch_policy[protected_branches]=false' \\
     -F 'deployment_branch_policy[custom_branch_policies]=true'
   gh api -X POST repos/OWNER/REPO/environments/NAME/deployment-branch-policies -f name=main
   ```

   Azure trusts the subject of step 3, which names the environment and no branch: without this rule, a workflow that
   somebody has changed on any branch can use the identity. The branch has to be called main.
2. Make a user-assigned managed identity, or an app registration, and give it the role AcrPush on the registry and
   AzureML Data Scientist and Reader on the workspace's resource group.
3. Add a federated credential to it for each environment, with the issuer
   `https://token.actions.githubusercontent.com`, the audience `api://AzureADTokenExchange` and this subject:
   - repository made or renamed since 2026-07-15: `repo:OWNER@OWNER_ID/REPO@REPO_ID:environment:NAME`
   - older: `repo:OWNER/REPO:environment:NAME`

   `gh api repos/OWNER/REPO --jq '.owner.id, .id'` prints both numbers. There is no secret to store.
4. Set the variables below, for the repository or for each environment: Settings > Secrets and variables > Actions >
   Variables, or `gh variable set NAME` (`--env NAME` for an environment's own).
"""
FURTHER = """\
Optional variables: `ATTEST` = `true` attests images of a private repository too (GitHub Enterprise Cloud), `PROMOTERS`
names who may promote (logins with commas), `GUARD_REPAIR` = `true` lets the scheduled guard repair what it finds.

The endpoint of production is the one that deployment/endpoint.yml names; that of staging is another one, which has
`-staging` behind the name.

A private repository below GitHub Enterprise has no required reviewers; there, `PROMOTERS` limits who may promote.
The file docs/workflows.md has more.
"""


def configured(environ: Mapping[str, str]) -> None:
    """Give the outputs azure and attest; raises PipelineError where the connection is there by half."""
    found = read_variables(environ)
    (visibility,) = require(environ, "VISIBILITY")
    if len(missing_of(found)) == len(NEEDED):
        set_output("azure", "false")
        set_output("attest", "false")
        add_summary(how_to_connect())
        annotate("notice", "Azure is not connected", "What needs it was left out; the summary says how to connect it.")
        return
    try:
        refuse_unless_complete(found)
    except PipelineError:
        add_summary(by_half(found))
        raise
    attest = visibility == "public" or is_true(found.get("ATTEST", ""))
    set_output("azure", "true")
    set_output("attest", "true" if attest else "false")
    add_summary(connected(found, visibility, attest=attest))


def how_to_connect() -> str:
    """Return what a newcomer has to do, and where."""
    environments = table(("environment", "used by", "protection"), ENVIRONMENTS)
    variables = table(("variable", "what it is"), ((each.name, each.meaning) for each in NEEDED))
    return f"## Azure is not connected yet\n\n{CONNECT}\n{environments}\n\n{variables}\n\n{FURTHER}"


def by_half(found: Mapping[str, str]) -> str:
    rows = []
    for each in NEEDED:
        value = found.get(each.name)
        state = "not set" if value is None else "set" if each.form.fullmatch(value) else f"not {each.form_told}"
        rows.append((each.name, state, each.meaning))
    told = "Set what is missing, or delete all of them to leave Azure out."
    return f"## Azure is connected by half\n\n{told}\n\n{table(('variable', '', 'what it is'), rows)}"


def connected(found: Mapping[str, str], visibility: str, *, attest: bool) -> str:
    why = f"the repository is {visibility or 'of unknown visibility'}, ATTEST is {attest_told(found)}"
    told = f"Images are {'attested' if attest else 'not attested'}: {plain(why)}."
    # Not their values: whoever sees a public repository sees its summaries.
    states = table(("variable", "", "what it is"), ((each.name, "set", each.meaning) for each in NEEDED))
    return f"## Azure is connected\n\n{told}\n\n{states}"


def attest_told(found: Mapping[str, str]) -> str:
    if "ATTEST" not in found:
        return "not set"
    return "true" if is_true(found["ATTEST"]) else "not true"


def is_true(value: str) -> bool:
    return value.strip().lower() == "true"
