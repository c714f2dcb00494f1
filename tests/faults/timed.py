"""`python -m tests.faults.timed`: one release with nothing measured and nothing baked, the SDK's import included."""

import sys
from pathlib import Path

from deployment.golden import read_artefacts
from deployment.outcomes import Outcome
from tests.faults import running


def main() -> None:
    """Release an image of the real service and exit with how that ended."""
    folder, endpoint, release_id, image, model_dir = sys.argv[1:]
    rollout = running.Site(Path(folder), endpoint).rollout(release_id, image, read_artefacts(Path(model_dir)))
    result = rollout.promote()
    sys.stderr.write(f"{result.outcome}: {result.sentence}\n")
    raise SystemExit(result.outcome is not Outcome.PROMOTED)


if __name__ == "__main__":
    main()
