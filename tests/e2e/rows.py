"""Command lines with all they print, as text files that are read like a session.

A file holds rows, separated by blank lines:

    # Said to the reader.
    - what the row shows
    ! shell line, run in the project before           (the row then has a copy of its own)
    env NAME=value
    cd folder below the project
    lock model                                        another process has the type's lock
    hostile NAME                                      model:2.0.0 of HOSTILE[NAME] in both stores
    may change deployments/.deploy-tool/bad           all else must stay as it was
    $ deploy-tool what is run
    > a line of stdout
    a line of stderr
    exit 6

`@` stands for the folder that holds project, stores, deploy root and home; SHA256, TIME, TX, PID, HOST
and USER for what differs from run to run; lines of progress are left out. SLIPWAY_REWRITE=1 writes what happened into the file; the diff is to be reviewed.
"""
import contextlib
import fcntl
import hashlib
import io
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tarfile
import unittest

import rig

NOBODY = 65534
DROP = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs",
        "--inh-caps=-all", "--bounding-set=-all"]
CONFIG = """version: "1.0"
project: {name: demo, type: model}
components:
  model: {path: ./models}
publish:
  targets:
    - {name: local, type: filesystem, path: ../store-local}
    - {name: backup, type: filesystem, path: ../store-backup}
deploy:
  root: ../deployments
  allow_root: true
  targets:
    staging: {root: ../staging}
environments:
  prod: {deploy: {root: ../prod}}
"""


PROGRESS = re.compile(r"(pack|publish|fetch|verify|extract|sync|switch)( [A-Za-z][\w-]*:\S+)?(: ([\d.]+[KMGT]?i?B|in )|$)")
# Who held a lock last, for the message to those who wait.
LOCKS = ("deployments/.deploy-tool/lock", "deployments/.deploy-tool/locks")
UNSTABLE = ((r"\b[0-9a-f]{64}\b", "SHA256"), (r"\d{8}T\d{6}\.\d+Z-[0-9a-f]{8}", "TX"),
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
            (r"held by pid \d+ on \S+, user \S+,", "held by pid PID on HOST, user USER,"))


def _member(name, kind=tarfile.REGTYPE, content=b"", link="", mode=0o644):
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname, info.mode = kind, len(content), link, mode
    return info, content


# What a package must not hold (D190, D191); each is packed by Python's tarfile.
HOSTILE = {
    "dotdot": [_member("../escape", content=b"x")],
    "absolute": [_member("/tmp/slipway-escape", content=b"x")],
    "below-a-link": [_member("d", tarfile.SYMTYPE, link="../.."), _member("d/escape", content=b"x")],
    "link-out": [_member("d", tarfile.SYMTYPE, link="../../../../escape")],
    "hard-link-out": [_member("h", tarfile.LNKTYPE, link="../../../escape")],
    "device": [_member("null", tarfile.CHRTYPE)],
    "fifo": [_member("pipe", tarfile.FIFOTYPE)],
    "twice": [_member("a", content=b"1"), _member("a", content=b"2")],
    "tool-state": [_member(".deploy-tool/state", content=b"x")],
}


def put_package(store, component, package, manifest=None):
    """Lays bytes into a file store as a publisher without this tool would: package and manifest only."""
    kind, version = component.split(":")
    name = f"{kind}-{version}"
    folder = pathlib.Path(store) / kind / version
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.tar.gz").write_bytes(package)
    (folder / f"{name}.manifest.json").write_text(json.dumps(manifest or {
        "manifest_version": "1.0",
        "component": {"type": kind, "version": version, "created_at": "2024-01-20T10:00:00Z"},
        "package": {"file": f"{name}.tar.gz", "size": len(package), "algorithm": "gzip",
                    "checksum": {"algorithm": "sha256", "value": hashlib.sha256(package).hexdigest()}},
        "metadata": {"source_path": "./models", "pack_version": "1.0"}}))


def tar_gz(members):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


class Row:
    def __init__(self, lines):
        self.lines, self.expected, self.before = [], [], []
        self.shell, self.env, self.cwd, self.locks, self.hostile, self.allowed = [], {}, ".", [], [], []
        for line in lines:
            word, _, rest = line.partition(" ")
            if self.lines and self.lines[-1].startswith("$ "):
                self.expected.append(line)
                continue
            self.lines.append(line)
            if word == "-":
                self.name = rest
            elif word == "!":
                self.shell.append(rest)
            elif word == "env":
                name, _, value = rest.partition("=")
                self.env[name] = value
            elif word == "cd":
                self.cwd = rest
            elif word == "lock":
                self.locks.append(rest)
            elif word == "hostile":
                self.hostile.append(rest)
            elif word == "may":
                self.allowed.append(rest.partition(" ")[2])
            elif word == "$":
                words = shlex.split(rest)
                assert words[0] == "deploy-tool", line
                self.arguments = [w.replace("\\x1b", "\x1b") for w in words[1:]]
            else:
                assert word == "#", line

    @property
    def own_copy(self):
        return bool(self.shell or self.locks or self.hostile or self.allowed)


def read_rows(path):
    blocks = pathlib.Path(path).read_text().split("\n\n")
    return [Row(block.strip("\n").split("\n")) for block in blocks if block.strip()]


class RowsTest(unittest.TestCase):
    """Runs files of rows. `plain`: as root the program and the setup run as nobody."""

    @classmethod
    def setUpClass(cls):
        cls.folder = rig.scratch("slipway-rows-")
        cls.addClassCleanup(rig.remove_tree, cls.folder)
        cls.template = cls.folder / "template"
        project = rig.Project(cls.template)
        (project.project / ".deploy-tool.yaml").write_text(CONFIG)
        for version in ("1.0.0", "1.1.0"):
            project.write_source("models", {"weights.bin": f"weights {version}\n", "bert/config.json": "{}\n"})
            project.ok("pack", "--type", "model", "--version", version, "--mtime", "epoch")  # always the same bytes
        project.ok("publish", "model:1.0.0", "model:1.1.0")
        for version in ("1.0.0", "1.1.0"):
            project.ok("deploy", f"model:{version}")
        cls.count = 0

    def run_file(self, path, plain=False):
        drop = plain and os.geteuid() == 0
        rows = read_rows(path)
        shared = self.copy(drop)
        written = []
        for row in rows:
            folder = self.copy(drop) if row.own_copy else shared
            with self.subTest(row=row.name):
                written.append(row.lines + row.expected)
                result, before = self.run_row(row, folder, drop)
                got = self.render(result, folder)
                written[-1] = row.lines + got
                self.check_changes(row, before, rig.tree(folder))
                self.check_message(result)
                if not os.environ.get("SLIPWAY_REWRITE"):
                    self.assertEqual(row.expected, got, row.name)
            if row.own_copy:
                rig.remove_tree(folder)
        if os.environ.get("SLIPWAY_REWRITE"):
            pathlib.Path(path).write_text("\n\n".join("\n".join(lines) for lines in written) + "\n")

    def copy(self, drop):
        type(self).count += 1
        folder = self.folder / f"c{self.count}"
        shutil.copytree(self.template, folder, symlinks=True)
        if drop:
            os.chmod(self.folder, 0o755)
            subprocess.run(["chown", "-hR", f"{NOBODY}:{NOBODY}", folder], check=True)
        return folder

    def run_row(self, row, folder, drop):
        project = folder / "project"
        prefix = DROP if drop else []
        for name in row.hostile:
            for store in ("local", "backup"):
                put_package(folder / f"store-{store}", "model:2.0.0", tar_gz(HOSTILE[name]))
        for line in row.shell:
            subprocess.run([*prefix, "sh", "-euc", line], cwd=project, check=True,
                           env={**os.environ, "TOOL": rig.TOOL, "HOME": str(folder / "home")})
        before = rig.tree(folder)
        with contextlib.ExitStack() as stack:
            for kind in row.locks:
                lock = stack.enter_context(open(folder / f"deployments/.deploy-tool/locks/{kind}.lock", "rb"))
                fcntl.flock(lock, fcntl.LOCK_EX)
            environment = {k: v for k, v in os.environ.items() if not k.startswith("DEPLOY_TOOL")}
            environment.update({"HOME": str(folder / "home"), "LANG": "C.UTF-8", "NO_COLOR": "1"}, **row.env)
            arguments = [a.replace("@", str(folder)) if a.startswith("@/") or "=@/" in a else a
                         for a in row.arguments]
            done = subprocess.run([*prefix, rig.TOOL, *arguments], cwd=project / row.cwd, env=environment,
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)
        return rig.Result(row.arguments, done.returncode, done.stdout.decode("utf-8", "replace"),
                          done.stderr.decode("utf-8", "replace")), before

    @staticmethod
    def render(result, folder):
        lines = [f"> {line}".rstrip() for line in result.out.splitlines()]
        lines += [line if line else "." for line in result.err.splitlines() if not PROGRESS.match(line)]
        for pattern, word in UNSTABLE:
            lines = [re.sub(pattern, word, line) for line in lines]
        return [line.replace(str(folder), "@") for line in lines] + [f"exit {result.code}"]

    def check_changes(self, row, before, after):
        changed = [name for name in sorted({**before, **after}) if before.get(name) != after.get(name)]
        bad = [name for name in changed if not any(name == a or name.startswith(a + "/") for a in (*LOCKS, *row.allowed))]
        self.assertEqual(bad, [], f"{row.name}: changed although it failed")

    def check_message(self, result):
        """D204: an id, what and why in one sentence, what to do; D135: never exit 0 with it."""
        if result.code == 0:
            self.assertNotIn("error", result.err)
            return
        errors = re.findall(r"^error\[(DT\d{3})\]: .+: .+$", result.err, re.M)
        self.assertEqual(len(errors), 1, str(result))
        self.assertEqual(len(re.findall(r"^  hint: .+$", result.err, re.M)), 1, str(result))
        for word in ("errno", "St9exception", "terminate", "what():", "StatusCode", "INVALID_ARGUMENT"):
            self.assertNotIn(word, result.err)
