#!/usr/bin/python3
"""kvserver at its limits: a full disk, a slow one, too little memory, too many sessions, a second signal, hosts that
move, files of a version to come (E11, E16, E125, E143, E167, E171, E195)."""
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import unittest

import grpc

import kv_rig
import rig
from kv_rig import admin, client, kv

SHIM = rig.BUILD / "lib" / "libslipway_disk_shim.so"
PIPELINE = "/slipway.eraft.client.v1.Pipeline/"


class Base(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="slipway-kv-")
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)

    def cluster(self, nodes=3, arguments=("--engine", "memory")):
        cluster = kv_rig.Cluster(self.folder.name, nodes, arguments)
        self.addCleanup(lambda: cluster.__exit__())
        return cluster.__enter__()

    def one(self, *arguments):
        """A node of its own, which is not started yet."""
        node = kv_rig.Node(self.path, 0, [f"127.0.0.1:{kv_rig.free_port()}"], arguments)
        self.addCleanup(node.kill)
        return node

    def with_shim(self, node):
        """The file that says what is wrong with the disk of `node`."""
        fault = self.path / "fault"
        sanitizer = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        node.environment = {"LD_PRELOAD": str(SHIM), "SLIPWAY_DISK_FAULT": str(fault),
                            "SLIPWAY_DISK_FAULT_UNDER": str(node.data), "ASAN_OPTIONS": sanitizer}
        return fault

    def code(self, call):
        with self.assertRaises(grpc.RpcError) as caught:
            call()
        return caught.exception.code().name

    @staticmethod
    def leads(node):
        kv_rig.eventually(lambda: node.status() and node.status().state == "Leader", "it leads")

    @staticmethod
    def alarms(node):
        return list(node.admin("Alarms", admin.AlarmsRequest(), admin.AlarmsResponse).alarms)

    @staticmethod
    def metric(node, name):
        line = next(line for line in node.http("/metrics")[1].split("\n") if line.startswith(name + " "))
        return float(line.split()[1])


class Ends(Base):
    def test_a_second_signal_ends_it_at_once(self):  # E195
        cluster = self.cluster(nodes=2, arguments=["--engine", "memory", "--drain-timeout", "60s"])
        leader = cluster.leader()
        cluster.put(b"k", b"v")
        leader.admin("SetOption", admin.SetOptionRequest(name="election_timeout", value="60s"), admin.SetOptionResponse)
        next(node for node in cluster.nodes if node is not leader).kill()
        stream = kv_rig.Pipeline(leader.channel())
        stream.send(client.Cmd(id=1, op=client.PUT, key=b"k", value=b"w"))  # under way: nobody else takes it
        kv_rig.eventually(lambda: self.metric(leader, "eraft_inflight") == 1, "it is under way")
        leader.signal(signal.SIGTERM)
        kv_rig.eventually(lambda: "draining" in leader.log(), "it begins to end", pause=0.005)
        leader.signal(signal.SIGTERM)
        self.assertEqual(leader.wait(), 128 + signal.SIGTERM, leader.log())
        self.assertNotIn("drained", leader.log())
        cluster.__exit__()
        for node in cluster.nodes:
            node.start()
        self.assertIn(cluster.get(b"k"), (b"v", b"w"))


class Limits(Base):
    def test_a_start_waits_for_room_on_the_disk(self):  # E167
        node = self.one()
        fault = self.with_shim(node)
        node.start()
        kv_rig.eventually(lambda: node.command_call(kv.PUT, b"k", b"v")[0] == "OK", "a write")
        self.assertEqual(node.stop(), 0)
        fault.write_text("full")
        waits = "there is no room on the disk to start; it is waited for"
        node.launch()
        kv_rig.eventually(lambda: node.log().count(waits) == 1, "it says that it waits")
        node.signal(signal.SIGTERM)  # a stop is not waited for
        self.assertEqual(node.wait(), 0, node.log())
        node.launch()
        kv_rig.eventually(lambda: node.log().count(waits) == 2, "it waits again")
        self.assertIsNone(node.process.poll())
        fault.write_text("ok")
        node.await_serving()
        kv_rig.eventually(lambda: node.command_call(kv.GET, b"k") == ("OK", b"v"), "all is there")
        self.assertEqual(node.log().count(waits), 2)

    def test_a_disk_that_hangs_is_probed_by_one(self):  # E167, E174
        node = self.one()
        fault = self.with_shim(node)
        node.start()
        self.leads(node)
        fault.write_text("slow 600000")
        info = node.channel().unary_unary("/slipway.eraft.admin.v1.Admin/Info", admin.InfoRequest.SerializeToString,
                                          admin.InfoResponse.FromString)
        calls = [info.future(admin.InfoRequest(), timeout=500) for _ in range(12)]
        self.addCleanup(lambda: [call.cancel() for call in calls])
        kv_rig.eventually(lambda: sum(call.done() for call in calls) == 11, "all but one are answered")
        self.assertEqual({call.result().node_id for call in calls if call.done()}, {1})

    def test_too_much_memory_is_an_alarm_and_not_ready(self):  # E28, E171
        node = self.one("--engine", "memory")
        node.start()
        self.leads(node)
        self.assertEqual(node.command_call(kv.PUT, b"k", b"v")[0], "OK")
        kv_rig.eventually(lambda: node.http("/readyz")[0] == 200, "it is ready")
        node.kill()
        node.arguments += ["--memory-soft-limit", "1MiB"]  # no process is so small
        node.start()
        kv_rig.eventually(lambda: self.alarms(node) == ["MEMORY"], "the alarm")

        def refused():
            code, text = node.http("/readyz?verbose")
            return code == 503 and "--memory-soft-limit" in text
        kv_rig.eventually(refused, "it is not ready, and says why")
        self.assertEqual(node.http("/livez")[0], 200)
        self.assertEqual(node.command_call(kv.PUT, b"k", b"w")[0], "ErrTimeout")
        kv_rig.eventually(lambda: node.command_call(kv.GET, b"k") == ("OK", b"v"), "reads are served")

    def test_above_their_number_sessions_go_the_same_everywhere(self):  # E143
        cluster = self.cluster(arguments=["--engine", "memory", "--max-sessions", "4"])

        def register():
            return cluster.leader().call(PIPELINE + "RegisterSession", client.RegisterSessionRequest(), client.Session)
        sessions = [register() for _ in range(4)]
        cluster.append(b"l", b"a", client_id=7, command_id=0)  # the fifth

        def put(session, number):
            stream = kv_rig.Pipeline(cluster.leader().channel())
            return stream.run(client.Cmd(id=number, op=client.APPEND, key=b"k%d" % session.id, value=b"%d" % number),
                              session=session.id)[0].code
        codes = [put(session, 1) for session in sessions]
        self.assertEqual(sorted(codes), [client.OK] * 3 + [client.SESSION_EXPIRED])
        for name, number in (("eraft_sessions", 4), ("eraft_sessions_evicted_total", 1)):
            kv_rig.eventually(lambda n=name, v=number: {self.metric(node, n) for node in cluster.nodes} == {v},
                              f"all say {name} {number}")
        cluster.leader().kill()
        self.assertEqual([put(session, 2) for session in sessions], codes)
        for session, code in zip(sessions, codes):  # what is gone executes nothing
            self.assertEqual(cluster.get(b"k%d" % session.id), b"12" if code == client.OK else b"")


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return (crc ^ 0xFFFFFFFF).to_bytes(4, "little")


def two_copy(data):
    """IDENTITY or HARD with its checksum made right."""
    length = int.from_bytes(data[16:20], "little")
    return data[:20] + crc32c(data[:20] + data[24:24 + length]) + data[24:]


def segment(data):
    return data[:48] + crc32c(data[:48] + data[52:4096]) + data[52:]


class Versions(Base):
    def test_files_of_a_version_to_come_end_with_5_and_are_untouched(self):  # E11, E125
        node = self.one()
        node.start()
        kv_rig.eventually(lambda: node.command_call(kv.PUT, b"k", b"v")[0] == "OK", "a write")
        self.assertEqual(node.stop(), 0)
        data = node.data
        wal = sorted(path for path in (data / "wal").glob("*.wal") if path.name[0].isdigit())
        peers = b"eraft peers 2\n"

        for files, change, text in [
                ((data / "IDENTITY", data / "IDENTITY.2"), lambda old: two_copy(b"ERTWO002" + old[8:]), "ERTWO002"),
                ((data / "IDENTITY", data / "IDENTITY.2"),
                 lambda old: two_copy(old[:24] + b"\2" + old[25:]), "format 2"),
                ((data / "HARD", data / "HARD.2"), lambda old: two_copy(b"ERTWO002" + old[8:]), "ERTWO002"),
                (wal, lambda old: segment(b"ERWAL002" + old[8:]), "ERWAL002"),
                ((data / "PEERS",), lambda _: peers + b"crc %s\n" % crc32c(peers)[::-1].hex().encode(),
                 "read PEERS: the file is of another version")]:
            with self.subTest(text, file=files[0].name):
                before = {path: path.read_bytes() if path.exists() else None for path in files}
                for path in files:
                    path.write_bytes(change(before[path]))
                newer = {path: path.read_bytes() for path in files}
                result = kv_rig.run("-cluster", node.cluster[0], "--data-dir", data, "--http-listen", "off")
                left = {path: path.read_bytes() for path in files}
                for path, old in before.items():
                    if old is None:
                        path.unlink()
                    else:
                        path.write_bytes(old)
                self.assertEqual(result.code, 5, result)
                self.assertIn(text, result.err)
                self.assertEqual(left, newer)
        node.start()
        kv_rig.eventually(lambda: node.command_call(kv.GET, b"k") == ("OK", b"v"), "all is there")


class Hosts(Base):
    def test_a_member_whose_name_means_another_address_is_found(self):  # E16
        own = ["unshare", "--mount", "--propagation", "private"]
        if os.geteuid() != 0:
            own[1:1] = ["--user", "--map-root-user"]
        if subprocess.run([*own, "true"], capture_output=True, check=False).returncode != 0:
            self.skipTest("there can be no mounts of one's own")
        hosts, port = self.path / "hosts", kv_rig.free_port()

        def name(*addresses):
            hosts.write_text("127.0.0.1 localhost\n" + "".join(f"{address} kv-{number}.test\n"
                                                               for number, address in enumerate(addresses)))
        name("127.77.1.1", "127.77.1.2", "127.77.1.3")
        nodes = [kv_rig.Node(self.path, index, ["kv-{0..2}.test:%d" % port], ["--engine", "memory", "--insecure"])
                 for index in range(3)]
        for number, node in enumerate(nodes):
            node.prefix = [*own, "sh", "-c", f"mount --bind {hosts} /etc/hosts && exec \"$@\"", "sh"]
            node.address = lambda n=number: f"127.77.1.{n + 1}:{port}"
            self.addCleanup(node.kill)
            node.launch()
        for node in nodes:
            node.await_serving()
        cluster = kv_rig.Cluster(self.path)
        cluster.nodes = nodes
        leader = cluster.leader()
        self.assertEqual([member.address for member in leader.group().members],
                         [f"kv-{number}.test:{port}" for number in range(3)])
        moved = next(node for node in nodes if node is not leader)
        moved.kill()
        cluster.put(b"k", b"v")
        places = ["127.77.1.1", "127.77.1.2", "127.77.1.3"]
        places[moved.index] = "127.77.1.9"
        name(*places)
        moved.address = lambda: f"127.77.1.9:{port}"
        moved.start()
        kv_rig.eventually(lambda: moved.command_call(kv.GET, b"k") == ("OK", b"v"), "it has what it missed")
        for node in nodes:
            kv_rig.eventually(lambda n=node: all(peer["connected"] for peer in json.loads(
                n.http("/statusz?format=json")[1])["peers"]), "all reach each other")


if __name__ == "__main__":
    rig.main()
