"""Rows as a file, as a load test leaves them."""

from pathlib import Path

from load.rows import COLUMNS, Row, Rows
from load.rows_file import RowsWriter


def store_rows(path: Path, rows: Rows) -> Path:
    """Write the rows, and their end where there is one; return the path."""
    columns = {name: getattr(rows, name).tolist() for name in COLUMNS}
    columns["warmup"] = [int(each) for each in columns["warmup"]]
    with RowsWriter(path, rows.plan) as writer:
        for cells in zip(*columns.values(), strict=True):
            writer.write(Row(*cells))
        if rows.end is not None:
            writer.end(rows.end)
    return path
