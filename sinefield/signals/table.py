"""Tables of scattered samples: CSV and Parquet."""

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
from sinefield.files import atomic, check_input
from sinefield.signals.points import from_points, seconds
from sinefield.signals.signal import Signal

TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")


_INDEX = ("", "__index_level_0__")
"""What pandas calls the numbers of the rows."""


def read_points(
    path: str | Path, coordinates: Sequence[str] | None = None, values: Sequence[str] | None = None
) -> Signal:
    """The samples in a table, one in a row: CSV (separated by commas, semicolons or tabs) or Parquet.

    Times and dates become seconds since 1970 (UTC unless they say otherwise). A CSV whose first row is all numbers
    and times has no header; its columns are called x0, x1, … and the last one value. A column without a name, or
    called as pandas calls its index, is taken only where it is named.

    Args:
        path: of the table.
        coordinates: the columns with the coordinates, which name the axes.
        values: the columns with the values, which name the channels. If only one of the two is given, the other is
            all other columns of numbers; if neither, the values are the last column and the coordinates all before it.

    Raises:
        InputError: the file is missing, empty or no table, lacks a column or a cell, has text where a number is
            needed, or what `from_points` raises.
    """
    table = _open(Path(path), lambda count: [*(f"x{k}" for k in range(count - 1)), "value"])
    where, what = _roles(table, coordinates, values)
    coords = np.stack([table.numbers(name) for name in where], axis=-1)
    found = np.stack([table.numbers(name) for name in what], axis=-1)
    units = tuple("s" if table.is_time(name) else "" for name in where)
    return from_points(coords, found, axes=where, units=units, channels=what, name=table.path.stem)


def read_coordinates(path: str | Path, axes: Sequence[str]) -> NDArray[np.float64]:
    """The coordinates (n, d) in the columns of a table that are called as the axes are.

    Without a header, the first d columns are taken in their order.

    Raises:
        InputError: as for `read_points`.
    """
    table = _open(Path(path), lambda count: [*axes, *(f"column {k + 1}" for k in range(len(axes), count))][:count])
    table.check(axes)
    return np.stack([table.numbers(name) for name in axes], axis=-1).astype(np.float64, copy=False)


def write_points(
    path: str | Path,
    coords: NDArray[np.float64],
    axes: Sequence[str],
    values: Iterator[NDArray[Any]],
    names: Sequence[str],
) -> None:
    """Write places and what was found there as a table of the kind that the suffix names, piece by piece.

    Args:
        path: ends in one of `TABLE_SUFFIXES`.
        places: coordinates (n, d).
        axes: the names of their columns.
        values: consecutive pieces (m, …) with as many numbers in a row as there are names.
        names: the names of the columns of values.

    Raises:
        InputError: an unknown suffix, a name that comes twice, values that do not go with the names or the places,
            or a file that cannot be written.
    """
    import pyarrow as pa
    from pyarrow.csv import CSVWriter, WriteOptions
    from pyarrow.parquet import ParquetWriter

    path, columns = _check_suffix(Path(path)), [*axes, *names]
    if twice := [name for name in columns if columns.count(name) > 1]:
        raise InputError(f"two columns of {path} would be called {twice[0]!r}; rename one")
    done = 0
    with atomic(path) as temporary:
        first = next(values, np.empty(0))
        types = [pa.float64()] * len(axes) + [pa.from_numpy_dtype(first.dtype)] * len(names)
        schema = pa.schema(list(zip(columns, types, strict=True)))
        if path.suffix.lower() == ".parquet":
            writer = ParquetWriter(temporary, schema)
        else:
            options = WriteOptions(delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
            writer = CSVWriter(temporary, schema, write_options=options)
        with writer:
            for piece in chain([first], values):
                rows = coords[done : done + len(piece)]
                if len(rows) < len(piece) or piece.size != len(piece) * len(names):
                    raise InputError(f"values {piece.shape} do not go with {len(rows)} places and {len(names)} names")
                parts = [*rows.T, *piece.reshape(len(piece), len(names)).T]
                writer.write_table(pa.table([pa.array(part) for part in parts], schema=schema))
                done += len(piece)
        if done < len(coords):
            raise InputError(f"there are {len(coords)} places and only {done} values")


@dataclass(frozen=True)
class _Table:
    """A table whose columns are read where they are needed.

    Attributes:
        path: of its file.
        types: pyarrow's type of each column, and its name.
        first: the number of its first row, for messages.
        column: reads the column of that number.
    """

    path: Path
    types: list[tuple[str, Any]]
    first: int
    column: Callable[[int], Any]

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.types]

    def check(self, names: Sequence[str]) -> None:
        """Raise InputError unless each name is that of one column."""
        for name in names:
            if (count := self.names.count(name)) != 1:
                found = "two columns" if count else "no column"
                raise InputError(f"{self.path} has {found} {name!r}; it has {', '.join(map(repr, self.names))}")

    def is_time(self, name: str) -> bool:
        from pyarrow.types import is_date, is_timestamp

        kind = dict(self.types)[name]
        return bool(is_timestamp(kind) or is_date(kind))

    def is_number(self, name: str) -> bool:
        from pyarrow.types import is_boolean, is_decimal, is_floating, is_integer

        kind = dict(self.types)[name]
        return any(is_it(kind) for is_it in (is_floating, is_integer, is_boolean, is_decimal))

    def numbers(self, name: str) -> NDArray[Any]:
        """A column as finite numbers, times as seconds."""
        with _reading(self.path):
            column = self.column(self.names.index(name))
        where = f"column {name!r} of {self.path}"
        if self.is_time(name):
            numbers = seconds(column.to_numpy())
        elif self.is_number(name) or column.null_count == len(column):
            kind = column.type if str(column.type) == "float" else "float64"
            numbers = np.asarray(column.cast(kind, safe=False).to_numpy())
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


def _roles(
    table: _Table, coordinates: Sequence[str] | None, values: Sequence[str] | None
) -> tuple[Sequence[str], Sequence[str]]:
    """The columns with the coordinates and those with the values."""
    named = [*(coordinates or ()), *(values or ())]
    table.check(named)
    others = [name for name in table.names if name not in (*named, *_INDEX)]
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
    if twice := [name for name in columns if columns.count(name) > 1]:
        raise InputError(f"the column {twice[0]!r} is named twice")
    return coordinates, values


def _open(path: Path, unnamed: Callable[[int], list[str]]) -> _Table:
    """A table on disk, with names for its columns, by their number, where it has none."""
    check_input(_check_suffix(path))
    with _reading(path):
        if path.stat().st_size == 0:
            raise InputError(f"{path} is empty (0 bytes)")
        table, rows = _parquet(path) if path.suffix.lower() == ".parquet" else _csv(path, unnamed)
    if rows == 0:
        raise InputError(f"{path} has columns ({', '.join(table.names)}) and no rows")
    return table


def _parquet(path: Path) -> tuple[_Table, int]:
    from pyarrow.parquet import ParquetFile

    file = ParquetFile(path)
    types = list(zip(file.schema_arrow.names, file.schema_arrow.types, strict=True))
    return _Table(path, types, 1, lambda k: file.read([types[k][0]]).column(0)), file.metadata.num_rows


def _csv(path: Path, unnamed: Callable[[int], list[str]]) -> tuple[_Table, int]:
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
def _reading(path: Path) -> Iterator[None]:
    """Whatever goes wrong in a file that is no table, in one line."""
    from pyarrow import ArrowException

    try:
        yield
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is no table in UTF-8: {one_line(error)}") from error
    except (ArrowException, OSError) as error:
        raise InputError(f"{path} is no table that can be read: {one_line(error)}") from error


def _is_number(cell: str) -> bool:
    """Whether a cell holds a number or a time."""
    for reads in (float, datetime.fromisoformat):
        try:
            reads(cell.strip())
            return True
        except ValueError:
            pass
    return False


def _check_suffix(path: Path) -> Path:
    if path.suffix.lower() not in TABLE_SUFFIXES:
        raise InputError(f"{path} is no table that is known here; those end in {', '.join(TABLE_SUFFIXES)}")
    return path
