"""Which process is this, and is that other one on this machine dead? Read from /proc; elsewhere nobody is ever dead."""

import os
from pathlib import Path

_PROC = Path("/proc")


def this_process() -> str:
    """A name for this process that no other one ever has: boot and pid namespace, pid, moment of its start."""
    return _name(os.getpid()) or "unknown"


def is_dead(name: str) -> bool:
    """Whether the process that had this name is certainly gone; one of another machine or container never is."""
    here, _, rest = name.partition(":")
    pid = rest.partition(":")[0]
    return bool(here) and here == _here() and pid.isdecimal() and _name(int(pid)) != name


def _name(pid: int) -> str:
    """Empty where there is no such process; its number alone could be a later process that got the same one."""
    here = _here()
    try:
        # The name of a program can hold blanks and brackets; field 22 (proc(5)) counts from behind it.
        fields = (_PROC / str(pid) / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if not here or fields[0] in "ZX" else f"{here}:{pid}:{fields[19]}"


def _here() -> str:
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}-{(_PROC / 'self/ns/pid').stat().st_ino}"
    except OSError:
        return ""
