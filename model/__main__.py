"""`python -m model`: from train() to a folder that can be served, its card, and a model to begin with."""

import importlib
from pathlib import Path
from typing import Annotated

import typer

from model.artefacts import write_artefacts
from model.card import card_of
from model.errors import EXIT_BAD_INPUT, ModelError
from model.faulty import Variant
from model.new_model import NEXT_STEPS, ROOT, Kind
from model.new_model import new_model as write_new_model
from model.trained import Trained

OWN_MODULE = "model.train"
ARTEFACTS = ROOT / "artifacts" / "model"
CARD = ROOT / "model" / "MODEL_CARD.md"

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def model() -> None:
    """Train the model that the service serves."""


@app.command(epilog="Example: python -m model train --version 3 --output artifacts/model-3")
def train(
    version: Annotated[str, typer.Option(help="What the model is called from here on; answers carry it.")],
    output: Annotated[Path, typer.Option(help="Folder for the model, its metadata and its golden requests.")],
    rows_share: Annotated[
        float, typer.Option(min=0.01, max=1, help="Share of the training rows to fit on; the demo's first has less.")
    ] = 1.0,
    variant: Annotated[
        Variant, typer.Option(help="slow answers late, wrong misses its golden requests: both to see a refusal.")
    ] = Variant.GOOD,
    module: Annotated[str, typer.Option(help="Whose train() is called; see model/examples.")] = OWN_MODULE,
) -> None:
    """Train, and write all that the service and a release need."""
    trained = trained_by(module, rows_share)
    write_artefacts(output, version=version, trained=trained, variant=variant)
    metrics = ", ".join(f"{name} {value:.4g}" for name, value in trained.metrics.items())
    typer.echo(f"{trained.name} {version}: {metrics} on {len(trained.test_rows)} unseen rows; written to {output}")


@app.command(epilog="Example: python -m model card --model-dir artifacts/model --output card.md")
def card(
    model_dir: Annotated[Path, typer.Option(help="A folder that training wrote.")],
    output: Annotated[Path, typer.Option(help="The Markdown file to write.")],
    for_commit: Annotated[  # noqa: FBT002 - a flag of the command line is a boolean with a default
        bool, typer.Option("--for-commit", help="Leave out version, date, checksum and libraries.")
    ] = False,
) -> None:
    """Write the model card from the metadata: what it predicts, from what, how well, and what it is not for."""
    output.write_text(card_of(model_dir, for_commit=for_commit), encoding="utf-8")
    typer.echo(f"card: {output}")


@app.command(epilog="Example: python -m model new --name churn --kind classifier")
def new(
    name: Annotated[str, typer.Option(help="Letters, digits and dashes, a letter first.")],
    kind: Annotated[Kind, typer.Option(help="Which example to begin with.")],
    force: Annotated[  # noqa: FBT002 - as above
        bool, typer.Option("--force", help="Write over changes that git does not have.")
    ] = False,
) -> None:
    """Write a whole model/train.py to edit, train it into artifacts/model as a check, and write its card."""
    files = write_new_model(name, kind, force=force)
    importlib.invalidate_caches()
    train(version="new", output=ARTEFACTS)
    card(model_dir=ARTEFACTS, output=CARD, for_commit=True)
    typer.echo(NEXT_STEPS.format(files=" and ".join(files), name=name))


def trained_by(module: str, rows_share: float) -> Trained:
    """Call the module's train(); raises ModelError where there is none, or it answers something else."""
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ModelError(f"module: {module} cannot be imported ({error}); see model/examples") from error
    function = getattr(found, "train", None)
    if not callable(function):
        raise ModelError(f"module: {module} has no train(); see model/examples")
    trained = function(rows_share=rows_share)
    if not isinstance(trained, Trained):
        raise ModelError(
            f"module: train() of {module} answers a {type(trained).__name__}; let it answer a model.trained.Trained"
        )
    return trained


def main() -> None:
    """Run the command line; an expected error is one sentence on stderr and an exit code."""
    try:
        app(prog_name="python -m model")
    except ModelError as error:
        typer.secho(f"error: {error}", err=True, fg=typer.colors.RED)
        raise SystemExit(EXIT_BAD_INPUT) from None


if __name__ == "__main__":
    main()
