"""The command `info`."""

from __future__ import annotations

from sinefield.cli.console import print_result
from sinefield.cli.options import FieldFile, Json, Quiet


def info(field: FieldFile, as_json: Json = False, quiet: Quiet = False) -> None:
    """Print what a field is: network, domain, units, how it was made, and the quality that it reached.

    Only the header of the file is read, after its digest was checked.
    """
    from sinefield.serialization import read_header

    header = read_header(field, "field")
    signal, made = header["signal"], header["info"]
    training = {name: made.get(name) for name in ("stopped", "steps", "best_step", "seconds")}
    print_result(
        {
            "field": str(field),
            "bytes": field.stat().st_size,
            "source": made.get("source"),
            "task": made.get("task", "fit"),
            "activation": header["activation"],
            **header["network"],
            "parameters": made.get("parameters"),
            "kind": signal["kind"],
            "axes": _axes(signal),
            "channels": signal["channels"] or ["value"],
            "samples": signal["dtype"],
            "range": [(low, high) for low, high in zip(signal["low"], signal["high"], strict=True)],
            **made.get("settings", {}),
            **training,
            **made.get("quality", {}),
            "torch": made.get("torch"),
        },
        as_json,
        quiet,
    )


def _axes(signal: dict[str, object]) -> list[dict[str, object]]:
    """Return name, unit, first and last sample, number of samples and their distance of each axis."""
    domain: dict[str, list[object]] = signal["domain"]  # type: ignore[assignment]
    rows = zip(*(domain[name] for name in ("axes", "lower", "upper", "units")), signal["shape"], strict=True)  # type: ignore[call-overload]
    axes = []
    for name, low, high, unit, n in rows:
        step = (high - low) / n
        axes.append(
            {"name": name, "from": low + step / 2, "to": high - step / 2, "unit": unit, "samples": n, "step": step}
        )
    return axes
