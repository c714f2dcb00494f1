"""The whole plan, from what was read: no process is started here."""

from collections.abc import Iterator

from deployment.bootstrap.azure_plan import credential_steps, identity_steps, resource_steps
from deployment.bootstrap.facts import AzureFacts, Facts
from deployment.bootstrap.github_plan import environment_steps, notes_of, variable_steps
from deployment.bootstrap.role_plan import role_steps, without_identity
from deployment.bootstrap.steps import Plan, Step
from deployment.bootstrap.subjects import subjects_of
from deployment.bootstrap.wishes import Wishes


def make_plan(facts: Facts, wishes: Wishes) -> Plan:
    """Return every step in its order; raises BadInputError where it could not be carried out."""
    azure, github = facts.azure, facts.github
    subjects = subjects_of(github.repository, wishes.subject_form)
    steps = (
        *resource_steps(azure, wishes),
        *identity_steps(azure, wishes),
        # Before the identity is trusted: an environment that everybody may use would let everybody use it.
        *environment_steps(github, wishes),
        *credential_steps(azure, wishes, subjects, github.repository),
        *role_steps(azure, region_role=wishes.region_role, autoscale=facts.autoscale),
        *variable_steps(github, azure),
    )
    account = azure.account
    told = (
        ("subscription", f"{account.subscription_name} ({account.subscription_id}), as {account.user}"),
        ("repository", github.repository.full_name),
        ("subject", f"{subjects.form}: {subjects.why}"),
    )
    return Plan(told, without_repetitions(steps), (*azure_notes(azure), *notes_of(github, wishes)))


def without_repetitions(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    return tuple(dict.fromkeys(steps))


def azure_notes(azure: AzureFacts) -> Iterator[str]:
    registry = azure.registry
    if registry.admin_user:
        yield (
            f"registry {registry.name} has its admin user switched on, whose password anybody can carry away: az acr "
            f"update --name {registry.name} --admin-enabled false"
        )
    yield from without_identity(azure)
