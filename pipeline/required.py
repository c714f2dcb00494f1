"""The one check that branch protection asks for: whether every job that had to succeed did."""

from collections.abc import Mapping, Sequence

from deployment.github import add_summary
from pipeline.environment import json_object
from pipeline.errors import EXIT_REFUSED, PipelineError
from pipeline.markdown import table

SUCCESS, SKIPPED = "success", "skipped"


def required(environ: Mapping[str, str], may_skip: Sequence[str]) -> None:
    """Raise PipelineError naming each job that did not succeed, or was skipped and must not be."""
    needs = json_object(environ, "NEEDS", "${{ toJSON(needs) }}")
    if not needs:
        raise PipelineError("NEEDS names no job, so nothing was checked; give the job `needs:`")
    if unknown := sorted(set(may_skip) - set(needs)):
        raise PipelineError(f"--may-skip {' '.join(unknown)}: no such job is needed; there are {', '.join(needs)}")
    results = {job: result_of(found) for job, found in needs.items()}
    good = {job: result == SUCCESS or (result == SKIPPED and job in may_skip) for job, result in results.items()}
    rows = [(job, result, "" if good[job] else "must succeed") for job, result in results.items()]
    add_summary(f"## Required jobs\n\n{table(('job', 'result', ''), rows)}")
    if bad := [f"job {job}: {results[job]}, and it must succeed" for job in results if not good[job]]:
        raise PipelineError(*bad, exit_code=EXIT_REFUSED)


def result_of(found: object) -> str:
    return str(found.get("result", "without a result")) if isinstance(found, dict) else "without a result"
