"""Who may connect to whom around a transcriber with `spec: {}`: the table that plan and cluster are held against.

x: may; -: may not; =: the same pod, which no policy can part from itself; .: not ours to say. `stranger` is another pod
of its namespace, `guest` a pod of another one, `public` and `private` are addresses without pods. Each target is tried
at the port that it serves; `dns` is the cluster's name server.
"""

from __future__ import annotations

from collections.abc import Mapping

_TABLE = """
           api  worker  migrate  postgres  redis  objects  stranger  guest  public  private  dns
api         =     -        -        x        x       x        -        -      -        -      x
worker      -     =        -        x        x       x        -        -      x        -      x
migrate     -     -        =        x        -       x        -        -      -        -      x
postgres    -     -        -        =        -       -        -        -      -        -      -
redis       -     -        -        -        =       -        -        -      -        -      -
objects     -     -        -        -        -       =        -        -      -        -      -
stranger    x     -        -        -        -       -        =        x      x        x      x
guest       x     -        -        -        -       -        x        =      x        x      x
operator    x     x        -        -        -       -        .        .      .        .      x
public      -     -        -        -        -       -        x        x      .        .      .
private     -     -        -        -        -       -        x        x      .        .      .
"""
COMPONENTS = ("api", "worker", "migrate", "postgres", "redis", "objects")
PORTS = {"api": 8000, "worker": 8000, "postgres": 5432, "redis": 6379, "objects": 7070, "dns": 53}
OTHER_PORT = 8080
"""The port of every target that has none of its own."""


def intended() -> Mapping[tuple[str, str], bool]:
    """(source, target) → whether it may connect; what is neither is left out."""
    head, *lines = _TABLE.strip("\n").splitlines()
    targets = head.split()
    rows = {line.split()[0]: line.split()[1:] for line in lines}
    return {
        (source, target): mark == "x"
        for source, marks in rows.items()
        for target, mark in zip(targets, marks, strict=True)
        if mark in "x-"
    }
