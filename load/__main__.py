"""`python -m load`: measure two deployments, and judge what was measured."""

import typer

from load import cli_judge, cli_measure

app = typer.Typer(
    help="Measure live and candidate, and judge what was measured.", no_args_is_help=True, add_completion=False
)
for module in (cli_measure, cli_judge):
    app.registered_commands += module.app.registered_commands

if __name__ == "__main__":
    app()
