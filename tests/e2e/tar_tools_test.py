#!/usr/bin/python3
"""Packages are plain tar in a standard compressor: GNU tar, bsdtar and Python's tarfile read them (D7)."""
import hashlib
import os
import stat
import subprocess
import tarfile
import unittest

import rig

MTIME = 1_600_000_000


def make_tree(folder):
    """Names, nesting, modes, times and links that a path-faithful package must keep (D2)."""
    folder.mkdir()
    names = ["plain.txt", "with space", "ümläut-ß", "-dash", "quo'te\"", "new\nline", "back\\slash", "x" * 200,
             "bert/config.json", "deep/" * 30 + "leaf", "a/" + "y" * 150 + "/" + "z" * 150]
    for i, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"content of {i}\n".encode() * (i * i + 1))
    (folder / os.fsdecode(b"latin-\xe9")).write_bytes(b"a name that is no UTF-8")
    (folder / "empty-file").touch()
    (folder / "empty-dir").mkdir()
    (folder / "big").write_bytes(bytes(range(256)) * 8192)
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "read-only").write_text("r")
    (folder / "read-only").chmod(0o440)
    os.symlink("plain.txt", folder / "link")
    os.symlink("../plain.txt", folder / "bert" / "up")
    os.symlink("nowhere", folder / "dangling")
    os.link(folder / "plain.txt", folder / "zz-hard")
    for path, folders, files in os.walk(folder, topdown=False):
        for name in folders + files:
            os.utime(os.path.join(path, name), (MTIME, MTIME), follow_symlinks=False)
    os.utime(folder, (MTIME, MTIME))


def described(folder):
    """Every entry: kind, mode, time, content; files by inode where they are one."""
    found, inodes = {}, {}
    for path, folders, files in os.walk(os.fsencode(folder)):
        for name in folders + files:
            full = os.path.join(path, name)
            key = os.path.relpath(full, os.fsencode(folder))
            status = os.lstat(full)
            if stat.S_ISLNK(status.st_mode):
                found[key] = ("link", os.readlink(full))
                continue
            content = ""
            if stat.S_ISREG(status.st_mode):
                with open(full, "rb") as file:
                    content = hashlib.sha256(file.read()).hexdigest()
                inodes.setdefault(status.st_ino, []).append(key)
            found[key] = (stat.S_IFMT(status.st_mode), stat.S_IMODE(status.st_mode), int(status.st_mtime), content)
    found["hard links"] = sorted(sorted(keys) for keys in inodes.values() if len(keys) > 1)
    return found


class TarTools(unittest.TestCase):
    """The package of one tree by each compressor, read by each tool."""

    @classmethod
    def setUpClass(cls):
        cls.folder = rig.scratch("slipway-tar-")
        cls.addClassCleanup(rig.remove_tree, cls.folder)
        cls.p = rig.Project(cls.folder)
        make_tree(cls.p.project / "data")
        cls.source = described(cls.p.project / "data")
        cls.packages = {}
        for number, (codec, suffix) in enumerate((("gzip", ".tar.gz"), ("zstd", ".tar.zst"), ("none", ".tar"))):
            cls.p.ok("pack", "./data", "--type", "data", "--version", f"1.0.{number}", "--compress", codec)
            cls.packages[codec] = cls.p.project / "dist" / f"data-1.0.{number}{suffix}"

    def extract(self, codec, *command, stdin=None):
        target = self.folder / f"out-{self._testMethodName}-{codec}"
        target.mkdir()
        with open(stdin or os.devnull, "rb") as source:
            subprocess.run([*command, "-C", target], stdin=source, check=True, capture_output=True,
                           env={**os.environ, "LC_ALL": "C.UTF-8"})
        return target

    def check(self, target):
        self.assertEqual(described(target), self.source)

    def test_gnu_tar_extracts_what_was_packed(self):  # D2, D7
        for codec, package in self.packages.items():
            with self.subTest(codec=codec):
                self.check(self.extract(codec, "tar", "-xpf", package))

    def test_gnu_tar_by_the_letters_of_the_compressor(self):  # D7
        self.check(self.extract("z", "tar", "-xpzf", self.packages["gzip"]))
        self.check(self.extract("I", "tar", "-I", "zstd", "-xpf", self.packages["zstd"]))

    def test_bsdtar_extracts_what_was_packed(self):  # D2, D7
        for codec, package in self.packages.items():
            with self.subTest(codec=codec):
                self.check(self.extract(codec, "bsdtar", "-xpf", package))

    def test_python_extracts_what_was_packed(self):  # D2, D7
        for codec, package in self.packages.items():
            with self.subTest(codec=codec):
                target = self.folder / f"out-python-{codec}"
                target.mkdir()
                if codec == "zstd":  # this Python has no zstd of its own
                    with subprocess.Popen(["zstd", "-dcq", package], stdout=subprocess.PIPE) as unpacked:
                        with tarfile.open(fileobj=unpacked.stdout, mode="r|") as archive:
                            archive.extractall(target)
                    self.assertEqual(unpacked.returncode, 0)
                else:
                    with tarfile.open(package) as archive:
                        archive.extractall(target)
                self.check(target)

    def test_all_tools_list_the_same_names_without_a_leading_dot(self):  # D2, D7
        expected = sorted(os.fsdecode(name) for name in self.source if name != "hard links")
        for codec, package in self.packages.items():
            if codec != "zstd":
                with tarfile.open(package) as archive:
                    self.assertEqual(sorted(archive.getnames()), expected)
                    self.assertEqual({(m.uid, m.gid, m.uname, m.gname) for m in archive.getmembers()}, {(0, 0, "", "")})
            for tool in ("tar", "bsdtar"):
                listed = subprocess.run([tool, "-tf", package], check=True, capture_output=True).stdout
                self.assertEqual(listed.count(b"\n"), len(expected))
                for line in listed.splitlines():
                    self.assertFalse(line.startswith((b"./", b"/")), line)

    def test_the_compressors_own_programs_accept_them(self):  # D7, D140
        subprocess.run(["gzip", "-t", self.packages["gzip"]], check=True)
        subprocess.run(["zstd", "-tq", self.packages["zstd"]], check=True)
        plain = self.packages["none"].read_bytes()
        for program, codec in ((["gzip", "-dc"], "gzip"), (["zstd", "-dcq"], "zstd")):
            unpacked = subprocess.run([*program, self.packages[codec]], check=True, capture_output=True).stdout
            self.assertEqual(unpacked, plain, "the tar inside does not depend on the compressor")

    def test_deploy_gives_what_gnu_tar_gives(self):  # D2
        for version in ("1.0.0", "1.0.1", "1.0.2"):
            self.p.ok("publish", f"data:{version}")
            self.p.ok("deploy", f"data:{version}")
            installed = self.p.root / "components" / "data" / version
            self.check(installed)
            self.p.ok("version", "verify", f"data:{version}")

    def test_a_package_made_by_gnu_tar_deploys(self):  # D9, D140
        import rows  # only here: what a publisher without this tool would lay into a store
        target = self.folder / "foreign.tar.gz"
        subprocess.run(["tar", "-czf", target, "-C", self.p.project / "data", "."], check=True,
                       env={**os.environ, "LC_ALL": "C.UTF-8"})
        for store in ("local", "backup"):
            rows.put_package(self.p.store(store), "foreign:1.0.0", target.read_bytes())
        self.p.ok("deploy", "foreign:1.0.0")
        self.check(self.p.root / "components" / "foreign" / "1.0.0")


if __name__ == "__main__":
    rig.main()
