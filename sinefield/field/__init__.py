"""A signal as a continuous function: evaluation, contours, pictures and files."""
