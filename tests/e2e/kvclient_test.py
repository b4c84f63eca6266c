#!/usr/bin/python3
"""kvclient and eraftctl against real kvservers (E3, E6, E29, E35, E169)."""
import json
import subprocess
import tempfile
import time
import unittest

import kv_rig
import rig

KVCLIENT = str(rig.BUILD / "bin" / "kvclient")
ERAFTCTL = str(rig.BUILD / "bin" / "eraftctl")


def launch(program, *arguments, timeout=60):
    done = subprocess.run([program, *map(str, arguments)], env=kv_rig.environment(), capture_output=True,
                          timeout=timeout, check=False, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")


class KvClientTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="slipway-kv-")
        self.addCleanup(self.folder.cleanup)
        self.cluster = kv_rig.Cluster(self.folder.name)
        self.addCleanup(lambda: self.cluster.__exit__())
        self.cluster.__enter__()
        self.addresses = ",".join(self.cluster.cluster)

    def kv(self, *arguments):
        return launch(KVCLIENT, "-addrs", self.addresses, *arguments)

    def ctl(self, *arguments):
        return launch(ERAFTCTL, *arguments, "-addrs", self.addresses)

    def test_one_writes_another_reads_and_a_killed_leader_costs_a_moment(self):  # E3, E6, E57
        self.cluster.leader()
        self.assertEqual(self.kv("-op", "put", "-key", "k", "-value", "a"), (0, "Put(k, a) success\n", ""))
        for i in range(3):
            leader = self.cluster.leader()
            leader.kill()
            self.assertEqual(self.kv("-op", "append", "-key", "k", "-value", str(i), "-timeout", "60s"),
                             (0, f"Append(k, {i}) success\n", ""))
            leader.start()
        self.assertEqual(self.kv("-op", "get", "-key", "k"), (0, "Get(k) -> a012\n", ""))

    def test_status_shows_who_leads_and_who_is_away(self):  # E6, E29
        leader = self.cluster.leader()
        away = next(node for node in self.cluster.nodes if node is not leader)
        away.kill()
        begun = time.monotonic()
        code, out, err = self.kv("-op", "status")
        self.assertLess(time.monotonic() - begun, 1 * (10 if rig.SANITIZED else 1))
        self.assertEqual((code, err), (0, ""))
        rows = [line.split() for line in out.splitlines()]
        self.assertEqual(rows[0], ["ID", "Address", "Role", "Term", "Applied", "Commit", "Storage(B)"])
        self.assertEqual(out.splitlines()[1], "-" * 100)
        by_address = {row[1]: row for row in rows[2:]}
        self.assertEqual(by_address[self.cluster.cluster[leader.index]][2], "Leader")
        self.assertEqual(by_address[self.cluster.cluster[leader.index]][0], str(leader.index))
        self.assertEqual(by_address[self.cluster.cluster[away.index]],
                         ["-", self.cluster.cluster[away.index], "Offline", "-", "-", "-", "-"])

    def test_without_a_majority_the_client_does_not_claim_more_than_it_knows(self):  # E22, E144
        leader = self.cluster.leader()
        self.assertEqual(self.kv("-op", "put", "-key", "k", "-value", "a")[0], 0)
        for node in self.cluster.nodes:
            if node is not leader:
                node.kill()
        code, out, err = self.kv("-op", "put", "-key", "k", "-value", "b", "-timeout", "3s")
        self.assertEqual((code, out), (3, ""))
        self.assertRegex(err, "it may have been executed|it was not executed")

    def test_members_come_and_go_by_eraftctl(self):  # E169
        leader = self.cluster.leader()
        self.assertEqual(self.kv("-op", "put", "-key", "k", "-value", "v")[0], 0)
        token = json.loads(self.ctl("status", "--json")[1])["nodes"][0]["cluster"]
        address = f"127.0.0.1:{kv_rig.free_port()}"
        new = kv_rig.Node(self.folder.name, 3, [*self.cluster.cluster, address], ["--join", "--cluster-token", token])
        self.addCleanup(new.kill)
        new.start()
        code, out, err = self.ctl("member", "add", "4", address)
        self.assertEqual((code, out), (0, "node 4 is a voter\n"), err)
        gone = next(node for node in self.cluster.nodes if node is not leader)
        code, out, err = self.ctl("member", "remove", gone.index + 1, "--yes")
        self.assertEqual((code, out), (0, f"node {gone.index + 1} is no member any more\n"), err)
        gone.kill()
        code, out, _ = self.ctl("member", "list", "--json")
        members = {member["node"]: member["role"] for member in json.loads(out)["members"]}
        self.assertEqual(members, {node: "voter" for node in {1, 2, 3, 4} - {gone.index + 1}})
        self.assertEqual(self.kv("-op", "get", "-key", "k"), (0, "Get(k) -> v\n", ""))

    def test_the_office_moves_options_change_and_the_doctor_is_content(self):  # E31, E35, E107
        leader = self.cluster.leader()
        end = time.monotonic() + 20
        while self.ctl("health")[0] != 0:  # followers are ready a moment after they know who leads
            self.assertLess(time.monotonic(), end)
        target = next(node for node in self.cluster.nodes if node is not leader).index + 1
        code, out, err = self.ctl("transfer", target)
        self.assertEqual((code, out), (0, f"node {target} leads\n"), err)
        code, out, err = self.ctl("snapshot", "take", self.cluster.cluster[0])
        self.assertEqual(code, 0, err)
        self.assertIn(f"{self.cluster.cluster[0]} log_level=info\n", self.ctl("set")[1])
        self.assertEqual(self.ctl("set", "log_level", "debug")[0], 0)
        self.assertIn(f"{self.cluster.cluster[2]} log_level=debug\n", self.ctl("set")[1])
        code, out, err = self.ctl("doctor")
        self.assertNotIn("FAIL", out)
        self.assertEqual(code, 0, out + err)
        for check in ("reachable", "peers", "quorum", "leader", "disk latency", "clock", "version"):
            self.assertRegex(out, f"(?m)^(OK|WARN)  +{check}: ")
        self.cluster.nodes[0].kill()
        code, out, err = self.ctl("doctor")
        self.assertEqual(code, 1)
        self.assertIn(f"FAIL  reachable: {self.cluster.cluster[0]}", out)


if __name__ == "__main__":
    rig.main()
