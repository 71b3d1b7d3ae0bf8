"""Reports: files and figures that show a field and what it was made from. Figures need Matplotlib."""

from sinefield.reports.derivatives import blend_report as blend_report
from sinefield.reports.derivatives import poisson_report as poisson_report
from sinefield.reports.medium import medium_report as medium_report
from sinefield.reports.registry import REPORTS as REPORTS
from sinefield.reports.registry import register_report as register_report
from sinefield.reports.registry import report as report
from sinefield.reports.solution import solution_report as solution_report
