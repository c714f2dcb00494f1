"""The command line: `python3 -m pipeline --help`."""

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from deployment.github import annotate
from pipeline.approval import approval
from pipeline.base_image import base_image
from pipeline.comment import comment
from pipeline.configured import configured
from pipeline.dispatch import dispatch
from pipeline.errors import PipelineError
from pipeline.link import link
from pipeline.required import required
from pipeline.variables import variables

Run = Callable[[Mapping[str, str], argparse.Namespace], None]
PROGRAM = "python3 -m pipeline"


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands, each with an example."""
    described = "What the workflows of .github/workflows do besides releasing; needs Python 3.11 or newer, and no more."
    top = argparse.ArgumentParser(prog=PROGRAM, description=described)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, told: str, example: str, run: Run) -> argparse.ArgumentParser:
        epilog = f"Example: {example}"
        added = commands.add_parser(name, help=told, description=told, epilog=epilog)
        added.set_defaults(run=run)
        return added

    add(
        "configured",
        "Tell whether the variables that connect Azure are there: outputs azure and attest.",
        f"VARIABLES='{{}}' VISIBILITY=public {PROGRAM} configured",
        lambda environ, _: configured(environ),
    )
    add(
        "variables",
        "Hand the variables that connect Azure, and the endpoint's name, to the job's later steps, the ids as outputs.",
        f'ENVIRONMENT=staging-unattended VARIABLES=\'{{"AZURE_CLIENT_ID": "..."}}\' {PROGRAM} variables',
        lambda environ, _: variables(environ),
    )
    add(
        "dispatch",
        "Check what a person has asked for: confirmation, branch, actor, environment, image, profile and steps.",
        f"ACTOR=me CONFIRMATION=diabetes-staging REF=refs/heads/main ENVIRONMENT=staging PROMOTERS= {PROGRAM} dispatch",
        lambda environ, _: dispatch(environ),
    )
    add(
        "approval",
        "Tell who is asked before traffic moves on the environment; warn where nobody is.",
        "ENVIRONMENT=production GITHUB_API_URL=https://api.github.com GITHUB_REPOSITORY=me/models GITHUB_TOKEN=... "
        f"{PROGRAM} approval",
        lambda environ, _: approval(environ),
    )
    gate = add(
        "required",
        "End with 1 unless every needed job (NEEDS, as toJSON(needs)) succeeded.",
        f'NEEDS=\'{{"lint": {{"result": "success"}}}}\' {PROGRAM} required --may-skip comment',
        lambda environ, given: required(environ, given.may_skip),
    )
    gate.add_argument("--may-skip", nargs="*", default=[], action="extend", metavar="JOB", help="may be skipped too")
    said = add(
        "comment",
        "Write a report's comment.md into a pull request, in place of the one that an earlier run wrote.",
        f"{PROGRAM} comment --file reports/pull-request/comment.md --pull-request 7",
        lambda environ, given: comment(environ, given.file, given.pull_request),
    )
    said.add_argument("--file", type=Path, required=True, help="the comment; its first line is its marker")
    said.add_argument("--pull-request", type=positive, required=True, metavar="N", help="the pull request's number")
    base = add(
        "base-image",
        "Build another commit's image with that commit's own code: output image, empty where it cannot be built.",
        f"{PROGRAM} base-image --commit 0123abc --output artifacts/base",
        lambda environ, given: base_image(environ, given.commit, given.output),
    )
    base.add_argument("--commit", required=True, metavar="SHA", help="the commit; this clone has to know it")
    base.add_argument("--output", type=Path, required=True, metavar="DIR", help="where its model is copied to")
    linked = add(
        "link",
        "Add a link to the job's summary.",
        f'{PROGRAM} link --title "The load report" --url https://example.com/report.html',
        lambda _, given: link(given.title, given.url),
    )
    linked.add_argument("--title", required=True, help="what the link says")
    linked.add_argument("--url", required=True, help="where it leads")
    return top


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(f"{text} is less than 1")
    return number


def main(arguments: list[str] | None = None) -> int:
    """Run a command; what was wrong is one line each on stderr, an annotation, and an exit code."""
    given = parser().parse_args(arguments)
    try:
        given.run(os.environ, given)
    except PipelineError as error:
        for message in error.messages:
            sys.stderr.write(f"error: {message}\n")
            annotate("error", f"{PROGRAM} {given.command}", message)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
