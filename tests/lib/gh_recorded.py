"""A `gh` with one repository behind it: what bootstrap and doctor ask of it and set by it, and not one call more.

The repository is a fork: where `gh` is not told which one is meant, it takes the one that this was forked from.

`gh api` reads its fields as the real one does (cli/cli, pkg/cmd/api/fields.go), and a PUT of an environment replaces
all of its rules, as on GitHub.
"""

import re
import sys
from collections.abc import Sequence
from typing import Any

from tests.lib.recorded import Call, Given, RefusedError, State, answered, run_as_program

REPOSITORY, UPSTREAM = "octocat/hello-world", "upstream/template"
IDS = {"octocat": 583231, "hubot": 480938}
CALLS = (
    Call(("repo", "view"), ("--json",)),
    Call(("variable", "list"), ("--repo", "--json")),
    Call(("variable", "set"), (), ("--repo", "--body"), changes=True),
    Call(("api",)),
)
NO_PLAN = (
    "gh: Failed to create the environment protection rule. Please ensure the billing plan supports the required"
    " reviewers protection rule. (HTTP 422)"
)


def new_github(*, created_at: str = "2026-09-01T10:00:00Z", private: bool = False) -> State:
    """Return a repository that was made from the template and left as it was."""
    return {
        "repository": {
            "full_name": REPOSITORY,
            "id": 1296269,
            "owner": {"login": "octocat", "id": 583231},
            "created_at": created_at,
            "private": private,
            "default_branch": "main",
            "permissions": {"admin": True},
        },
        "origin": "git@github.com:octocat/hello-world.git",
        "subject": None,
        "environments": {},
        "policies": {},
        "variables": {},
        "required_checks": None,
        "has_reviewers": True,
    }


def answer(state: State, arguments: Sequence[str]) -> str:
    """Carry out one call, and return what gh prints."""
    if list(arguments[:1]) == ["api"]:
        return answered("gh", (Call(tuple(arguments), changes="--method" in arguments),), api, state, arguments)
    if list(arguments[:2]) == ["repo", "view"] and not arguments[2].startswith("-"):
        calls = (Call(("repo", "view", arguments[2]), ("--json",)),)
        return answered("gh", calls, view, state, arguments)
    if list(arguments[:2]) == ["variable", "set"]:
        calls = (Call(("variable", "set", arguments[2]), ("--repo", "--body"), changes=True),)
        return answered("gh", calls, set_variable, state, arguments)
    return answered("gh", CALLS, tell, state, arguments)


def view(state: State, given: Given) -> Any:
    asked = re.fullmatch(
        r"(?:git@github\.com:|(?:https|ssh)://github\.com/)([^/]+/[^/]+?)(?:\.git)?", given.call.words[2]
    )
    if asked is None or asked[1] != state["repository"]["full_name"]:
        raise RefusedError("GraphQL: Could not resolve to a Repository with that name. (repository)")
    return {"nameWithOwner": asked[1]}


def tell(state: State, given: Given) -> Any:
    if given.call.words == ("repo", "view"):
        return {"nameWithOwner": UPSTREAM}
    return [{"name": name, "value": value} for name, value in state["variables"].items()]


def set_variable(state: State, given: Given) -> Any:
    state["variables"][given.call.words[2]] = given["--body"]


def api(state: State, given: Given) -> Any:
    """Carry out a call of GitHub's REST API."""
    method, path, fields = read_api(given.call.words[1:])
    prefix = f"repos/{state['repository']['full_name']}"
    if path == prefix and method == "GET":
        return state["repository"]
    if path.startswith("users/") and method == "GET":
        login = path.removeprefix("users/")
        if login not in IDS:
            raise RefusedError("gh: Not Found (HTTP 404)")
        return {"login": login, "id": IDS[login]}
    if not path.startswith(f"{prefix}/"):
        raise RefusedError("gh: Not Found (HTTP 404)")
    return of_repository(state, method, path.removeprefix(f"{prefix}/").partition("?")[0].split("/"), fields)


def of_repository(state: State, method: str, parts: list[str], fields: Any) -> Any:
    policies = state["policies"]
    match (method, *parts):
        case ("GET", "actions", "oidc", "customization", "sub"):
            answer = found(state["subject"])
        case ("GET", "rules", "branches", "main"):
            answer = state.get("rules", [])
        case ("GET", "branches", "main", "protection", "required_status_checks"):
            answer = found(state["required_checks"])
        case ("GET", "environments", name):
            answer = found(state["environments"].get(name))
        case ("PUT", "environments", name):
            answer = put_environment(state, name, fields)
        case ("GET", "environments", name, "deployment-branch-policies"):
            answer = {"branch_policies": policies.get(name, [])}
        case ("POST", "environments", name, "deployment-branch-policies"):
            answer = add_policy(state, name, fields["name"])
        case ("DELETE", "environments", name, "deployment-branch-policies", number):
            policies[name] = [each for each in policies[name] if each["id"] != int(number)]
            answer = None
        case _:
            raise RefusedError("gh: Not Found (HTTP 404)")
    return answer


def found(value: Any) -> Any:
    if value is None:
        raise RefusedError("gh: Not Found (HTTP 404)")
    return value


def put_environment(state: State, name: str, fields: Any) -> Any:
    # GitHub makes the environment first, also where it then refuses its rules.
    reviewers = fields.get("reviewers", [])
    refused = bool(reviewers) and not state["has_reviewers"]
    kept = {} if refused else fields
    state["environments"][name] = an_environment(name, kept)
    if refused:
        raise RefusedError(NO_PLAN)
    if not (kept.get("deployment_branch_policy") or {}).get("custom_branch_policies"):
        state["policies"].pop(name, None)
    return state["environments"][name]


def an_environment(name: str, fields: Any) -> Any:
    """Return an environment as GitHub describes it, with what a PUT gave it."""
    rules: list[Any] = []
    if fields.get("wait_timer"):
        rules.append({"type": "wait_timer", "wait_timer": fields["wait_timer"]})
    if fields.get("reviewers"):
        reviewers = [
            {"type": each["type"], "reviewer": {"id": each["id"], "login": login_of(each["id"])}}
            for each in fields["reviewers"]
        ]
        of_self = bool(fields.get("prevent_self_review"))
        rules.append({"type": "required_reviewers", "prevent_self_review": of_self, "reviewers": reviewers})
    return {
        "name": name,
        "protection_rules": rules,
        "deployment_branch_policy": fields.get("deployment_branch_policy"),
        "can_admins_bypass": fields.get("can_admins_bypass", True),
    }


def login_of(number: int) -> str:
    return next(login for login, each in IDS.items() if each == number)


def add_policy(state: State, name: str, branch: str) -> Any:
    environment = found(state["environments"].get(name))
    if not (environment["deployment_branch_policy"] or {}).get("custom_branch_policies"):
        raise RefusedError("gh: Not Found (HTTP 404)")
    policies = state["policies"].setdefault(name, [])
    policies.append({"id": 100 + len(policies), "name": branch, "type": "branch"})
    return policies[-1]


def read_api(arguments: Sequence[str]) -> tuple[str, str, dict[str, Any]]:
    """Return the method, the path and the fields of a call of the API."""
    method, paths = "GET", []
    fields: dict[str, Any] = {}
    rest = list(arguments)
    while rest:
        part = rest.pop(0)
        if part == "--method":
            method = rest.pop(0)
        elif part in ("-F", "-f"):
            key, _, value = rest.pop(0).partition("=")
            put_field(fields, key, typed(value) if part == "-F" else value)
        elif part.startswith("-"):
            raise RefusedError(f"unknown flag: {part}")
        else:
            paths.append(part)
    (path,) = paths
    return method, path, fields


def typed(value: str) -> Any:
    if value in ("true", "false"):
        return value == "true"
    return int(value) if value.isdecimal() else value


def put_field(fields: dict[str, Any], key: str, value: Any) -> None:
    name, *inner = key.replace("]", "").split("[")
    if not inner:
        fields[name] = value
    elif inner[0]:
        fields.setdefault(name, {})[inner[0]] = value
    else:
        entries = fields.setdefault(name, [])
        # A key that the last entry has already begins the next one.
        if not entries or inner[1] in entries[-1]:
            entries.append({})
        entries[-1][inner[1]] = value


if __name__ == "__main__":
    sys.exit(run_as_program(answer, sys.argv[1:]))
