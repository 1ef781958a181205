"""Reference trajectories of optimisers, 20 steps in double precision on a small quadratic.

Adam, AdamW, SGD and RMSProp with momentum are those of PyTorch; Graves' RMSProp is written from eqs. 38-41
of "Generating Sequences With Recurrent Neural Networks" (2013) with NumPy, as no library has it with its
epsilon inside the root. Writes optimisers.json beside this file; nothing in the project runs it.
"""

import json
import pathlib

import numpy
import torch

MATRIX = [[3.0, 0.5, -0.2], [0.5, 1.0, 0.3], [-0.2, 0.3, 0.05]]
OFFSET = [1.0, -2.0, 0.25]
START = [0.7, -1.3, 2.0]
STEPS = 20


def by_torch(make):
    matrix, offset = (torch.tensor(of, dtype=torch.float64) for of in (MATRIX, OFFSET))
    value = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    optimiser = make([value])
    values = []
    for _ in range(STEPS):
        optimiser.zero_grad()
        (0.5 * value @ matrix @ value - offset @ value).backward()
        optimiser.step()
        values.append(value.detach().tolist())
    return values


def graves(rate, decay, momentum, eps):
    matrix, offset = numpy.array(MATRIX), numpy.array(OFFSET)
    value = numpy.array(START)
    n, g, delta = (numpy.zeros(3) for _ in range(3))
    values = []
    for _ in range(STEPS):
        epsilon = matrix @ value - offset
        n = decay * n + (1 - decay) * epsilon**2
        g = decay * g + (1 - decay) * epsilon
        delta = momentum * delta - rate * epsilon / numpy.sqrt(n - g**2 + eps)
        value = value + delta
        values.append(value.tolist())
    return values


optim = torch.optim
ROWS = [
    ("graves_rmsprop", dict(lr=1e-2, decay=0.95, momentum=0.9, eps=1e-4), graves(1e-2, 0.95, 0.9, 1e-4)),
    (
        "rmsprop",
        dict(lr=1e-2, decay=0.9, momentum=0.9, eps=0.0, outer=1e-8),
        by_torch(lambda p: optim.RMSprop(p, lr=1e-2, alpha=0.9, momentum=0.9, eps=1e-8)),
    ),
    (
        "rmsprop",
        dict(lr=1e-2, decay=0.99, momentum=0.0, eps=0.0, outer=1e-3),
        by_torch(lambda p: optim.RMSprop(p, lr=1e-2, alpha=0.99, eps=1e-3)),
    ),
    ("adam", dict(lr=1e-1), by_torch(lambda p: optim.Adam(p, lr=1e-1))),
    (
        "adam",
        dict(lr=1e-2, beta1=0.8, beta2=0.95, eps=1e-4),
        by_torch(lambda p: optim.Adam(p, lr=1e-2, betas=(0.8, 0.95), eps=1e-4)),
    ),
    ("adamw", dict(lr=1e-1, decay=0.1), by_torch(lambda p: optim.AdamW(p, lr=1e-1, weight_decay=0.1))),
    ("sgd", dict(lr=1e-1), by_torch(lambda p: optim.SGD(p, lr=1e-1))),
    ("sgd", dict(lr=1e-1, momentum=0.9), by_torch(lambda p: optim.SGD(p, lr=1e-1, momentum=0.9))),
    (
        "sgd",
        dict(lr=5e-2, momentum=0.5, decay=0.2),
        by_torch(lambda p: optim.SGD(p, lr=5e-2, momentum=0.5, weight_decay=0.2)),
    ),
]

origin = f"optimisers.py, PyTorch {torch.__version__.split('+')[0]}, NumPy {numpy.__version__}, float64"
rows = [dict(optimiser=name, arguments=arguments, values=values) for name, arguments, values in ROWS]
data = dict(origin=origin, matrix=MATRIX, offset=OFFSET, start=START)
lines = ",\n".join(json.dumps(row) for row in rows)
path = pathlib.Path(__file__).with_name("optimisers.json")
path.write_text(json.dumps(data)[:-1] + ', "rows": [\n' + lines + "\n]}\n")
