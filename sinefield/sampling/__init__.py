"""Samplers: functions from the training step to a batch of points at which constraints are evaluated.

`collocation` draws points from domains, regions and surfaces; `data` draws samples of a signal; `schedules` changes
another sampler in the course of training.
"""

from sinefield.sampling.batch import Batch as Batch
from sinefield.sampling.batch import Sampler as Sampler
from sinefield.sampling.collocation import boundary as boundary
from sinefield.sampling.collocation import grid as grid
from sinefield.sampling.collocation import near_surface as near_surface
from sinefield.sampling.collocation import sobol as sobol
from sinefield.sampling.collocation import surface as surface
from sinefield.sampling.collocation import uniform as uniform
from sinefield.sampling.data import jittered as jittered
from sinefield.sampling.data import random_batches as random_batches
from sinefield.sampling.schedules import repeat_batch as repeat_batch
from sinefield.sampling.schedules import time_marching as time_marching
