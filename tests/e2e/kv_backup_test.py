#!/usr/bin/python3
"""Backups of a kvserver that serves, clusters made of them, and the last resort (E170, E193, E194)."""
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import unittest

import kv_rig
import rig
from kv_rig import Cluster, Node, eventually, free_port, kv

ERAFTCTL = str(rig.BUILD / "bin" / "eraftctl")


def ctl(*arguments, exit_code=0, timeout=60):
    """Runs eraftctl --json; its result."""
    done = subprocess.run([ERAFTCTL, *map(str, arguments), "--json"], env=kv_rig.environment(), capture_output=True,
                          text=True, timeout=timeout, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != exit_code:
        raise AssertionError(f"{arguments} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def members(count):
    return [f"127.0.0.1:{free_port()}" for _ in range(count)]


class Restored(Cluster):
    """A cluster on directories that `restore` has made."""

    def __init__(self, folder, cluster, prefix):
        self.folder, self.cluster = pathlib.Path(folder), cluster
        self.nodes = [Node(folder, index, cluster) for index in range(len(cluster))]
        for index, node in enumerate(self.nodes):
            node.data = pathlib.Path(f"{prefix}_{index}")


class BackupTest(unittest.TestCase):
    def setUp(self):
        self.folder = rig.scratch("slipway-kv-backup-")
        self.addCleanup(rig.remove_tree, self.folder)

    def test_a_backup_under_load_becomes_a_new_cluster(self):  # E193, E194
        backup = self.folder / "backup"
        with Cluster(self.folder / "old") as old:
            for i in range(20):
                old.put(b"k%d" % i, b"%d" % i)
            addresses = ",".join(old.cluster)
            stop = threading.Event()
            written = []

            def write():
                while not stop.is_set():
                    old.put(b"w%d" % len(written), b"x")
                    written.append(len(written))
            writer = threading.Thread(target=write)
            writer.start()
            try:
                eventually(lambda: len(written) >= 5, "some writes")
                before = len(written)
                first = ctl("backup", "--cluster", addresses, "--out", backup, "--rate", "64MiB")
            finally:
                stop.set()
                writer.join()
            again = ctl("backup", "--cluster", addresses, "--out", backup)
            same = ctl("backup", "--cluster", addresses, "--out", backup, "--from", again["from"])
            old_id = first["cluster"]
        self.assertGreater(first["bytes_received"], 0)
        self.assertGreaterEqual(again["index"], first["index"])
        self.assertGreater(same["bytes_reused"], 0)  # nothing was written in between but what leaders write
        whole = ctl("backup", "verify", backup)
        self.assertEqual(whole["index"], same["index"])

        new = members(3)
        made = ctl("restore", backup, "--out", self.folder / "new" / "kv", "--cluster", ",".join(new))
        self.assertNotEqual(made["cluster"], old_id)
        self.assertGreaterEqual(made["keys"], 20 + before)
        ctl("restore", backup, "--out", self.folder / "new" / "kv", "--cluster", ",".join(new), exit_code=1)
        with Restored(self.folder / "new", new, self.folder / "new" / "kv") as cluster:
            for i in range(20):
                self.assertEqual(cluster.get(b"k%d" % i), b"%d" % i)
            for i in range(before):
                self.assertEqual(cluster.get(b"w%d" % i), b"x")
            cluster.put(b"after", b"1")
            self.assertEqual(cluster.get(b"after"), b"1")
            info = ctl("status", "-addrs", ",".join(new))
            self.assertEqual({node["cluster"] for node in info["nodes"]}, {made["cluster"]})

    def test_a_drill_measures_and_finds_damage(self):  # E194
        backup = self.folder / "backup"
        with Cluster(self.folder, nodes=1) as one:
            one.put(b"k", b"v")
            ctl("backup", "-addrs", one.cluster[0], "--out", backup)
        left = self.folder / "eraft-drill-left"  # by one that was killed: nobody has its lock
        left.mkdir()
        (left / "OWNER").touch()
        (left / "kv_0").mkdir()
        (self.folder / "eraft-drill-other").mkdir()  # no drill's
        server, seen = self.folder / "server", self.folder / "seen"
        server.write_text(f"#!/bin/sh\nstat -c %a . token tokens kvserver.yaml >{seen}\ncat kvserver.yaml >>{seen}\n"
                          f"exec {kv_rig.KVSERVER} \"$@\"\n")
        server.chmod(0o700)
        found = ctl("drill", "--backup", backup, "--nodes", "3", "--work", self.folder, "--kvserver", server)
        self.assertEqual(seen.read_text().split()[:4], ["700", "600", "600", "600"])
        self.assertIn("auth_token_file: tokens", seen.read_text())  # other users' clients are refused
        self.assertEqual(found["keys"], 1)
        self.assertGreater(found["recovery_seconds"], 0)
        self.assertEqual([path.name for path in self.folder.glob("eraft-drill-*")], ["eraft-drill-other"])
        manifest = backup / "BACKUP.json"  # of a version to come (E125)
        text = manifest.read_text()
        manifest.write_text(re.sub(r'("format": ?)1\b', r'\g<1>2', text))
        for words in (["backup", "verify", backup], ["restore", backup, "--out", self.folder / "x", "--cluster", "a:1"]):
            self.assertIn("format 2", ctl(*words, exit_code=1)["error"]["message"])
        manifest.write_text(text)
        bad = max((backup / "files").iterdir(), key=lambda path: path.stat().st_size)
        data = bytearray(bad.read_bytes())
        data[len(data) // 2] ^= 1
        bad.write_bytes(bytes(data))
        failed = ctl("drill", "--backup", backup, "--work", self.folder, exit_code=4)
        self.assertIn(bad.name, failed["error"]["message"])
        self.assertIn(bad.name, ctl("backup", "verify", backup, exit_code=4)["error"]["message"])
        self.assertIn(bad.name, ctl("restore", backup, "--out", self.folder / "x", "--cluster", "127.0.0.1:1",
                                    exit_code=4)["error"]["message"])
        self.assertEqual(list(self.folder.glob("x_*")), [])

    def test_a_drill_that_is_killed_takes_its_servers_with_it(self):  # E194
        backup, pids = self.folder / "backup", self.folder / "pids"
        with Cluster(self.folder, nodes=1) as one:
            one.put(b"k", b"v")
            ctl("backup", "-addrs", one.cluster[0], "--out", backup)
        server = self.folder / "server"
        server.write_text(f"#!/bin/sh\necho $$ >>{pids}\nexec sleep 1000\n")  # serves never
        server.chmod(0o700)
        drill = subprocess.Popen([ERAFTCTL, "drill", "--backup", str(backup), "--nodes", "2", "--work", str(self.folder),
                                  "--kvserver", str(server)], env=kv_rig.environment(), stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(drill.wait)
        self.addCleanup(drill.kill)

        def runs(pid):
            try:
                return ") Z" not in pathlib.Path(f"/proc/{pid}/stat").read_text()
            except FileNotFoundError:
                return False

        def running():
            return [pid for pid in (pids.read_text().split() if pids.exists() else []) if runs(pid)]
        self.addCleanup(lambda: [os.kill(int(pid), signal.SIGKILL) for pid in running()])
        eventually(lambda: len(running()) == 2, "two servers run")
        drill.kill()
        eventually(lambda: not running(), "they end")

    def test_a_survivor_goes_on_alone_and_takes_others_in(self):  # E170
        with Cluster(self.folder) as cluster:
            cluster.put(b"k", b"v")
            self.assertEqual(cluster.get(b"k"), b"v")
            survivor = cluster.leader()
            node = str(survivor.index + 1)
            refused = ctl("unsafe-recover", survivor.data, "--survivor", node, "--yes-i-accept-data-loss", exit_code=1)
            self.assertIn("LOCK", refused["error"]["message"])  # it runs
            for other in cluster.nodes:
                other.kill()
            ctl("unsafe-recover", survivor.data, "--survivor", node, exit_code=1)  # nobody has confirmed
            ctl("unsafe-recover", survivor.data, "--survivor", "9", "--yes-i-accept-data-loss", exit_code=2)
            ctl("unsafe-recover", survivor.data, "--survivor", node, "--yes-i-accept-data-loss")
            self.assertIn("unsafe_recover", (survivor.data / "unsafe-recover.log").read_text())
            survivor.start()
            eventually(lambda: survivor.command_call(kv.GET, b"k") == ("OK", b"v"), "the survivor serves")
            status = eventually(lambda: survivor.group() if survivor.group().role == "Leader" else None, "it leads")
            self.assertEqual([member.node_id for member in status.members], [int(node)])


if __name__ == "__main__":
    rig.main()
