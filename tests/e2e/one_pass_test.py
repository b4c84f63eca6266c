#!/usr/bin/python3
"""pack reads each source byte once and writes before it has seen the whole tree (D8)."""
import os
import random
import subprocess
import tempfile
import unittest

import rig
import syscalls

FOLDERS, FILES = 200, 10
PACK = ("pack", "./models", "--type", "model", "--version", "1.0.0")


class OnePass(rig.ProjectTest):
    def setUp(self):
        super().setUp()
        noise = random.Random(8)
        files = {f"d{folder:03}/f{i}": noise.randbytes(9000 + i) for folder in range(FOLDERS) for i in range(FILES)}
        files["a-large-one"] = noise.randbytes(12 << 20)
        self.p.write_source("models", files)
        self.size = sum(map(len, files.values()))

    def test_every_source_byte_is_read_once(self):
        for compression in ("zstd", "gzip", "none"):
            with self.subTest(compression), tempfile.TemporaryFile() as told:
                running = subprocess.Popen([rig.TOOL, *PACK, "--compress", compression, "--force"],
                                           cwd=self.p.project, env=self.p.environment(), stdin=subprocess.DEVNULL,
                                           stdout=told, stderr=subprocess.STDOUT)
                # Opened while it runs: what is left of a process belongs to root.
                with open(f"/proc/{running.pid}/io", encoding="ascii") as counters:
                    os.waitid(os.P_PID, running.pid, os.WEXITED | os.WNOWAIT)
                    read = int(dict(line.split(": ") for line in counters)["rchar"])
                code = running.wait()
                told.seek(0)
                self.assertEqual(code, 0, told.read())
                self.assertGreaterEqual(read, self.size)
                self.assertLessEqual(read, 1.02 * self.size, f"of {self.size} bytes")

    def test_the_first_byte_is_written_before_the_tree_is_known(self):
        trace = syscalls.Trace(self.p, *PACK, also=("getdents64",))
        source = str(self.p.project / "models")
        listed = [call for call in trace.find("getdents64") if call.fd().startswith(source)]
        self.assertGreater(len(listed), FOLDERS)
        archived = [call for call in trace.find(*syscalls.WRITES) if "/dist/" in call.fd()]
        self.assertLess(archived[0].end, listed[len(listed) // 2].start, "half of the tree was listed before")
        self.assertGreater(archived[-1].end, listed[-1].start)


if __name__ == "__main__":
    rig.main()
