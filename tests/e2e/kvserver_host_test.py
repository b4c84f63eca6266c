#!/usr/bin/python3
"""What a kvserver does beside serving: stops with others, sleeps and wakes, takes in members, other settings
while it runs (E31, E33, E34, E108, E169, E170, E174, E195)."""
import concurrent.futures
import json
import resource
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import grpc

import kv_rig
import rig
from kv_rig import admin, client, kv


class HostTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="slipway-kv-")
        self.addCleanup(self.folder.cleanup)

    def cluster(self, nodes=3, arguments=("--engine", "memory")):
        cluster = kv_rig.Cluster(self.folder.name, nodes, arguments)
        self.addCleanup(lambda: cluster.__exit__())
        return cluster.__enter__()

    def set_option(self, node, name, value):
        return node.admin("SetOption", admin.SetOptionRequest(name=name, value=value), admin.SetOptionResponse).before

    def peer(self, node, other):
        """What `node` knows of `other`."""
        peers = json.loads(node.http("/statusz?format=json")[1])["peers"]
        return next(peer for peer in peers if peer["node"] == other.index + 1)

    def code(self, call):
        with self.assertRaises(grpc.RpcError) as caught:
            call()
        return caught.exception.code().name, caught.exception.details()

    # ---- Stopping (E195) ----

    def test_the_last_two_of_three_stop_at_once(self):
        cluster = self.cluster()
        leader = cluster.leader()
        cluster.put(b"k", b"v")
        dead, other = [node for node in cluster.nodes if node is not leader]
        dead.kill()
        kv_rig.eventually(lambda: not self.peer(leader, dead)["connected"], "the leader has noticed")
        begun = time.monotonic()
        for node in (leader, other):
            node.signal(signal.SIGTERM)
        self.assertEqual([node.wait() for node in (leader, other)], [0, 0])
        took = time.monotonic() - begun
        for node in (leader, other):
            self.assertNotIn(f"hands leadership over to={dead.index + 1}", node.log())
        self.assertLess(took, 10 if not rig.SANITIZED else 60)

    def test_a_drained_node_is_no_successor(self):
        cluster = self.cluster()
        leader = cluster.leader()
        cluster.put(b"k", b"v")
        first, second = [node for node in cluster.nodes if node is not leader]
        kv_rig.eventually(lambda: self.peer(leader, second)["connected"], "the other is there to take the office")
        first.admin("Drain", admin.DrainRequest(), admin.DrainResponse)

        kv_rig.eventually(lambda: self.peer(leader, first)["leaving"], "its peer says that it goes")
        self.assertFalse(self.peer(leader, second)["leaving"])
        self.assertEqual(leader.stop(), 0)
        self.assertIn(f"hands leadership over to={second.index + 1}", leader.log())
        self.assertNotIn(f"hands leadership over to={first.index + 1}", leader.log())

    def test_a_drained_node_that_leads_on_refuses_writes(self):
        cluster = self.cluster(nodes=1)
        node = cluster.leader()
        cluster.put(b"k", b"v")
        node.admin("Drain", admin.DrainRequest(), admin.DrainResponse)
        self.assertEqual(node.command_call(kv.PUT, b"k", b"w")[0], "ErrWrongLeader")
        self.assertEqual(node.command_call(kv.GET, b"k"), ("OK", b"v"))

    def test_a_node_that_ends_takes_no_reads(self):  # E195: else it has always something under way
        cluster = self.cluster(nodes=2)
        leader = cluster.leader()
        cluster.put(b"k", b"v")
        next(node for node in cluster.nodes if node is not leader).kill()
        stream = kv_rig.Pipeline(leader.channel())
        read = client.Cmd(id=1, op=client.GET, key=b"k", read_mode=client.READ_SERIALIZABLE)
        self.assertEqual([result.code for result in stream.run(read)], [client.OK])
        stream.send(client.Cmd(id=2, op=client.PUT, key=b"k", value=b"w"))  # no majority takes it
        leader.signal(signal.SIGTERM)
        kv_rig.eventually(lambda: "draining" in leader.log(), "it begins to end")
        try:
            codes = {result.code for result in stream.run(read)}
        except grpc.RpcError:
            codes = {client.NOT_LEADER}  # it has ended already
        self.assertNotIn(client.OK, codes)
        self.assertEqual(leader.wait(), 0)

    def test_a_storage_that_fails_at_the_end_is_told_by_the_exit_code(self):
        node = self.cluster(nodes=1).leader()
        node.command_call(kv.PUT, b"k", b"v")
        resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (0, 0))  # each write fails
        self.assertEqual(node.stop(), 5)

    def test_what_to_do_is_told_where_a_storage_fails(self):
        node = kv_rig.Node(self.folder.name, 0, [f"127.0.0.1:{kv_rig.free_port()}"], ["--engine", "memory"])
        node.process = subprocess.Popen(node.command(), env=kv_rig.environment(), stderr=subprocess.PIPE)
        self.addCleanup(node.kill)
        node.await_serving()
        resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (0, 0))  # each write fails, but to a pipe
        told = node.process.communicate(timeout=kv_rig.PATIENCE)[1].decode()
        self.assertEqual(node.process.returncode, 5)
        self.assertIn("hint: look at the disk, then start it with the same line", told)

    def test_only_a_leader_tells_how_far_others_are(self):
        cluster = self.cluster()
        leader = cluster.leader()

        def lags():
            return [line for line in leader.http("/metrics")[1].split("\n")
                    if line.startswith("eraft_raft_peer_match_lag{")]
        kv_rig.eventually(lambda: len(lags()) == 2, "it tells of both others")
        to = next(node for node in cluster.nodes if node is not leader)
        leader.admin("TransferLeader", admin.TransferLeaderRequest(group=1, node_id=to.index + 1), admin.TransferLeaderResponse)
        kv_rig.eventually(lambda: not lags(), "it tells of nobody")

    # ---- Unary calls between nodes (E124) ----

    def test_nodes_talk_by_unary_calls(self):
        cluster = self.cluster(arguments=["--engine", "memory", "--raft-transport", "unary"])
        leader = cluster.leader()
        for number in range(50):
            cluster.append(b"k", b"%d," % number, client_id=3, command_id=number)
        leader.kill()
        self.assertEqual(cluster.get(b"k"), b"".join(b"%d," % number for number in range(50)))
        leader.start()
        kv_rig.eventually(lambda: leader.command_call(kv.GET, b"k")[1].endswith(b"49,"), "it has caught up")

    # ---- Sleep (E108) ----

    def test_the_death_of_a_sleeping_leader_is_noticed_without_a_client(self):
        cluster = self.cluster(arguments=["--engine", "memory", "--hibernate-after", "500ms"])
        leader = cluster.leader()

        def asleep():
            states = [json.loads(node.http("/statusz?format=json")[1])["groups"][0] for node in cluster.nodes]
            return all(state["hibernating"] for state in states)
        kv_rig.eventually(asleep, "all sleep")
        leader.kill()
        self.assertIsNot(cluster.leader(), leader)

    def test_a_sleeping_leader_notices_who_died(self):  # E108, E169
        cluster = self.cluster(arguments=["--engine", "memory", "--hibernate-after", "500ms"])
        leader = cluster.leader()
        kv_rig.eventually(lambda: json.loads(leader.http("/statusz?format=json")[1])["groups"][0]["hibernating"],
                          "it sleeps")
        self.assertTrue(all(member.active for member in leader.group().members))
        gone, other = [node for node in cluster.nodes if node is not leader]
        gone.kill()
        kv_rig.eventually(lambda: not all(member.active for member in leader.group().members), "it is missed")
        code, details = self.code(lambda: leader.admin("ChangeMembership", admin.ChangeMembershipRequest(
            group=1, remove=[other.index + 1]), admin.ChangeMembershipResponse))
        self.assertEqual(code, "FAILED_PRECONDITION", details)
        other.kill()
        kv_rig.eventually(lambda: not leader.serving("readiness"), "alone it is not ready")

    # ---- Settings while it runs (E31), and those in force (E33, E34) ----

    def test_timers_change_while_it_runs(self):
        cluster = self.cluster()
        leader = cluster.leader()
        self.assertEqual(self.set_option(leader, "election_timeout", "3s"), "1s")
        self.assertEqual(self.set_option(leader, "heartbeat-interval", "200ms"), "100ms")
        effective = json.loads(leader.http("/statusz?format=json")[1])["effective"]
        self.assertEqual((effective["election_timeout"], effective["heartbeat_interval"]), ("3s", "200ms"))
        for name, value, text in (("election_timeout", "900ms", "5 times"), ("heartbeat_interval", "1s", "5 times"),
                                  ("heartbeat_interval", "fast", "heartbeat_interval"),
                                  ("heartbeat_interval", "0", "out of bounds"), ("color", "blue", "no such option")):
            code, details = self.code(lambda n=name, v=value: self.set_option(leader, n, v))
            self.assertEqual(code, "INVALID_ARGUMENT")
            self.assertIn(text, details)
        options = leader.admin("Info", admin.InfoRequest(), admin.InfoResponse).options
        self.assertIn("election_timeout=3s", options)
        self.assertIn("heartbeat_interval=200ms", options)
        for node in cluster.nodes:
            self.set_option(node, "election_timeout", "5s")
            self.set_option(node, "heartbeat_interval", "50ms")
        self.assertEqual(cluster.put(b"k", b"v")[0], "OK")

    def test_what_happens_is_logged_once_and_as_loud_as_asked(self):  # E37
        cluster = self.cluster(arguments=["--engine", "memory", "--log-format", "json"])
        leader = cluster.leader()
        others = [node for node in cluster.nodes if node is not leader]
        self.assertEqual(self.set_option(others[0], "log_level", "error"), "info")
        self.assertEqual(self.code(lambda: self.set_option(leader, "log_level", "loud"))[0], "INVALID_ARGUMENT")
        term = leader.group().term
        quiet = len(others[0].log())
        leader.kill()
        again = cluster.leader()

        def said(node, text):
            lines = [json.loads(line) for line in node.log().splitlines() if line.startswith("{")]
            return [line for line in lines if line["msg"] == text and int(line.get("term", term + 1)) > term]
        if again is others[0]:
            kv_rig.eventually(lambda: said(others[1], "follows"), "the other one follows")
        else:
            kv_rig.eventually(lambda: len(said(again, "elected")) == 1, "the election is told")
        self.assertNotIn('"follows"', others[0].log()[quiet:])
        self.assertNotIn('"elected"', others[0].log()[quiet:])

    def test_long_round_trips_are_told(self):  # E31
        cluster = self.cluster()
        leader = cluster.leader()
        slow = next(node for node in cluster.nodes if node is not leader)

        def told():
            slow.signal(signal.SIGSTOP)
            time.sleep(0.2)  # an echo on its way takes so long
            slow.signal(signal.SIGCONT)
            return f"round trips to a peer are long for the heartbeat interval; raise it peer={slow.index + 1}" in leader.log()
        kv_rig.eventually(told, "the warning", pause=0.3)

    def test_faults_of_a_build_for_tests(self):  # E197
        cluster = self.cluster(arguments=["--engine", "rocksdb"])
        leader = cluster.leader()
        self.assertEqual(self.code(lambda: self.set_option(leader, "faults", "eraft.send=frob"))[0], "INVALID_ARGUMENT")
        self.set_option(leader, "faults", "eraft.send=error")  # nothing leaves it
        other = next(node for node in cluster.nodes if node is not leader)
        kv_rig.eventually(lambda: other.group().leader not in (0, leader.index + 1), "another one leads")
        self.assertEqual(self.set_option(leader, "faults", ""), "eraft.send=error")
        kv_rig.eventually(lambda: leader.group().leader == other.group().leader != 0, "it follows")
        leader = cluster.leader()
        self.set_option(leader, "faults", "eraft.wal.after=crash:5")  # durable, and nobody was told
        written = []
        for number in range(1000):
            key = b"k%d" % number
            cluster.put(key, b"v")
            written.append(key)
            if leader.process.poll() is not None:
                break
        self.assertEqual(leader.wait(), -signal.SIGKILL)
        leader.start()
        for key in written:
            self.assertEqual(cluster.get(key), b"v")

    def test_leases_heed_timers_that_change(self):  # E31, E141: as operations.md has it before they are made shorter
        cluster = self.cluster(arguments=["--engine", "memory", "--read-mode", "lease"])
        cluster.put(b"k", b"v")
        for node in cluster.nodes:
            self.assertEqual(self.set_option(node, "election_timeout", "700ms"), "1s")
        self.assertEqual(cluster.get(b"k"), b"v")

    def test_what_is_in_force_is_told(self):
        cluster = self.cluster(nodes=1, arguments=["--block-cache", "8MiB", "--compression", "zstd", "--raft-workers",
                                                   "4", "--apply-workers", "3", "--wal-linger", "1ms"])
        node = cluster.nodes[0]
        effective = json.loads(node.http("/statusz?format=json")[1])["effective"]
        expected = {"engine": "rocksdb", "block_cache": "8MiB", "compression": "zstd", "apply_workers": "3",
                    "raft_workers": "1", "wal_linger": "1ms", "engine_rate_limit": "unlimited"}
        self.assertEqual({name: effective[name] for name in expected}, expected)
        for name, value in expected.items():
            self.assertIn(f"setting in force name={name} value={value}", node.log())
        self.assertIn("--raft-workers counts as 1", node.log())
        cluster.put(b"k", b"v")
        self.assertEqual(cluster.get(b"k"), b"v")

    # ---- Members (E169, E170) ----

    def test_a_learner_that_has_caught_up_is_promoted(self):
        cluster = self.cluster(nodes=1, arguments=["--engine", "memory", "--auto-promote"])
        leader = cluster.leader()
        for number in range(20):
            cluster.put(b"k%d" % number, b"v")
        token = leader.admin("Info", admin.InfoRequest(), admin.InfoResponse).cluster_id.hex()
        added = kv_rig.Node(self.folder.name, 1, [*cluster.cluster, f"127.0.0.1:{kv_rig.free_port()}"],
                            ["--engine", "memory", "--join", "--cluster-token", token])
        self.addCleanup(added.kill)
        added.start()
        leader.admin("ChangeMembership", admin.ChangeMembershipRequest(
            group=1, add=[admin.Member(node_id=2, address=added.address(), role=admin.Member.LEARNER)]),
            admin.ChangeMembershipResponse, timeout=60)
        kv_rig.eventually(lambda: {m.node_id: m.role for m in leader.group().members} ==
                          {1: admin.Member.VOTER, 2: admin.Member.VOTER}, "it votes")
        kv_rig.eventually(lambda: "a learner has caught up and becomes a voter node=2" in leader.log(), "it is told")
        self.assertEqual(cluster.get(b"k0"), b"v")

    def test_the_first_of_a_cluster_that_grew_does_not_begin_anew_without_its_data(self):  # E123
        cluster = self.cluster(nodes=1, arguments=[])
        first = cluster.leader()
        token = first.admin("Info", admin.InfoRequest(), admin.InfoResponse).cluster_id.hex()
        second = kv_rig.Node(self.folder.name, 1, [*cluster.cluster, f"127.0.0.1:{kv_rig.free_port()}"],
                             ["--join", "--cluster-token", token])
        self.addCleanup(second.kill)
        second.start()
        first.admin("ChangeMembership", admin.ChangeMembershipRequest(
            group=1, add=[admin.Member(node_id=2, address=second.address())]), admin.ChangeMembershipResponse)
        kv_rig.eventually(lambda: len(second.group().members) == 2, "both know both")
        for node in (second, first):
            node.kill()
        shutil.rmtree(first.data)
        first.start()  # its old line names itself alone
        kv_rig.eventually(lambda: first.command_call(kv.PUT, b"k", b"v")[0] == "OK", "it leads, for nobody says no")
        second.start()
        self.assertEqual(first.wait(), 5, first.log())
        self.assertIn("the members know this node with other data", first.log())
        shutil.rmtree(first.data)
        first.arguments = ["--election-timeout", "3s"]  # longer than the other takes to call again
        first.start()
        kv_rig.eventually(lambda: json.loads(first.http("/statusz?format=json")[1])["groups"][0]
                          ["waits_for_readmission"], "it waits")
        self.assertNotEqual(first.command_call(kv.PUT, b"k", b"v", timeout=1)[0], "OK")

    def test_who_does_not_come_is_told_why_and_stands_in_nobodys_way(self):  # E169
        leader = self.cluster(nodes=1).leader()

        def change(**what):
            return admin.ChangeMembershipRequest(group=1, **what)

        def ask(timeout=30, **what):
            return leader.admin("ChangeMembership", change(**what), admin.ChangeMembershipResponse, timeout)
        nobody = [admin.Member(node_id=node, address=f"127.0.0.1:{kv_rig.free_port()}") for node in (2, 3)]
        # The server's text, not "Deadline Exceeded" from the caller's own clock.
        code, details = self.code(lambda: ask(timeout=3, add=[nobody[0]]))
        self.assertEqual(code, "DEADLINE_EXCEEDED")
        self.assertRegex(details, r"have not caught up: 2 \(.*refused.*eraftctl member remove")
        ask(remove=[2])
        waiting = leader.channel().unary_unary(
            "/slipway.eraft.admin.v1.Admin/ChangeMembership", admin.ChangeMembershipRequest.SerializeToString,
            admin.ChangeMembershipResponse.FromString).future(change(add=[nobody[0]]), timeout=60)
        kv_rig.eventually(lambda: 2 in [member.node_id for member in leader.group().members], "it is a learner")
        self.assertEqual(self.code(lambda: ask(add=[nobody[1]]))[0], "FAILED_PRECONDITION")
        waiting.cancel()  # Ctrl-C

        def gone():
            try:
                return ask(remove=[2])
            except grpc.RpcError:
                return None
        kv_rig.eventually(gone, "the change has ended with its call")
        self.assertEqual([member.node_id for member in leader.group().members], [1])

    def test_a_list_that_is_not_in_force_is_told_once(self):
        folder = self.folder.name
        cluster = [f"127.0.0.1:{kv_rig.free_port()}" for _ in range(2)]
        node = kv_rig.Node(folder, 0, cluster[:1], ["--cluster-token", "t"])
        self.addCleanup(node.kill)
        node.start()
        text = "the members of --cluster are not those in force"
        self.assertNotIn(text, node.log())
        node.kill()
        node.cluster = cluster
        node.start()
        kv_rig.eventually(lambda: node.command_call(kv.PUT, b"k", b"v")[0] == "OK", "it leads its group of one")
        self.assertEqual(node.log().count(text), 1, node.log())

    # ---- A flood (E174) ----

    def test_a_flood_of_calls_costs_no_election_and_no_answer_of_health(self):
        cluster = self.cluster(arguments=["--engine", "memory", "--max-inflight", "50"])
        for node in cluster.nodes:  # what is shown is that raft gets its turn, not how quick this machine is
            self.set_option(node, "election_timeout", "10s")
        leader = cluster.leader()
        term = leader.status().term
        channels = [kv_rig.channel(leader.address()) for _ in range(4)]
        self.addCleanup(lambda: [channel.close() for channel in channels])
        request = kv.CommandRequest(op=kv.PUT, key=b"k", value=b"x" * 4096)

        def flood(channel):
            put = channel.unary_unary("/kvraftpb.KVService/Command", kv.CommandRequest.SerializeToString,
                                      kv.CommandResponse.FromString)
            calls = [put.future(request, timeout=30) for _ in range(200)]
            return [call.result().err for call in calls]
        with concurrent.futures.ThreadPoolExecutor(len(channels)) as pool:
            floods = [pool.submit(flood, channel) for channel in channels]
            looks = 0
            while looks < 5 or not all(each.done() for each in floods):
                self.assertTrue(leader.serving("liveness"))
                self.assertEqual(leader.group().term, term)
                looks += 1
        words = [word for each in floods for word in each.result()]
        self.assertLessEqual(set(words), {"OK", "ErrTimeout"})
        self.assertIn("OK", words)
        self.assertEqual(leader.status().term, term)
        self.assertEqual(cluster.put(b"k", b"after")[0], "OK")


if __name__ == "__main__":
    rig.main()
