#!/usr/bin/python3
"""One kvserver: its services, limits, health, tokens and TLS."""
import hashlib
import json
import pathlib
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time

import grpc

import kv_rig
import rig
from kv_rig import admin, client, kv, transport
from one_kvserver import OneKvserver


def ask_and_not_read(address, request, times):
    """The connection of an HTTP/2 client that asks for so many answers and takes nothing of them."""
    def frame(kind, flags, stream, payload):
        return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload

    def header(name, value):
        return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value
    headers = b"".join(header(*pair) for pair in (
        (b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/kvraftpb.KVService/Command"),
        (b":authority", b"kv"), (b"content-type", b"application/grpc"), (b"te", b"trailers")))
    message = request.SerializeToString()
    connection = socket.create_connection(address.rsplit(":", 1))
    window_of_nothing = struct.pack(">HI", 4, 0)
    connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, window_of_nothing) + b"".join(
        frame(1, 4, stream, headers) + frame(0, 1, stream, b"\0" + struct.pack(">I", len(message)) + message)
        for stream in range(1, 2 * times, 2)))
    return connection


class Memory(OneKvserver):
    def test_streams_that_are_not_read_share_a_bounded_room(self):  # E171
        node = self.leader()
        self.assertEqual(node.command_call(kv.PUT, b"big", bytes(8_000_000))[0], "OK")

        def resident():
            return int(pathlib.Path(f"/proc/{node.process.pid}/statm").read_text().split()[1]) * 4096 >> 20
        before, streams = resident(), []
        self.addCleanup(lambda: [channel.close() for channel, _ in streams])
        for _ in range(24):
            channel = kv_rig.channel(node.address())
            stream = kv_rig.Pipeline(channel)
            stream.send(*[client.Cmd(id=number, op=client.GET, key=b"big", read_mode=client.READ_SERIALIZABLE)
                          for number in range(20)])
            streams.append((channel, stream))

        def refused():
            return 'eraft_rejected_total{reason="results"}' in node.http("/metrics")[1] and not node.http(
                "/metrics")[1].split('eraft_rejected_total{reason="results"} ')[1].startswith("0\n")
        kv_rig.eventually(refused, "reads are refused")
        self.assertLess(resident() - before, 500 if not rig.SANITIZED else 1500)


    def test_answers_that_are_not_read_share_it(self):  # E171
        node = self.leader()
        self.assertEqual(node.command_call(kv.PUT, b"big", bytes(8_000_000))[0], "OK")
        self.assertEqual(node.command_call(kv.GET, b"big")[0], "OK")
        for _ in range(30):  # what was read leaves its room
            self.assertEqual(node.command_call(kv.GET, b"big")[0], "OK")
        self.addCleanup(ask_and_not_read(node.address(), kv.CommandRequest(op=kv.GET, key=b"big"), 30).close)

        def refused():
            answer, call = node.channel().unary_unary(
                "/kvraftpb.KVService/Command", kv.CommandRequest.SerializeToString, kv.CommandResponse.FromString
            ).with_call(kv.CommandRequest(op=kv.GET, key=b"big"), timeout=5)
            return answer.err == "ErrTimeout" and dict(call.trailing_metadata()).get("x-eraft-not-executed")
        self.assertIn("do not read", kv_rig.eventually(refused, "reads are refused"))


class Legacy(OneKvserver):
    def test_put_append_get_with_any_bytes(self):  # E50
        node = self.leader()
        key = bytes(range(256))
        self.assertEqual(node.command_call(kv.PUT, key, b"\x00\xff")[0], "OK")
        self.assertEqual(node.command_call(kv.APPEND, key, b"\xfe")[0], "OK")
        self.assertEqual(node.command_call(kv.GET, key), ("OK", b"\x00\xff\xfe"))
        self.assertEqual(node.command_call(kv.GET, b"other"), ("ErrNoKey", b""))

    def test_a_session_answers_repetitions_and_refuses_what_is_older(self):  # E51, E57
        node = self.leader()
        for command_id, value in enumerate([b"a", b"b"]):
            self.assertEqual(node.command_call(kv.APPEND, b"k", value, 9, command_id)[0], "OK")
        self.assertEqual(node.command_call(kv.APPEND, b"k", b"b", 9, 1)[0], "OK")
        self.assertEqual(node.command_call(kv.APPEND, b"k", b"a", 9, 0)[0], "ErrOutDated")
        self.assertEqual(node.command_call(kv.GET, b"k")[1], b"ab")
        self.assertEqual(node.command_call(kv.APPEND, b"k", b"c", -1, 0)[0], "INVALID_ARGUMENT")

    def test_sessions_outlive_the_process(self):  # E57, E65
        node = self.leader(engine="rocksdb")
        self.assertEqual(node.command_call(kv.APPEND, b"k", b"a", 9, 0)[0], "OK")
        node.kill()
        node.start()
        kv_rig.eventually(lambda: node.command_call(kv.APPEND, b"k", b"a", 9, 0)[0] == "OK", "answered again")
        self.assertEqual(node.command_call(kv.GET, b"k")[1], b"a")

    def test_what_is_too_large_is_refused_before_the_log(self):  # E153
        node = self.leader("--max-value", "1KiB")
        kv_rig.eventually(lambda: node.group().members[0].address, "its address is in the log")
        time.sleep(0.2)
        commit = node.status().commit_index
        self.assertEqual(node.command_call(kv.PUT, b"k", b"x" * 1025)[0], "INVALID_ARGUMENT")
        self.assertEqual(node.command_call(kv.PUT, b"k" * 70_000, b"x")[0], "INVALID_ARGUMENT")
        self.assertEqual(node.command_call(kv.GET, b"k" * 70_000)[0], "INVALID_ARGUMENT")
        self.assertEqual(node.status().commit_index, commit)

    def test_an_answer_comes_within_half_a_second(self):  # E60
        node = self.node("-cluster", f"127.0.0.1:{kv_rig.free_port()},127.0.0.1:{kv_rig.free_port()}",
                         "--listen", "127.0.0.1:0")  # the other member is not there
        for op in (kv.PUT, kv.GET):
            begun = time.monotonic()
            self.assertIn(node.command_call(op, b"k", b"v")[0], ("ErrTimeout", "ErrWrongLeader"))
            self.assertLess(time.monotonic() - begun, 0.6 if not rig.SANITIZED else 5)

    def test_the_engines_keep_data_over_kill(self):  # E4, E150
        for engine in ("rocksdb", "leveldb"):
            with self.subTest(engine), tempfile.TemporaryDirectory() as folder:
                node = kv_rig.Node(folder, 0, [f"127.0.0.1:{kv_rig.free_port()}"], ["--engine", engine])
                self.addCleanup(node.kill)
                node.start()
                for number in range(20):
                    kv_rig.eventually(lambda n=number: node.command_call(kv.APPEND, b"k", b"%d," % n, 3, n)[0] == "OK",
                                      "an append")
                node.kill()
                node.start()
                kv_rig.eventually(lambda: node.command_call(kv.GET, b"k") ==
                                  ("OK", b"".join(b"%d," % n for n in range(20))), "all appends")


class Pipelines(OneKvserver):
    def pipeline(self, node, **options):
        return kv_rig.Pipeline(node.channel(), **options)

    def test_every_operation_and_its_codes(self):  # E144, E145
        node = self.leader()
        stream = self.pipeline(node)
        self.assertEqual(stream.take().credit, 1000)

        def run(**fields):
            return stream.run(client.Cmd(id=1, **fields))[0]
        self.assertEqual(run(op=client.PUT, key=b"a", value=b"1").code, client.OK)
        self.assertGreater(run(op=client.APPEND, key=b"a", value=b"2").index, 0)
        self.assertEqual(run(op=client.GET, key=b"a").value, b"12")
        self.assertEqual(run(op=client.GET, key=b"b").code, client.NO_KEY)
        self.assertEqual(run(op=client.CAS, key=b"a", expect=b"x", value=b"3").code, client.CAS_MISMATCH)
        self.assertEqual(run(op=client.CAS, key=b"a", expect=b"12", value=b"3").code, client.OK)
        self.assertEqual(run(op=client.CAS, key=b"b", expect_absent=True, value=b"4").code, client.OK)
        self.assertEqual(run(op=client.CAS, key=b"b", expect_absent=True, value=b"5").code, client.CAS_MISMATCH)
        self.assertEqual(run(op=client.DELETE, key=b"b").code, client.OK)
        self.assertEqual(run(op=client.DELETE, key=b"b").code, client.NO_KEY)
        self.assertEqual(run(op=client.PUT, key=b"a", value=b"x" * (8 << 20) + b"x").code, client.TOO_LARGE)
        for mode in (client.READ_INDEX, client.READ_LEASE, client.READ_SERIALIZABLE):
            self.assertEqual(run(op=client.GET, key=b"a", read_mode=mode).value, b"3")

    def test_scan_goes_on_where_it_ended(self):  # spec 6.2
        node = self.leader()
        stream = self.pipeline(node)
        rows = {b"k%03d" % n: b"v%d" % n for n in range(300)}
        stream.run(*[client.Cmd(id=i, op=client.PUT, key=key, value=value)
                     for i, (key, value) in enumerate(rows.items())])
        found, begin, pages = {}, b"k", 0
        while True:
            answer = stream.run(client.Cmd(id=1, op=client.SCAN, key=begin, end_key=b"k290", limit=70))[0]
            found.update((row.key, row.value) for row in answer.kvs)
            pages += 1
            if not answer.more:
                break
            begin = answer.kvs[-1].key + b"\0"
        self.assertEqual(found, {key: value for key, value in rows.items() if key < b"k290"})
        self.assertEqual(pages, 5)
        self.assertEqual(len(stream.run(client.Cmd(id=1, op=client.SCAN))[0].kvs), 300)  # not the members

    def test_strict_sessions_execute_once_and_only_while_they_live(self):  # E143
        node = self.leader()
        method = "/slipway.eraft.client.v1.Pipeline/"
        session = node.call(method + "RegisterSession", client.RegisterSessionRequest(), client.Session)
        self.assertEqual(session.ttl_ms, 24 * 3600 * 1000)
        stream = self.pipeline(node)
        commands = [client.Cmd(id=i, op=client.APPEND, key=b"k", value=b"%d," % i) for i in range(50)]
        first = stream.run(*commands, session=session.id)
        again = stream.run(*commands, session=session.id)
        self.assertEqual([r.code for r in first], [client.OK] * 50)
        self.assertEqual([r.index for r in again], [r.index for r in first])
        value = stream.run(client.Cmd(id=99, op=client.GET, key=b"k"))[0].value
        self.assertEqual(sorted(value.split(b",")[:-1]), sorted(b"%d" % i for i in range(50)))
        far = client.Cmd(id=5000, op=client.PUT, key=b"far", value=b"")
        self.assertEqual(stream.run(far, session=session.id)[0].code, client.BUSY)
        node.call(method + "CloseSession", session, client.CloseSessionResponse)
        late = client.Cmd(id=50, op=client.PUT, key=b"late", value=b"")
        self.assertEqual(stream.run(late, session=session.id)[0].code, client.SESSION_EXPIRED)
        self.assertEqual(self.code(lambda: node.call(method + "CloseSession", session,
                                                     client.CloseSessionResponse))[0], "NOT_FOUND")

    def test_more_than_the_credit_is_busy_and_everything_is_answered_once(self):  # E145, E171
        node = self.leader("--max-connection-inflight", "100")
        stream = self.pipeline(node)
        commands = [client.Cmd(id=i, op=client.PUT, key=b"%d" % i, value=b"v" * 100) for i in range(3000)]
        codes = [result.code for result in stream.run(*commands)]
        self.assertEqual(set(codes), {client.OK, client.BUSY})
        self.assertGreaterEqual(codes.count(client.OK), 100)
        done = {command.key for command, code in zip(commands, codes) if code == client.OK}
        kept = stream.run(client.Cmd(id=1, op=client.SCAN))[0]
        self.assertEqual({row.key for row in kept.kvs}, done)
        stream.send(client.Cmd(id=7, op=client.GET, key=b"0"))
        stream.close()  # half-closed: what is under way is answered all the same
        self.assertIn(7, stream.results)

    def test_a_client_that_does_not_read_is_not_read_from(self):  # E171
        node = self.leader()
        stream = self.pipeline(node)
        stream.run(client.Cmd(id=1, op=client.PUT, key=b"k", value=b"x" * (4 << 20)))
        for n in range(60):  # of 4 MiB each
            stream.send(client.Cmd(id=n, op=client.GET, key=b"k"))
        time.sleep(2)
        rss = int(next(line for line in pathlib.Path(f"/proc/{node.process.pid}/status").read_text().splitlines()
                       if line.startswith("VmRSS")).split()[1]) << 10
        self.assertLess(rss, (400 << 20) + rig.SANITIZER_BYTES)
        while len(stream.results) < 60:
            stream.take()

    def test_a_follower_names_the_leader(self):  # E19, E144
        cluster = kv_rig.Cluster(self.path, 3, ["--engine", "memory"])
        self.addCleanup(lambda: cluster.__exit__())
        cluster.__enter__()
        leader = cluster.leader()
        follower = next(node for node in cluster.nodes if node is not leader)
        kv_rig.eventually(lambda: follower.group().leader, "it knows the leader")
        stream = self.pipeline(follower)
        self.assertEqual(stream.run(client.Cmd(id=1, op=client.PUT, key=b"k"))[0].code, client.NOT_LEADER)
        self.assertEqual(stream.hint, cluster.cluster[leader.index])
        self.assertEqual(stream.run(client.Cmd(id=2, op=client.GET, key=b"k"))[0].code, client.NO_KEY)


class Operation(OneKvserver):
    def test_health_in_every_form(self):  # E28
        node = self.leader()
        for name in ("", "liveness", "readiness", "leader", "kvraftpb.KVService"):
            kv_rig.eventually(lambda n=name: node.serving(n), f"{name} is served")
        self.assertEqual(self.code(lambda: node.serving("other"))[0], "NOT_FOUND")
        self.assertEqual(node.http("/livez")[0], 200)
        self.assertEqual(node.http("/readyz?verbose")[0], 200)
        self.assertEqual(json.loads(node.http("/health")[1]), {"health": "true"})
        self.assertEqual(kv_rig.run("--probe", node.address()).code, 0)
        status = json.loads(node.http("/statusz?format=json")[1])
        self.assertEqual(status["groups"][0]["role"], "Leader")
        self.assertEqual(status["config"]["engine"], "memory")
        self.assertIn("groups[0].role: Leader", node.http("/statusz")[1])
        node.signal(signal.SIGSTOP)
        node.signal(signal.SIGCONT)
        self.assertEqual(node.stop(), 0)

    def test_metrics_tell_what_happens(self):  # spec 6.7
        node = self.leader()
        node.command_call(kv.PUT, b"k", b"v", 4, 0)
        kv_rig.eventually(lambda: "\neraft_keys 1\n" in node.http("/metrics")[1], "one key")
        text = node.http("/metrics")[1]
        for name in ("eraft_raft_is_leader", "eraft_raft_commit_index", "eraft_wal_fsync_seconds_count",
                     "eraft_sessions 1", "eraft_disk_free_bytes", "eraft_build_info", "eraft_inflight 0",
                     "eraft_rpc_requests_total"):
            self.assertIn(name, text)

    def test_administration_shows_and_takes_snapshots(self):
        node = self.leader(engine="rocksdb")
        node.command_call(kv.PUT, b"k", b"v")
        info = node.admin("Info", admin.InfoRequest(), admin.InfoResponse)
        self.assertEqual((info.node_id, info.engine, len(info.cluster_id)), (1, "rocksdb", 16))
        self.assertGreater(info.fdatasync_us, 0)
        group = node.group()
        self.assertEqual((group.role, group.keys, group.members[0].address), ("Leader", 1, node.cluster[0]))
        taken = node.admin("Snapshot", admin.SnapshotRequest(group=1), admin.SnapshotResponse)
        self.assertGreaterEqual(taken.index, group.applied_index)
        self.assertEqual(node.admin("Alarms", admin.AlarmsRequest(), admin.AlarmsResponse).alarms, [])
        before = node.admin("SetOption", admin.SetOptionRequest(name="log_level", value="debug"),
                            admin.SetOptionResponse).before
        self.assertEqual(before, "info")
        self.assertEqual(self.code(lambda: node.admin("SetOption", admin.SetOptionRequest(name="x", value="1"),
                                                      admin.SetOptionResponse))[0], "INVALID_ARGUMENT")

    def test_tokens_and_the_audit_log(self):  # E191, E192
        tokens = self.path / "tokens"
        tokens.write_text("".join(f"{hashlib.sha256(name.encode()).hexdigest()} {name}er {name}\n"
                                  for name in ("read", "write", "admin", "peer")))
        tokens.chmod(0o600)
        peer = self.path / "peer.token"
        peer.write_text("peer")
        peer.chmod(0o600)
        audit = self.path / "audit.jsonl"
        node = self.node("--auth-token-file", str(tokens), "--peer-token-file", str(peer), "--audit-log", str(audit),
                         "--cluster-token", "a-long-token")

        def command(op, token, name="authorization"):
            value = f"Bearer {token}" if name == "authorization" else token
            return node.call("/kvraftpb.KVService/Command", kv.CommandRequest(op=op, key=b"k"), kv.CommandResponse,
                             metadata=[(name, value)] if token else []).err
        kv_rig.eventually(lambda: command(kv.PUT, "write") == "OK", "a write")
        self.assertEqual(command(kv.GET, "read", "token"), "OK")
        self.assertEqual(self.code(lambda: command(kv.PUT, "read"))[0], "PERMISSION_DENIED")
        self.assertEqual(self.code(lambda: command(kv.GET, ""))[0], "UNAUTHENTICATED")
        self.assertEqual(self.code(lambda: command(kv.GET, "wrong"))[0], "UNAUTHENTICATED")
        stream = kv_rig.Pipeline(node.channel(), metadata=[("authorization", "Bearer read")])
        self.assertEqual(stream.run(client.Cmd(id=1, op=client.GET, key=b"k"))[0].code, client.OK)
        self.assertEqual(self.code(lambda: stream.run(client.Cmd(id=2, op=client.PUT, key=b"k")))[0],
                         "PERMISSION_DENIED")

        def change(token):
            return node.admin("SetOption", admin.SetOptionRequest(name="log_level", value="info"),
                              admin.SetOptionResponse, metadata=[("authorization", f"Bearer {token}")])
        self.assertEqual(self.code(lambda: change("write"))[0], "PERMISSION_DENIED")
        change("admin")
        self._stranger_is_no_peer(node)
        records = [json.loads(line) for line in audit.read_text().splitlines()]
        self.assertEqual([(r["actor"], r["op"], r["target"], r["result"]) for r in records if r["result"] == "ok"],
                         [("adminer", "set_option", "log_level", "ok")])
        self.assertEqual([r["actor"] for r in records if r["result"] == "denied"], ["writeer"])
        tokens.write_text(f"{hashlib.sha256(b'new').hexdigest()} newer write\n")
        kv_rig.eventually(lambda: self._works(lambda: command(kv.GET, "new")), "the new token")
        self.assertEqual(self.code(lambda: command(kv.GET, "read"))[0], "UNAUTHENTICATED")
        self.assertNotIn("Bearer", node.log() + audit.read_text())

    def _stranger_is_no_peer(self, node):
        """Who has no token and no certificate learns from the open page what it may know, and greets in vain."""
        page = node.http("/statusz?format=json")[1]
        self.assertNotIn("a-long-token", page)
        shown = json.loads(page)
        self.assertNotIn("incarnation", shown)
        cluster = bytes.fromhex(shown["cluster_id"])
        hello = transport.Frame(seq=1, hello=transport.Hello(cluster_id=cluster, node_id=2, incarnation=7, peer_id=1,
                                                             feature_level=1, address="x:1"))
        stream = node.channel().stream_stream("/slipway.eraft.transport.v1.RaftTransport/Stream",
                                              transport.Frame.SerializeToString, transport.Frame.FromString)

        def greet(metadata):
            return next(stream(iter([hello]), timeout=10, metadata=metadata))
        self.assertEqual(self.code(lambda: greet([]))[0], "UNAUTHENTICATED")
        self.assertEqual(self.code(lambda: greet([("authorization", "Bearer admin")]))[0], "PERMISSION_DENIED")
        unary = node.channel().unary_unary("/raftpb.RaftService/AppendEntries")
        self.assertEqual(self.code(lambda: unary(b"", timeout=10))[0], "UNAUTHENTICATED")

    @staticmethod
    def _works(call):
        try:
            return call() == "OK"
        except grpc.RpcError:
            return False

    def test_slow_requests_are_logged_with_their_stages(self):  # E196
        node = self.leader("--slow-log", "1ns")

        def line_of_a_request():  # one in a while: the lines of one second are few
            node.call("/kvraftpb.KVService/Command", kv.CommandRequest(op=kv.PUT, key=b"k"), kv.CommandResponse,
                      metadata=[("x-request-id", "r-17")])
            return [line for line in node.log().splitlines() if "r-17" in line]
        line = kv_rig.eventually(line_of_a_request, "the line")[0]
        for field in ("queue_ms", "consensus_and_apply_ms", "reply_ms", "result=OK"):
            self.assertIn(field, line)

    def test_a_quota_refuses_writes_and_not_reads(self):  # E167, E171
        node = self.leader("--quota-bytes", "1MiB", engine="rocksdb")  # the log alone is larger
        kv_rig.eventually(lambda: node.admin("Alarms", admin.AlarmsRequest(), admin.AlarmsResponse).alarms == ["QUOTA"],
                          "the alarm")
        metrics = node.http("/metrics")[1]
        self.assertIn('eraft_alarm{type="QUOTA"} 1', metrics)
        self.assertIn('eraft_alarm{type="NOSPACE"} 0', metrics)  # there before it is raised, for rules of alerts
        self.assertEqual(node.command_call(kv.PUT, b"k", b"v")[0], "ErrTimeout")
        self.assertEqual(node.command_call(kv.GET, b"k")[0], "ErrNoKey")
        told = subprocess.run([str(rig.BUILD / "bin" / "kvclient"), "-op", "put", "-key", "k", "-value", "v", "-addrs",
                               node.address(), "--timeout", "300ms", "--json"], capture_output=True, check=False).stdout
        self.assertEqual(json.loads(told)["error"]["details"]["executed"], "no")
        self.assertIn("alarm: QUOTA", json.loads(told)["error"]["message"])
        stream = kv_rig.Pipeline(node.channel())
        self.assertEqual(stream.run(client.Cmd(id=1, op=client.PUT, key=b"k"))[0].code, client.NO_SPACE)
        # The way out; and the start has told that here there is none.
        self.assertNotEqual(stream.run(client.Cmd(id=2, op=client.DELETE, key=b"k"))[0].code, client.NO_SPACE)
        self.assertIn("less than the log alone takes", node.log())
        self.assertEqual(node.http("/health")[0], 503)

    def test_mutual_tls_for_clients_and_administrators(self):  # E24, E191
        authority = kv_rig.Authority(self.path / "ca")
        cert, key = authority.issue("server")
        ops, ops_key = authority.issue("ops", san="DNS:first.example,DNS:ops.example")
        app, app_key = authority.issue("app", san="DNS:app.example")
        node = self.node("--tls-cert", cert, "--tls-key", key, "--tls-ca", authority.ca, "--tls-client-auth", "require",
                         "--admin-san", "ops.example")

        def call(who, who_key, path, request, response):
            credentials = grpc.ssl_channel_credentials(authority.ca.read_bytes(), who_key.read_bytes(),
                                                       who.read_bytes())
            with kv_rig.channel(f"localhost:{node.ports['grpc']}", credentials) as channel:
                return channel.unary_unary(path, type(request).SerializeToString, response.FromString)(request,
                                                                                                       timeout=10)
        status = ("/kvraftpb.KVService/GetStatus", kv.GetStatusRequest(), kv.GetStatusResponse)
        info = ("/slipway.eraft.admin.v1.Admin/Info", admin.InfoRequest(), admin.InfoResponse)
        self.assertEqual(call(app, app_key, *status).id, 0)
        self.assertEqual(self.code(lambda: call(app, app_key, *info))[0], "PERMISSION_DENIED")
        self.assertGreater(call(ops, ops_key, *info).cert_not_after_unix, time.time())
        self.assertIsNone(node.status())  # in plain text

    def test_certificates_change_under_load(self):  # E25, E427
        first, second = kv_rig.Authority(self.path / "one", "first"), kv_rig.Authority(self.path / "two", "second")
        files = {name: self.path / f"{name}.pem" for name in ("cert", "key", "ca")}

        def put(authority, *, both=False, broken=False):
            """As secret managers do: a new file, renamed over the old one."""
            cert, key = authority.issue("server")
            texts = {"cert": b"none\n" if broken else cert.read_bytes(), "key": key.read_bytes(),
                     "ca": first.ca.read_bytes() + (second.ca.read_bytes() if both else b"")}
            for name, path in files.items():
                new = path.with_suffix(".new")
                new.write_bytes(texts[name])
                new.chmod(0o600)
                new.rename(path)
        put(first)
        node = self.leader_with_tls(first, files)
        trusted = first.ca.read_bytes() + second.ca.read_bytes()
        failures, over = [], threading.Event()

        def load():
            held = kv_rig.channel(f"localhost:{node.ports['grpc']}", grpc.ssl_channel_credentials(trusted))
            while not over.is_set():
                for channel in (held, kv_rig.channel(f"localhost:{node.ports['grpc']}",
                                                     grpc.ssl_channel_credentials(trusted))):
                    request = kv.CommandRequest(op=kv.PUT, key=b"k", value=b"v")
                    try:
                        answer = channel.unary_unary("/kvraftpb.KVService/Command", type(request).SerializeToString,
                                                     kv.CommandResponse.FromString)(request, timeout=rig.PATIENCE)
                        if answer.err not in ("OK", "ErrTimeout"):  # a slow disk is not the matter here
                            failures.append(answer.err)
                    except grpc.RpcError as error:
                        failures.append(str(error))
                    if channel is not held:
                        channel.close()
            held.close()
        thread = threading.Thread(target=load)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(over.set)

        def issuer():
            pem = ssl.get_server_certificate(("localhost", node.ports["grpc"]))
            told = subprocess.run(["openssl", "x509", "-noout", "-issuer"], input=pem.encode(), capture_output=True,
                                  check=True).stdout.decode()
            return told.split("CN = ")[1].strip()
        self.assertEqual(issuer(), "first")
        put(second, both=True)
        rig.eventually(lambda: issuer() == "second", "the new certificate is in force")
        put(first, broken=True)
        rig.eventually(lambda: "eraft_tls_reload_failures_total 1" in node.https("/metrics", trusted), "it is refused")
        self.assertEqual(issuer(), "second")
        over.set()
        thread.join()
        self.assertEqual(failures, [])

    def leader_with_tls(self, authority, files):
        node = self.node("--tls-cert", files["cert"], "--tls-key", files["key"], "--tls-ca", files["ca"])
        credentials = grpc.ssl_channel_credentials(authority.ca.read_bytes())
        with kv_rig.channel(f"localhost:{node.ports['grpc']}", credentials) as channel:
            status = channel.unary_unary("/kvraftpb.KVService/GetStatus", kv.GetStatusRequest.SerializeToString,
                                         kv.GetStatusResponse.FromString)
            rig.eventually(lambda: status(kv.GetStatusRequest(), timeout=rig.PATIENCE).state == "Leader", "it leads")
        return node


if __name__ == "__main__":
    rig.main()
