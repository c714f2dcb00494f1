"""The model card: what the metadata and the golden requests say, for people."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from model.artefacts import METADATA_FILE
from model.errors import ModelError

GAP = "-"
REMADE_BY = "make model-card"
INPUTS = {"array": "an array: numbers in the order of the features", "data_frame": "a data frame: columns by name"}


def card_of(folder: Path, *, for_commit: bool = False) -> str:
    """Return the card of a trained model's folder, as Markdown.

    A card `for_commit` leaves out what another training of the same commit would change (version, date, checksum,
    libraries): the version is the commit's own, which no file of the commit can know. Raises ModelError where the
    folder is not one that training wrote.
    """
    path = folder / METADATA_FILE
    try:
        metadata = json.loads(path.read_text(encoding="utf-8"))
        path = folder / metadata["golden_requests_file"]
        golden = json.loads(path.read_text(encoding="utf-8"))
        return "\n".join(lines_of(metadata, golden, for_commit=for_commit))
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"card: {path} is not what training writes ({error!r}); make the folder by python -m model train"
        ) from error


def lines_of(metadata: dict[str, Any], golden: dict[str, Any], *, for_commit: bool) -> Iterable[str]:
    """Yield the card's lines."""
    yield f"# {metadata['name']}"
    yield ""
    yield f"<!-- Made from the model's metadata by `{REMADE_BY}`; what is changed here is lost. -->"
    facts = [("predicts", metadata["target"]), ("task", metadata["task"]), ("takes", INPUTS[metadata["input"]])]
    facts += [("trained on", metadata["data"])]
    facts += [(f"parameter {name}", shown(value)) for name, value in metadata["parameters"].items()]
    if not for_commit:
        facts += [("version", metadata["version"]), ("trained at", metadata["trained_at"])]
        facts += [("sha256", f"`{metadata['model_sha256']}`")]
        facts += [("libraries", ", ".join(f"{name} {version}" for name, version in metadata["libraries"].items()))]
    yield from table(("", ""), facts)
    yield from section("Intended use", metadata["intended_use"])
    yield from section("Limits", metadata["limits"])
    yield from section("How well it does", "On rows that training has not seen:")
    yield from table(("metric", "value"), [(name, shown(value)) for name, value in metadata["metrics"].items()])
    yield from section("Features", "The ranges are those of the training rows.")
    rows = [
        (each["name"], each["type"], "yes" if each.get("nullable") else "no", range_of(each))
        for each in metadata["features"]
    ]
    yield from table(("feature", "type", "may be missing", "range"), rows)
    requests = golden["requests"]
    count = sum(len(request["predictions"]) for request in requests)
    said = f"{len(requests)} requests with {count} rows, which each release asks again. The first, and its answer:"
    yield from section("Golden requests", said)
    yield ""
    yield "```json"
    yield json.dumps(rounded(requests[0]["body"]))
    yield json.dumps(rounded(requests[0]["predictions"]))
    yield "```"
    yield ""


def section(title: str, text: str) -> list[str]:
    return ["", f"## {title}", "", text]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a table whose cells cannot break it."""
    escaped = [[cell.replace("|", r"\|").replace("\n", " ") for cell in row] for row in rows]
    return ["", *(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *escaped))]


def range_of(feature: dict[str, Any]) -> str:
    minimum, maximum = feature.get("minimum"), feature.get("maximum")
    return GAP if minimum is None or maximum is None else f"{shown(minimum)} to {shown(maximum)}"


def shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{rounded(value):g}"
    return value if isinstance(value, str) else json.dumps(value)


def rounded(value: Any) -> Any:
    """Return numbers with four digits, of lists and objects too: what another BLAS changes is further down."""
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value
