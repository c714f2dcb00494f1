"""Bootstrap from the command line's wishes to its exit code: read, plan, show, ask, act."""

import os
from collections.abc import Callable, Mapping

from rich.console import Console
from rich.text import Text

from deployment.azure_names import CLOUD, METADATA_ADDRESS, points_at_emulator
from deployment.bootstrap.acting import PAUSE_S, Done, carry_out
from deployment.bootstrap.facts import Facts
from deployment.bootstrap.plan import make_plan
from deployment.bootstrap.reading_azure import read_account, read_azure
from deployment.bootstrap.reading_github import read_github, read_repository
from deployment.bootstrap.showing import show_plan, show_results
from deployment.bootstrap.steps import Plan, Step
from deployment.bootstrap.tools import Reader, Run, run_tool
from deployment.bootstrap.wishes import Wishes
from deployment.endpoint_name import name_in
from deployment.manifests import EndpointFile, read_manifest
from deployment.outcomes import BadInputError
from deployment.releasing import Paths
from deployment.settings import read_settings

NEXT = "Connected. `make doctor` looks at all of it; then start build-image and promote from the Actions page."


def bootstrap(
    wishes: Wishes,
    console: Console,
    *,
    dry_run: bool,
    confirm: Callable[[], bool],
    run: Run = run_tool,
    environ: Mapping[str, str] = os.environ,
    pause_s: float = PAUSE_S,
) -> None:
    """Connect the repository to Azure, as far as it is not connected already; raises ReleaseError."""
    refuse_emulator(environ)
    with console.status("reading what is there"):
        plan = make_plan(read_facts(Reader(run), wishes), wishes)
    show_plan(console, plan)
    if dry_run or not plan.to_do:
        return
    if not confirm():
        console.print("Nothing was touched.")
        return
    show_results(console, act(plan, run, console, pause_s))
    console.print(NEXT)


def act(plan: Plan, run: Run, console: Console, pause_s: float) -> list[Done]:
    """Carry the plan out; what was done by then is shown too where a step fails, which is raised."""
    done: list[Done] = []

    def started(number: int, step: Step) -> None:
        console.print(Text(f"{number:>3}/{len(plan.steps)}  {step.what}"))

    try:
        # One by one: what is done by then is what is shown where one fails.
        done.extend(carry_out(plan, run, started, pause_s=pause_s))
    except BaseException:
        show_results(console, done)
        console.print("The rest was not done. Run this again: it goes on from there.")
        raise
    return done


def read_facts(read: Reader, wishes: Wishes) -> Facts:
    repository = read_repository(read, wishes)
    if not repository.is_admin:
        raise BadInputError(
            f"{repository.full_name}: whoever `gh` is logged in as is no admin there, so GitHub would refuse the "
            "environments and the variables; name your own repository by --repository, or let an admin run this"
        )
    paths = Paths()
    autoscale = read_settings(paths.settings_file).autoscale.enabled
    account = read_account(read, wishes.subscription)
    name = read_manifest(EndpointFile, paths.endpoint_file).name
    endpoints = [name_in(each, name) for each in ("production", *(("staging",) if wishes.staging else ()))]
    azure = read_azure(read, wishes, account, repository.full_name, endpoints)
    return Facts(azure, read_github(read, wishes, repository), autoscale)


def refuse_emulator(environ: Mapping[str, str]) -> None:
    """Raise BadInputError where the environment leads to an emulator: its names would go to the real Azure."""
    if points_at_emulator(environ):
        found = [name for name in (METADATA_ADDRESS, CLOUD) if environ.get(name)]
        raise BadInputError(
            f"bootstrap: {' and '.join(found)} lead to an emulator, which has nothing to connect; run this in a "
            "terminal in which nothing of it was exported"
        )
