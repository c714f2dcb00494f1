"""The subject of the tokens that GitHub gives to a job, which Azure compares letter for letter.

https://docs.github.com/actions/reference/security/oidc#immutable-subject-claims
"""

import re
from dataclasses import dataclass

from deployment.bootstrap.facts import Repository
from deployment.bootstrap.wishes import SubjectForm
from deployment.outcomes import BadInputError

IMMUTABLE_SINCE = "2026-07-15"
OF_REPOSITORY = re.compile(r"repo:(?P<owner>[^/@:]+)(?:@\d+)?/(?P<name>[^@:]+)(?:@(?P<id>\d+))?:")


@dataclass(frozen=True)
class Subjects:
    """The subjects of one repository: how they begin, which form that is, and why it was taken."""

    prefix: str
    form: SubjectForm
    why: str

    def of(self, environment: str) -> str:
        return f"{self.prefix}:environment:{environment}"


def immutable_prefix(repository: Repository) -> str:
    owner, _, name = repository.full_name.partition("/")
    return f"repo:{owner}@{repository.owner_id}/{name}@{repository.id}"


def name_prefix(repository: Repository) -> str:
    return f"repo:{repository.full_name}"


def is_of_another(repository: Repository, subject: str) -> bool:
    """Tell whether a subject, in either form, is that of another repository; of a renamed one only its id tells."""
    found = OF_REPOSITORY.match(subject)
    if found is None:
        return False
    if found["id"]:
        return int(found["id"]) != repository.id
    return f"{found['owner']}/{found['name']}".lower() != repository.full_name.lower()


def subjects_of(repository: Repository, form: SubjectForm) -> Subjects:
    """Return the subjects of a repository.

    Asked for `auto`, what GitHub says of itself goes before the day that the repository was made, since a rename or a
    transfer after 2026-07-15 changes the form too and shows in no date.
    """
    if form is not SubjectForm.AUTO:
        prefix = immutable_prefix(repository) if form is SubjectForm.IMMUTABLE else name_prefix(repository)
        return Subjects(prefix, form, f"--subject-form {form} asks for it")
    if repository.default_subject is False:
        raise BadInputError(
            f"{repository.full_name}: its tokens have a subject of its own making (Actions > OIDC: use_default is"
            f" false), and this cannot tell which; let it use the default (gh api -X PUT"
            f" repos/{repository.full_name}/actions/oidc/customization/sub -F use_default=true), or name the form that"
            " it has by --subject-form"
        )
    if repository.subject_prefix:
        immutable = "@" in repository.subject_prefix
        told = SubjectForm.IMMUTABLE if immutable else SubjectForm.NAME
        return Subjects(repository.subject_prefix, told, "GitHub tells it (actions/oidc/customization/sub)")
    if repository.immutable_subject is not None:
        told = SubjectForm.IMMUTABLE if repository.immutable_subject else SubjectForm.NAME
        prefix = immutable_prefix(repository) if repository.immutable_subject else name_prefix(repository)
        return Subjects(prefix, told, "GitHub tells it (use_immutable_subject)")
    return by_day(repository)


def by_day(repository: Repository) -> Subjects:
    """Return the subjects by the day that the repository was made, where GitHub does not tell their form."""
    day = repository.created_at[:10]
    if day >= IMMUTABLE_SINCE:
        why = f"the repository was made on {day}, and since {IMMUTABLE_SINCE} all are so"
        return Subjects(immutable_prefix(repository), SubjectForm.IMMUTABLE, why)
    why = (
        f"the repository was made on {day}, before {IMMUTABLE_SINCE}; if it was renamed or transferred since then, "
        "give --subject-form immutable"
    )
    return Subjects(name_prefix(repository), SubjectForm.NAME, why)
