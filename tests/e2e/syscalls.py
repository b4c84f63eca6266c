"""What a program asked the kernel for, by strace, and what a power loss would have left of it.

`Trace` parses the log; `Disk` replays it: data that is written and names that are made are volatile
until an fsync of the file, of the directory, or a syncfs of all (started after them) has returned.
"""
import os
import pathlib
import re
import subprocess
import tempfile

import rig

SYNCS = ("fsync", "fdatasync", "syncfs", "sync", "sync_file_range", "msync")
WRITES = ("write", "pwrite64", "writev", "pwritev", "pwritev2", "ftruncate", "fallocate", "sendfile", "copy_file_range")
NAMES = ("rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "mkdir", "mkdirat",
         "unlink", "unlinkat", "rmdir")
OPENS = ("open", "openat", "openat2", "creat")
TEMPORARY = re.compile(r"/(\.slipway-tmp-|\.deploy-tool-\d)[^/]*$")


class Call:
    """One successful or failed call; `start` and `end` are positions in the log."""

    def __init__(self, name, arguments, result, start, end):
        self.name, self.arguments, self.result, self.start, self.end = name, arguments, result, start, end

    @property
    def ok(self):
        return not self.result.startswith("-1")

    def fd(self, index=0):
        """The path behind a descriptor argument."""
        found = re.fullmatch(r"(?:\d+|AT_FDCWD)<(.*)>(\(deleted\))?", self.arguments[index])
        return (found[1] + (found[2] or "")) if found else self.arguments[index]

    def text(self, index):
        return self.arguments[index].rstrip(".").strip('"')

    def path(self, index):
        """The path of a directory argument and the name after it."""
        return os.path.normpath(os.path.join(self.fd(index), self.text(index + 1)))

    def __repr__(self):
        return f"{self.start}: {self.name}({', '.join(self.arguments)}) = {self.result}"


def split_arguments(text):
    """`text` at the commas that are in no string, bracket or descriptor path."""
    parts, depth, quoted, at = [], 0, False, 0
    for i, c in enumerate(text):
        if quoted:
            quoted = c != '"' or text[i - 1] == "\\"
        elif c == '"':
            quoted = True
        elif c in "<[{(":
            depth += 1
        elif c in ">]})":
            depth -= 1
        elif c == "," and depth == 0:
            parts.append(text[at:i].strip())
            at = i + 1
    return parts + [text[at:].strip()]


def parse(log):
    """The calls of a log in the order in which they returned."""
    calls, waiting = [], {}
    for number, line in enumerate(log.splitlines()):
        pid, _, rest = line.partition(" ")
        rest = rest.strip()
        start = number
        if rest.endswith("<unfinished ...>"):
            waiting[pid] = (number, rest.removesuffix("<unfinished ...>").rstrip())
            continue
        resumed = re.match(r"<\.\.\. \w+ resumed>", rest)
        if resumed:
            start, begun = waiting.pop(pid)
            rest = begun + rest[resumed.end():]
        found = re.fullmatch(r"(\w+)\((.*)\)\s+= (.*)", rest, re.DOTALL)
        if found:
            calls.append(Call(found[1], split_arguments(found[2]), found[3], start, number))
    return calls


class Trace:
    """A run of the tool under strace; `also`: further calls to record."""

    def __init__(self, p, *arguments, also=(), **options):
        with tempfile.TemporaryDirectory(prefix="slipway-strace-") as scratch:
            log = pathlib.Path(scratch) / "log"
            names = ",".join((*SYNCS, *WRITES, *NAMES, *OPENS, *also))
            prefix = ("strace", "-f", "-y", "-qq", "-s", "4096", "-e", f"trace={names}", "-o", log)
            self.result = p.run(*arguments, prefix=prefix, **options)
            self.calls = [call for call in parse(log.read_text(errors="replace")) if call.ok]
        if self.result.code != 0:
            raise AssertionError(str(self.result))
        if not self.calls:
            raise AssertionError(f"strace saw nothing: {self.result}")

    def find(self, *names, where=lambda call: True):
        return [call for call in self.calls if call.name in names and where(call)]

    def syncs(self):
        return self.find(*SYNCS)

    def success(self):
        """The first write to standard output."""
        return self.find("write", "writev", where=lambda call: call.arguments[0].startswith("1<"))[0]

    def replay(self, below, until=None):
        """What happened below the directory `below` up to the call `until`."""
        disk = Disk(str(below))
        for call in self.calls:
            if until is None or call.end <= until.end:
                disk.apply(call)
        return disk


class Disk:
    """data and names: what is volatile, with the position of the call that made it so.

    `early` lists files that got their final name while some of their data or, for a directory, of
    what it holds was volatile.
    """

    def __init__(self, below):
        self.below, self.data, self.names, self.early = below, {}, {}, []

    def inside(self, path):
        return path == self.below or path.startswith(self.below + "/")

    def volatile(self, ignore=()):
        """Paths whose data or names a power loss could take now; `ignore`: parts of paths."""
        return sorted(path for path in {**self.data, **self.names} if self.inside(path)
                      and not any(part in path for part in ignore))

    def apply(self, call):
        if call.name in SYNCS:
            self.sync(call)
        elif call.name in WRITES:
            path = call.fd(2 if call.name == "copy_file_range" else 0)
            if self.inside(path):
                self.data[path] = call.end
        elif call.name in OPENS:
            path = call.path(0) if call.name != "open" else call.text(0)
            if "O_EXCL" in call.arguments[2 if call.name != "open" else 1]:
                self.name(path, call)
        elif call.name in NAMES:
            getattr(self, call.name)(call)

    def sync(self, call):
        if call.name == "syncfs":
            self.data = {path: at for path, at in self.data.items() if at > call.start}
            self.names = {path: at for path, at in self.names.items() if at > call.start}
            return
        path = call.fd()
        if self.data.get(path, call.end) < call.start:
            del self.data[path]
        for name in [n for n, at in self.names.items() if os.path.dirname(n) == path and at < call.start]:
            del self.names[name]

    def name(self, path, call):
        if self.inside(path):
            self.names[path] = call.end

    def move(self, source, target, call):
        """Everything at and below `source` is now at `target`, which gets a name."""
        beneath = [p for p in {**self.data, **self.names} if p == source or p.startswith(source + "/")]
        held = [p for p in beneath if p in self.data or p != source]
        if held and not TEMPORARY.search(target):
            self.early.append((target, held))
        for path in beneath:
            for table in (self.data, self.names):
                if path in table:
                    table[target + path[len(source):]] = table.pop(path)
        self.name(target, call)

    def renameat2(self, call):
        source, target = call.path(0), call.path(2)
        if "RENAME_EXCHANGE" in call.arguments[-1]:
            self.move(source, source + "\0", call)
            self.move(target, source, call)
            self.move(source + "\0", target, call)
            self.names.pop(source + "\0", None)
        else:
            self.move(source, target, call)

    renameat = renameat2

    def linkat(self, call):
        source = call.fd() if not call.text(1) else call.path(0)
        proc = re.match(r"/proc/self/fd/(\d+)$", call.text(1))
        if proc:
            raise AssertionError(f"link by number cannot be followed: {call}")
        self.move(source, call.path(2), call)

    def symlinkat(self, call):
        self.name(call.path(1), call)

    def mkdirat(self, call):
        self.name(call.path(0), call)

    def unlinkat(self, call):
        self.data.pop(call.path(0), None)
        self.names.pop(call.path(0), None)
