"""What a release leaves in its folder: evidence for people and for its own later phases, never the truth."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from deployment.outcomes import BadInputError
from load.report_data import SmokeCheck


@dataclass(frozen=True)
class Evidence:
    """The files of one release."""

    folder: Path

    @property
    def journal_path(self) -> Path:
        return self.folder / "journal.jsonl"

    @property
    def rows_path(self) -> Path:
        return self.folder / "rows.csv.gz"

    @property
    def smoke_path(self) -> Path:
        return self.folder / "smoke.json"

    def log_path(self, deployment: str, container: str) -> Path:
        return self.folder / f"{deployment}-{container}.log"

    def forget_measurements(self) -> None:
        """Remove what was measured of a deployment that is not there any more."""
        for path in (self.smoke_path, self.rows_path):
            path.unlink(missing_ok=True)

    def keep_smoke(self, image: str, checks: tuple[SmokeCheck, ...]) -> None:
        """Store what the candidate answered, and of which image it was."""
        self.folder.mkdir(parents=True, exist_ok=True)
        document = {"image": image, "checks": [asdict(check) for check in checks]}
        self.smoke_path.write_text(json.dumps(document, indent=1), encoding="utf-8")

    def read_smoke(self, image: str) -> tuple[SmokeCheck, ...]:
        """Return the smoke test's results; none where it has not run here, or was of another image.

        Raises BadInputError where the file is damaged.
        """
        if not self.smoke_path.exists():
            return ()
        try:
            document = json.loads(self.smoke_path.read_text(encoding="utf-8"))
            checks = tuple(SmokeCheck(**check) for check in document["checks"])
            return checks if document["image"] == image else ()
        except (ValueError, KeyError, TypeError) as error:
            raise BadInputError(f"smoke: {self.smoke_path} cannot be read ({error}); run `smoke` again") from error
