"""`python -m model train`: the model, its metadata and its golden requests, from the data set to one folder."""

from pathlib import Path
from typing import Annotated

import typer

from model.artefacts import write_artefacts
from model.faulty import Variant, make_variant
from model.train import evaluate, load_dataset, train

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def model() -> None:
    """Train the model that the service serves."""


@app.command(
    "train",
    epilog="Example: python -m model train --version 3 --alpha 10 --output artifacts/model-3",
)
def train_command(
    version: Annotated[str, typer.Option(help="What the model is called from here on; answers carry it.")],
    output: Annotated[Path, typer.Option(help="Folder for model.joblib, metadata.json and golden_requests.json.")],
    alpha: Annotated[float, typer.Option(min=0, help="Penalty of the ridge regression.")] = 1.0,
    variant: Annotated[
        Variant, typer.Option(help="slow answers late, wrong misses its golden requests: both to see a refusal.")
    ] = Variant.GOOD,
) -> None:
    """Train, evaluate, and write the artefacts."""
    dataset = load_dataset()
    trained = train(dataset, alpha=alpha)
    metrics = evaluate(trained, dataset)
    write_artefacts(
        output,
        version=version,
        model=make_variant(trained, variant, dataset),
        golden_model=trained,
        dataset=dataset,
        metrics=metrics,
    )
    typer.echo(
        f"model {version}: r2 {metrics.r2:.3f}, mean absolute error {metrics.mean_absolute_error:.1f} on "
        f"{metrics.rows_tested} unseen rows; written to {output}"
    )


if __name__ == "__main__":
    app(prog_name="python -m model")
