"""Constraints, the terms of a loss: a residual, the points where it is evaluated, and a weight.

- `regression`: Φ(x) equals the values of a signal;
- `derivatives`: a derivative of Φ, or a difference of its values, equals given data;
- `signed_distance`: Φ is the signed distance to a surface;
- `adaptive`: more points where the residual is large;
- `walk_on_spheres`: harmonic functions by random walks.

`sinefield.problems` has the constraints of differential equations.
"""

from sinefield.constraints.constraint import Constraint as Constraint
from sinefield.constraints.constraint import Residual as Residual
