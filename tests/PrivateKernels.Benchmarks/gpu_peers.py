"""The same jobs in torch, fp32 with TF32 off, on CUDA. Reads "job n d m" lines, answers seconds, copies not included."""
import sys
import time

import torch

torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False
if not torch.cuda.is_available():
    sys.exit("no CUDA device for torch")
device = torch.device("cuda")
kept = {}


def tensor(rows, columns):
    if (rows, columns) not in kept:
        kept[rows, columns] = torch.randn(rows, columns, device=device)
    return kept[rows, columns]


def cells(n, d, m):
    turns = tensor(n, d) @ tensor(m, d).T
    turns *= 6.283185307179586
    return torch.cos(turns).sum(0), torch.sin(turns).sum(0)


def gaussian(n, d, q):
    x, y = tensor(n, d), tensor(q, d)
    s = torch.cdist(x, y).square_()
    return s.mul_(-1.0 / d).exp_().sum(0)


jobs = {"cells": cells, "gaussian": gaussian}
for line in sys.stdin:
    name, *sizes = line.split()
    sizes = [int(size) for size in sizes]
    jobs[name](*sizes)
    torch.cuda.synchronize()
    began = time.perf_counter()
    jobs[name](*sizes)
    torch.cuda.synchronize()
    print(time.perf_counter() - began, flush=True)
