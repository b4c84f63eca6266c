#!/usr/bin/python3
"""Three kvservers as processes: what was acknowledged stays, whoever is killed (E3, E4, E21, E57, E195)."""
import json
import random
import signal
import tempfile
import threading
import time
import unittest

import grpc

import kv_rig
import rig
from kv_rig import admin, kv


class ClusterTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="slipway-kv-")
        self.addCleanup(self.folder.cleanup)

    def cluster(self, nodes=3, arguments=()):
        cluster = kv_rig.Cluster(self.folder.name, nodes, arguments)
        self.addCleanup(lambda: cluster.__exit__())
        return cluster.__enter__()

    def test_put_get_append_and_status_on_every_node(self):  # E3, E29, E140
        cluster = self.cluster()
        leader = cluster.leader()
        self.assertEqual(leader.command_call(kv.PUT, b"k", b"\xff\x00v")[0], "OK")
        self.assertEqual(leader.command_call(kv.APPEND, b"k", b"+")[0], "OK")
        for node in cluster.nodes:  # a follower asks the leader for the point of the read
            self.assertEqual(node.command_call(kv.GET, b"k"), ("OK", b"\xff\x00v+"))
            self.assertEqual(node.command_call(kv.GET, b"none"), ("ErrNoKey", b""))
        states = [node.status() for node in cluster.nodes]
        self.assertEqual([state.id for state in states], [0, 1, 2])
        self.assertEqual(sorted(state.state for state in states), ["Follower", "Follower", "Leader"])
        follower = next(node for node in cluster.nodes if node is not leader)
        self.assertEqual(follower.command_call(kv.PUT, b"k", b"x")[0], "ErrWrongLeader")

    def test_a_refusal_names_the_leader(self):  # E19
        cluster = self.cluster()
        leader = cluster.leader()
        follower = next(node for node in cluster.nodes if node is not leader)
        method = follower.channel().unary_unary("/kvraftpb.KVService/Command", kv.CommandRequest.SerializeToString,
                                                kv.CommandResponse.FromString)
        answer, call = method.with_call(kv.CommandRequest(op=kv.PUT, key=b"k", value=b"v"), timeout=5)
        self.assertEqual(answer.err, "ErrWrongLeader")
        hint = dict(call.trailing_metadata()).get("x-eraft-leader")
        self.assertEqual(hint, cluster.cluster[leader.index])

    def test_a_repeated_command_is_done_once_whoever_leads(self):  # E57
        cluster = self.cluster()
        cluster.append(b"k", b"a", client_id=7, command_id=0)
        cluster.append(b"k", b"b", client_id=7, command_id=1)
        leader = cluster.leader()
        self.assertEqual(leader.command_call(kv.APPEND, b"k", b"b", 7, 1)[0], "OK")
        leader.kill()
        cluster.append(b"k", b"b", client_id=7, command_id=1)
        self.assertEqual(cluster.get(b"k"), b"ab")

    def test_kill_any_node_at_any_time_and_nothing_acknowledged_is_lost(self):  # E4, E21
        cluster = self.cluster(arguments=["--wal-segment", "1MiB"])
        acknowledged, errors, stop = [0] * 4, [], threading.Event()

        def write(writer):  # each its key: appends of numbers, each exactly once
            try:
                number = 0
                while not stop.is_set():
                    cluster.append(b"key%d" % writer, b"%d " % number, client_id=100 + writer, command_id=number)
                    number += 1
                    acknowledged[writer] = number
            except Exception as error:  # pylint: disable=broad-except
                errors.append(error)

        writers = [threading.Thread(target=write, args=(writer,)) for writer in range(len(acknowledged))]
        for writer in writers:
            writer.start()
        choice = random.Random(5)
        for victim in [cluster.leader(), *choice.choices(cluster.nodes, k=4)]:
            victim.kill()
            victim.start()
            before = sum(acknowledged)
            kv_rig.eventually(lambda: sum(acknowledged) > before + 20 or errors, "writes go on")
        stop.set()
        for writer in writers:
            writer.join()
        self.assertEqual(errors, [])
        for node in cluster.nodes:  # all at once
            node.kill()
        for node in cluster.nodes:
            node.launch()
        for node in cluster.nodes:
            node.await_serving()
        for writer, count in enumerate(acknowledged):
            self.assertEqual(cluster.get(b"key%d" % writer).decode().split(), [str(i) for i in range(count)])

    def test_drain_hands_over_and_ends_with_0(self):  # E195
        cluster = self.cluster()
        leader = cluster.leader()
        cluster.put(b"k", b"v")
        begun = time.monotonic()
        self.assertEqual(leader.stop(), 0, leader.log())
        self.assertIn("hands leadership over", leader.log())
        cluster.leader()
        self.assertLess(time.monotonic() - begun, 10 if not rig.SANITIZED else 60)
        self.assertEqual(cluster.get(b"k"), b"v")
        leader.start()
        kv_rig.eventually(lambda: leader.serving("readiness"), "the node is ready again")

    def test_a_member_is_replaced_while_the_others_serve(self):  # E169, E170
        cluster = self.cluster()
        leader = cluster.leader()
        cluster.put(b"k", b"v")
        token = leader.admin("Info", admin.InfoRequest(), admin.InfoResponse).cluster_id.hex()
        lost = next(node for node in cluster.nodes if node is not leader)
        lost.kill()
        added = kv_rig.Node(self.folder.name, 3, [*cluster.cluster, f"127.0.0.1:{kv_rig.free_port()}"],
                            ["--join", "--cluster-token", token])
        self.addCleanup(added.kill)
        added.start()
        change = admin.ChangeMembershipRequest(
            group=1, expected_term=leader.group().term, remove=[lost.index + 1],
            add=[admin.Member(node_id=4, address=added.address(), role=admin.Member.VOTER)])
        answer = leader.admin("ChangeMembership", change, admin.ChangeMembershipResponse, timeout=60)
        voters = {m.node_id: m.address for m in answer.members if m.role == admin.Member.VOTER}
        self.assertEqual(sorted(voters), sorted({1, 2, 3, 4} - {lost.index + 1}))
        self.assertEqual(voters[4], added.address())
        again = change.__class__.FromString(change.SerializeToString())
        self.assertEqual(self.code(lambda: leader.admin("ChangeMembership", again, admin.ChangeMembershipResponse)),
                         "INVALID_ARGUMENT")  # it is no member any more
        cluster.nodes = [node for node in cluster.nodes if node is not lost] + [added]
        self.assertEqual(kv_rig.eventually(lambda: added.command_call(kv.GET, b"k")[1], "a read of the new one"), b"v")
        lost.start()  # it hears from the others alone that it is none of them
        kv_rig.eventually(lambda: "member failed: this node was removed" in lost.http("/readyz?verbose")[1], "it is told")
        told = lost.admin("Info", admin.InfoRequest(), admin.InfoResponse)
        self.assertTrue([reason for reason in told.not_ready if reason.startswith("member: this node was removed")])
        self.assertIn("this node was removed from its cluster; stop it", lost.log())
        lost.kill()
        leader.kill()  # the new one counts
        cluster.put(b"k", b"w")
        added.kill()  # what it was told it knows at the next start, whatever -cluster says
        leader.start()
        added.start()
        self.assertEqual(cluster.get(b"k"), b"w")

    def test_the_log_overrules_the_file_of_the_members(self):  # E170
        cluster = self.cluster()
        leader = cluster.leader()
        cluster.put(b"k", b"v")
        node = next(node for node in cluster.nodes if node is not leader)
        kv_rig.eventually(lambda: node.command_call(kv.GET, b"k")[1] == b"v", "it has what the leader has")
        self.assertEqual(node.stop(), 0)
        file = node.data / "MEMBERS"  # as of before the leader moved
        good = file.read_text()
        file.write_text(good.replace(cluster.cluster[leader.index], "127.0.0.1:1"))
        node.start()
        kv_rig.eventually(lambda: all(peer["connected"] for peer in json.loads(
            node.http("/statusz?format=json")[1])["peers"]), "it reaches the leader where it is")
        kv_rig.eventually(lambda: file.read_text() == good, "and knows so at the next start")

    def test_who_was_away_finds_a_leader_that_it_does_not_know(self):  # E170
        cluster = self.cluster(arguments=["--cluster-token", "t", "--election-timeout", "600ms"])
        leader = cluster.leader()
        away = next(node for node in cluster.nodes if node is not leader)
        away.kill()
        added = kv_rig.Node(self.folder.name, 3, [*cluster.cluster, f"127.0.0.1:{kv_rig.free_port()}"],
                            ["--join", "--cluster-token", "t", "--election-timeout", "600ms"])
        self.addCleanup(added.kill)
        added.start()
        leader.admin("ChangeMembership", admin.ChangeMembershipRequest(
            group=1, add=[admin.Member(node_id=4, address=added.cluster[3])]), admin.ChangeMembershipResponse)
        leader.admin("TransferLeader", admin.TransferLeaderRequest(group=1, node_id=4), admin.TransferLeaderResponse)
        kv_rig.eventually(lambda: added.command_call(kv.PUT, b"k", b"v")[0] == "OK", "it leads")
        away.start()
        kv_rig.eventually(lambda: away.command_call(kv.GET, b"k")[1] == b"v", "it follows and reads")
        kv_rig.eventually(lambda: 4 in [member.node_id for member in away.group().members], "it knows the members")

    def test_a_member_with_another_engine_says_so_and_is_not_ready(self):  # E28, E161
        arguments = ["--cluster-token", "t", "--log-keep-entries", "10"]
        cluster = self.cluster(nodes=1, arguments=arguments)
        leader = cluster.leader()
        for number in range(50):
            cluster.put(b"k%d" % number, b"v")
        leader.admin("Snapshot", admin.SnapshotRequest(), admin.SnapshotResponse)
        added = kv_rig.Node(self.folder.name, 1, [*cluster.cluster, f"127.0.0.1:{kv_rig.free_port()}"],
                            [*arguments, "--join", "--engine", "leveldb"])
        self.addCleanup(added.kill)
        added.start()
        member = admin.Member(node_id=2, address=added.cluster[1], role=admin.Member.LEARNER)
        leader.admin("ChangeMembership", admin.ChangeMembershipRequest(group=1, add=[member]),
                     admin.ChangeMembershipResponse)
        kv_rig.eventually(lambda: "it is of engine rocksdb, this node has leveldb" in added.log(), "it says why")
        self.assertFalse(added.serving("readiness"))
        self.assertEqual(added.log().count("it is of engine rocksdb"), 1)

    def test_an_address_that_is_not_in_force_is_told(self):  # E170
        ports = [kv_rig.free_port() for _ in range(2)]
        nodes = [kv_rig.Node(self.folder.name, index, [f"127.0.0.1:{port}" for port in ports],
                             ["--advertise", f"localhost:{ports[index]}"]) for index in range(2)]
        for node in nodes:
            self.addCleanup(node.kill)
            node.launch()
        told = "in_force=127.0.0.1:"
        kv_rig.eventually(lambda: any(told in node.log() for node in nodes), "who does not lead says so")
        node = next(node for node in nodes if told in node.log())
        node.await_serving().stop()
        node.start()
        self.assertEqual(node.log().count(told), 2)

    def test_a_change_that_would_lose_the_quorum_is_refused(self):  # E169
        cluster = self.cluster()
        leader = cluster.leader()
        others = [node for node in cluster.nodes if node is not leader]
        others[0].kill()
        kv_rig.eventually(lambda: not all(m.active for m in leader.group().members), "it is missed")

        def change(**fields):
            return lambda: leader.admin("ChangeMembership", admin.ChangeMembershipRequest(group=1, **fields),
                                        admin.ChangeMembershipResponse)
        self.assertEqual(self.code(change(remove=[others[1].index + 1])), "FAILED_PRECONDITION")
        self.assertEqual(self.code(change(remove=[leader.index + 1])), "FAILED_PRECONDITION")
        self.assertEqual(self.code(change(remove=[others[0].index + 1], expected_term=99)), "ABORTED")
        self.assertEqual(self.code(lambda: others[1].admin("ChangeMembership", admin.ChangeMembershipRequest(
            group=1, remove=[others[0].index + 1]), admin.ChangeMembershipResponse)), "UNAVAILABLE")
        change(remove=[others[0].index + 1])()
        self.assertEqual(len(leader.group().members), 2)

    def test_leadership_is_handed_over_on_request(self):  # E107
        cluster = self.cluster()
        leader = cluster.leader()
        to = next(node for node in cluster.nodes if node is not leader)
        request = admin.TransferLeaderRequest(group=1, node_id=to.index + 1)
        answer = leader.admin("TransferLeader", request, admin.TransferLeaderResponse)
        self.assertEqual(answer.leader, to.index + 1)
        self.assertIs(cluster.leader(), to)
        self.assertEqual(self.code(lambda: leader.admin("TransferLeader", request, admin.TransferLeaderResponse)),
                         "UNAVAILABLE")

    def test_a_drained_node_serves_no_more_but_lives(self):  # E195
        cluster = self.cluster()
        leader = cluster.leader()
        leader.admin("Drain", admin.DrainRequest(), admin.DrainResponse)
        self.assertEqual(leader.command_call(kv.PUT, b"k", b"v")[0], "ErrWrongLeader")
        self.assertFalse(leader.serving("readiness"))
        self.assertTrue(leader.serving("liveness"))
        self.assertEqual(leader.admin("Info", admin.InfoRequest(), admin.InfoResponse).phase, "draining")
        self.assertIsNot(cluster.leader(), leader)

    def code(self, call):
        with self.assertRaises(grpc.RpcError) as caught:
            call()
        return caught.exception.code().name

    def test_a_paused_leader_loses_its_office_and_follows(self):  # E22
        cluster = self.cluster()
        leader = cluster.leader()
        leader.signal(signal.SIGSTOP)
        others = [node for node in cluster.nodes if node is not leader]
        kv_rig.eventually(lambda: [state for state in (node.status() for node in others)
                                   if state and state.state == "Leader"], "another leader")
        self.assertEqual(kv_rig.eventually(lambda: [word for word in
                                                    (node.command_call(kv.PUT, b"k", b"new")[0] for node in others)
                                                    if word == "OK"], "a write")[0], "OK")
        leader.signal(signal.SIGCONT)
        kv_rig.eventually(lambda: leader.status() and leader.status().state == "Follower", "it follows")
        self.assertEqual(kv_rig.eventually(lambda: leader.command_call(kv.GET, b"k")[1], "a read"), b"new")

    def test_one_of_three_alone_refuses_reads_and_writes(self):  # E22, E51
        cluster = self.cluster()
        leader = cluster.leader()
        cluster.put(b"k", b"v")
        for node in cluster.nodes:
            if node is not leader:
                node.kill()
        words = {leader.command_call(kv.PUT, b"k", b"x")[0], leader.command_call(kv.GET, b"k")[0]}
        self.assertLessEqual(words, {"ErrTimeout", "ErrWrongLeader"})
        kv_rig.eventually(lambda: not leader.serving("readiness"), "it is not ready")
        self.assertTrue(leader.serving("liveness"))


if __name__ == "__main__":
    rig.main()
