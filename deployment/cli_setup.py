"""The commands before everything else: connect a fork to Azure, and see what is missing."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from deployment.bootstrap.run import bootstrap as connect_repository
from deployment.bootstrap.wishes import RegistrySku, SubjectForm, Wishes
from deployment.display import make_console
from deployment.doctor.configuration import MODEL_DIR
from deployment.doctor.diagnosis import diagnose
from deployment.doctor.rows import Standing
from deployment.doctor.showing import as_json, show_rows
from deployment.outcomes import EXIT_BAD_INPUT, BadInputError

NO_TERMINAL = "bootstrap: there is no terminal to ask in; look at the plan by --dry-run, and run it with --yes"


def bootstrap(
    subscription: Annotated[
        str, typer.Option(envvar="AZURE_SUBSCRIPTION_ID", help="Name or id; default: the one `az` uses.")
    ] = "",
    location: Annotated[
        str,
        typer.Option(envvar="AZURE_LOCATION", help="Region of what is made; default: the group's, else westeurope."),
    ] = "",
    resource_group: Annotated[
        str, typer.Option(envvar="AZURE_RESOURCE_GROUP", help="Default: the workspace's, else rg-REPO.")
    ] = "",
    workspace: Annotated[str, typer.Option(envvar="AZUREML_WORKSPACE_NAME", help="Default: mlw-REPO.")] = "",
    registry: Annotated[
        str,
        typer.Option(envvar="ACR_LOGIN_SERVER", help="Name or host; default: the workspace's own, else a new one."),
    ] = "",
    registry_sku: Annotated[RegistrySku, typer.Option(help="Of a registry that is made.")] = RegistrySku.BASIC,
    identity: Annotated[str, typer.Option(help="Who the workflows are; default: id-REPO-github.")] = "",
    app: Annotated[
        bool, typer.Option("--app", help="An app registration in place of a user-assigned identity.")
    ] = False,
    repository: Annotated[
        str, typer.Option(envvar="GITHUB_REPOSITORY", help="OWNER/REPO; default: that of the remote origin.")
    ] = "",
    reviewer: Annotated[
        list[str] | None, typer.Option(help="A login that is asked before traffic moves in production; repeatable.")
    ] = None,
    review_staging: Annotated[bool, typer.Option("--review-staging", help="They are asked for staging too.")] = False,
    staging: Annotated[bool, typer.Option("--staging/--no-staging", help="Whether there is a staging.")] = True,
    subject_form: Annotated[
        SubjectForm, typer.Option(help="How tokens name the repository; auto asks GitHub, then takes its day.")
    ] = SubjectForm.AUTO,
    region_role: Annotated[
        bool,
        typer.Option("--region-role/--no-region-role", help="A custom role by which preflight reads the quota."),
    ] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan, and touch nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Connect this repository to Azure by `az` and `gh`: shows the whole plan, asks, acts; may be repeated.

    What is there already is found and left as it is. No secret is made, and none is stored.
    """
    wishes = Wishes(
        subscription=subscription,
        location=location,
        resource_group=resource_group,
        workspace=workspace,
        registry=registry,
        registry_sku=registry_sku,
        identity=identity,
        app=app,
        repository=repository,
        reviewers=tuple(reviewer or ()),
        review_staging=review_staging,
        staging=staging,
        subject_form=subject_form,
        region_role=region_role,
    )
    connect_repository(wishes, make_console(), dry_run=dry_run, confirm=lambda: yes or confirmed())


def confirmed() -> bool:
    """Ask; raises BadInputError where nobody can answer."""
    if not sys.stdin.isatty():
        raise BadInputError(NO_TERMINAL)
    return typer.confirm("Do all of this?")


def doctor(
    model_dir: Annotated[Path, typer.Option(help="Folder of the model that is looked at.")] = MODEL_DIR,
    for_machines: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
) -> None:
    """Look at the machine, the configuration, Azure, GitHub and the emulator, and say what to do about each.

    What is not set up is skipped and no fault. Touches nothing, asks Azure only where the environment names a
    workspace, and prints no secret.
    """
    # Before the checks: the SDK's own output is kept away from stdout while it is asked.
    console = make_console()
    with console.status("looking") if console.is_terminal and not for_machines else nullcontext():
        rows = tuple(diagnose(model_dir=model_dir))
    if for_machines:
        console.file.write(as_json(rows) + "\n")
    else:
        show_rows(console, rows)
    console.file.flush()
    raise SystemExit(EXIT_BAD_INPUT if any(row.standing is Standing.FAIL for row in rows) else 0)


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command(
        epilog="Example: python -m deployment bootstrap --reviewer octocat --dry-run. "
        "Exit codes: 0 done, or nothing to do, 2 bad input, 20 az or gh refused."
    )(bootstrap)
    app.command(epilog="Example: python -m deployment doctor --json. Exit codes: 0 unless a row is fail, which is 2.")(
        doctor
    )
