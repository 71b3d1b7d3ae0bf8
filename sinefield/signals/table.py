"""Tables of scattered samples: CSV, TSV and Parquet."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinefield.errors import InputError, one_line
from sinefield.extras import extra
from sinefield.files import atomic, check_input
from sinefield.signals.formats import Format, register
from sinefield.signals.points import from_points, to_seconds
from sinefield.signals.signal import Header, Signal

TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")
"""Suffixes of tables."""

_INDEX = ("", "__index_level_0__")
"""Names that pandas gives to the column of row numbers."""


def read_points(
    path: str | Path, coordinates: Sequence[str] | None = None, values: Sequence[str] | None = None
) -> Signal:
    """Read scattered samples from a table with one sample per row.

    A table is Parquet or CSV separated by commas, semicolons or tabs. Times and dates are converted to seconds since
    1970 (UTC unless they have a time zone). A CSV file whose first row consists of numbers and times has no header; its
    columns are named x0, x1, …, value. A column without a name, or with the name of the index of pandas, is ignored
    unless it is selected.

    Args:
        path: Path of the table.
        coordinates: Columns with the coordinates; their names become those of the axes. Default: the other columns of
            numbers and times, or all columns but the last if `values` is not given either.
        values: Columns with the values; their names become those of the channels. Default: the other columns of
            numbers, or the last column if `coordinates` is not given either.

    Raises:
        InputError: The file is missing, empty or not a table, a column or cell is missing, a cell holds text instead of
            a number, or `from_points` rejects the samples.
    """
    table = _open(Path(path), lambda count: [*(f"x{k}" for k in range(count - 1)), "value"])
    axes, channels = _select_columns(table, coordinates, values)
    x = np.stack([table.numbers(name) for name in axes], axis=-1)
    y = np.stack([table.numbers(name) for name in channels], axis=-1)
    units = tuple("s" if table.is_time(name) else "" for name in axes)
    return from_points(x, y, axes=axes, units=units, channels=channels, name=table.path.stem)


def read_coordinates(path: str | Path, axes: Sequence[str]) -> NDArray[np.float64]:
    """Read coordinates (n, d) from the columns of a table that have the names of the axes.

    In a table without a header, they are the first d columns.

    Args:
        path: Path of the table.
        axes: Names of the d axes.

    Raises:
        InputError: As for `read_points`.
    """
    table = _open(Path(path), lambda count: [*axes, *(f"column {k + 1}" for k in range(len(axes), count))][:count])
    table.check(axes)
    return np.stack([table.numbers(name) for name in axes], axis=-1).astype(np.float64, copy=False)


def write_points(
    path: str | Path,
    coords: NDArray[np.float64],
    axes: Sequence[str],
    chunks: Iterator[NDArray[Any]],
    names: Sequence[str],
) -> None:
    """Write scattered samples as a table, in the format that the suffix names.

    Args:
        path: Path with one of `TABLE_SUFFIXES`.
        coords: Coordinates (n, d).
        axes: Names of the columns of coordinates.
        chunks: Consecutive chunks (m, …) of values, with one number per row for each name.
        names: Names of the columns of values.

    Raises:
        InputError: The suffix is unknown, a name occurs twice, the values do not match the names or the coordinates, or
            the path cannot be written.
    """
    with extra("tables"):
        import pyarrow as pa
        from pyarrow.csv import CSVWriter, WriteOptions
        from pyarrow.parquet import ParquetWriter

    path, columns = _check_suffix(Path(path)), [*axes, *names]
    if repeated := [name for name in columns if columns.count(name) > 1]:
        raise InputError(f"two columns of {path} would have the name {repeated[0]!r}; rename one")
    done = 0
    with atomic(path) as temporary:
        first = next(chunks, np.empty(0))
        types = [pa.float64()] * len(axes) + [pa.from_numpy_dtype(first.dtype)] * len(names)
        schema = pa.schema(list(zip(columns, types, strict=True)))
        if path.suffix.lower() == ".parquet":
            writer = ParquetWriter(temporary, schema)
        else:
            options = WriteOptions(delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
            writer = CSVWriter(temporary, schema, write_options=options)
        with writer:
            for chunk in chain([first], chunks):
                rows = coords[done : done + len(chunk)]
                if len(rows) < len(chunk) or chunk.size != len(chunk) * len(names):
                    raise InputError(f"values {chunk.shape} do not match {len(rows)} points and {len(names)} names")
                parts = [*rows.T, *chunk.reshape(len(chunk), len(names)).T]
                writer.write_table(pa.table([pa.array(part) for part in parts], schema=schema))
                done += len(chunk)
        if done < len(coords):
            raise InputError(f"there are {len(coords)} points and only {done} values")


def check_points(path: Path, header: Header) -> None:
    """Raise InputError: a table holds values at points and not on a grid."""
    raise InputError(f"{path.name}: a table holds values at points; give the points with --at, or use .npy for a grid")


@dataclass(frozen=True)
class _Table:
    """A table whose columns are read when they are needed.

    Attributes:
        path: Path of the file.
        types: Name and pyarrow data type of each column.
        first: Number of the first row of data, for messages.
        column: Function that reads the column with a given index.
    """

    path: Path
    types: list[tuple[str, Any]]
    first: int
    column: Callable[[int], Any]

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.types]

    def check(self, names: Sequence[str]) -> None:
        """Raise InputError unless exactly one column has each name."""
        for name in names:
            if (count := self.names.count(name)) != 1:
                problem = "two columns" if count else "no column"
                raise InputError(f"{self.path} has {problem} {name!r}; it has {', '.join(map(repr, self.names))}")

    def is_time(self, name: str) -> bool:
        with extra("tables"):
            from pyarrow.types import is_date, is_timestamp

        data_type = dict(self.types)[name]
        return bool(is_timestamp(data_type) or is_date(data_type))

    def is_number(self, name: str) -> bool:
        with extra("tables"):
            from pyarrow.types import is_boolean, is_decimal, is_floating, is_integer

        data_type = dict(self.types)[name]
        return any(test(data_type) for test in (is_floating, is_integer, is_boolean, is_decimal))

    def numbers(self, name: str) -> NDArray[Any]:
        """A column as finite numbers; times are converted to seconds.

        Raises:
            InputError: A cell is missing, infinite, or not a number.
        """
        with _table_errors(self.path):
            column = self.column(self.names.index(name))
        where = f"column {name!r} of {self.path}"
        if self.is_time(name):
            numbers = to_seconds(column.to_numpy())
        elif self.is_number(name) or column.null_count == len(column):
            data_type = column.type if str(column.type) == "float" else "float64"
            numbers = np.asarray(column.cast(data_type, safe=False).to_numpy())
        else:
            cells = ((row, cell.as_py()) for row, cell in enumerate(column))
            text = ((row, str(cell)) for row, cell in cells if cell is not None)
            row, cell = next((each for each in text if not _is_number(each[1])), (0, column[0].as_py()))
            raise InputError(f"{where} holds {cell!r} in row {self.first + row}; numbers are needed")
        if len(bad := np.flatnonzero(~np.isfinite(numbers))):
            raise InputError(
                f"{where} has {len(bad)} missing or infinite of {len(numbers)} cells, the first in row "
                f"{self.first + bad[0]}; fill them, or leave their rows out"
            )
        return numbers


def _select_columns(
    table: _Table, coordinates: Sequence[str] | None, values: Sequence[str] | None
) -> tuple[Sequence[str], Sequence[str]]:
    """The names of the columns with the coordinates and with the values."""
    selected = [*(coordinates or ()), *(values or ())]
    table.check(selected)
    others = [name for name in table.names if name not in (*selected, *_INDEX)]
    if coordinates is None and values is None:
        coordinates, values = others[:-1], others[-1:]
    if coordinates is None:
        coordinates = [name for name in others if table.is_number(name) or table.is_time(name)]
    if values is None:
        values = [name for name in others if table.is_number(name)]
    if not coordinates or not values:
        raise InputError(
            f"{table.path} needs a column of coordinates and one of values; it has {', '.join(map(repr, table.names))}"
        )
    table.check(columns := [*coordinates, *values])
    if repeated := [name for name in columns if columns.count(name) > 1]:
        raise InputError(f"the column {repeated[0]!r} is named twice")
    return coordinates, values


def _open(path: Path, unnamed: Callable[[int], list[str]]) -> _Table:
    """Open a table; `unnamed` returns the names of the columns of a file without a header, from their number."""
    check_input(_check_suffix(path))
    with _table_errors(path):
        if path.stat().st_size == 0:
            raise InputError(f"{path} is empty (0 bytes)")
        table, rows = _parquet(path) if path.suffix.lower() == ".parquet" else _csv(path, unnamed)
    if rows == 0:
        raise InputError(f"{path} has columns ({', '.join(table.names)}) and no rows")
    return table


def _parquet(path: Path) -> tuple[_Table, int]:
    with extra("tables"):
        from pyarrow.parquet import ParquetFile

    file = ParquetFile(path)
    types = list(zip(file.schema_arrow.names, file.schema_arrow.types, strict=True))
    return _Table(path, types, 1, lambda k: file.read([types[k][0]]).column(0)), file.metadata.num_rows


def _csv(path: Path, unnamed: Callable[[int], list[str]]) -> tuple[_Table, int]:
    with extra("tables"):
        from pyarrow.csv import ConvertOptions, ParseOptions, ReadOptions, read_csv

    with path.open(encoding="utf-8-sig", newline="") as file:
        line = next((line for line in file if line.strip()), "")
        delimiter = next((mark for mark in "\t;" if mark in line), ",")
        file.seek(0)
        rows = csv.reader(file, delimiter=delimiter, skipinitialspace=True)
        first = next((row for row in rows if any(map(str.strip, row))), None)
        above = rows.line_num
    if first is None:
        raise InputError(f"{path} is blank")
    if all(map(_is_number, first)):
        names, above = unnamed(len(first)), 0
    else:
        names = [name.strip() for name in first]
    table = read_csv(
        path,
        ReadOptions(column_names=[str(k) for k in range(len(names))], skip_rows=above),
        ParseOptions(delimiter=delimiter),
        ConvertOptions(strings_can_be_null=True),
    )
    types = list(zip(names, table.schema.types, strict=True))
    return _Table(path, types, above + 1, table.column), table.num_rows


@contextmanager
def _table_errors(path: Path) -> Iterator[None]:
    """Context manager that turns the errors of a damaged table into InputError."""
    with extra("tables"):
        from pyarrow import ArrowException

    try:
        yield
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is no table in UTF-8: {one_line(error)}") from error
    except (ArrowException, OSError) as error:
        raise InputError(f"{path} is no table that can be read: {one_line(error)}") from error


def _is_number(cell: str) -> bool:
    """Whether a cell holds a number or a time."""
    for parse in (float, datetime.fromisoformat):
        try:
            parse(cell.strip())
            return True
        except ValueError:
            pass
    return False


def _check_suffix(path: Path) -> Path:
    if path.suffix.lower() not in TABLE_SUFFIXES:
        raise InputError(f"{path} has no suffix of a known table; those are {', '.join(TABLE_SUFFIXES)}")
    return path


register(Format("table", TABLE_SUFFIXES, read_points, options=("coordinates", "values"), check=check_points))
