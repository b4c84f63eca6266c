#!/usr/bin/python3
"""How a zako-casd starts, runs, is told what changed, and ends."""
import concurrent.futures
import json
import os
import re
import signal
import socket
import threading
import time
import unittest

import grpc

import casd_rig
import rig
from casd_case import CasdTest
from zako_wire import Client, blake3, hash_of, pb

Code = grpc.StatusCode


class Running(CasdTest):
    def test_health_status_and_metrics(self):
        server = self.start()
        self.assertEqual(server.http("/livez")[0], 200)
        self.assertEqual(server.http("/readyz")[0], 200)
        status = json.loads(server.http("/status")[1])
        self.assertTrue(status["ready"])
        self.assertGreaterEqual(status["recommended_concurrency"], 1)
        self.connect(server).details()
        rig.eventually(lambda: "\nzako_rpc_requests_total" in server.http("/metrics")[1],
                       "the call is counted, which happens when it is over")
        metrics = server.http("/metrics")[1]
        for name in ("zako_build_info", "zako_io_queue_depth", "zako_recommended_concurrency", "zako_tokens_active",
                     "zako_transfer_bytes_total", "zako_cas_blobs"):
            self.assertTrue(f"\n{name}" in metrics, name)
        version = re.fullmatch(r"zako-casd (\d+\.\d+\.\d+)\+([0-9a-f]{12}|unknown)\n", casd_rig.run("--version").out)
        self.assertIsNotNone(version)
        self.assertEqual(server.metric(f'zako_build_info{{commit="{version[2]}",version="{version[1]}"}}'), 1)
        self.assertEqual(casd_rig.run("--probe", server.address()).code, 0)
        self.assertEqual(casd_rig.run("--health-check", server.address()).code, 0)

    def test_running_requests_are_listed(self):
        server = self.start()
        client = self.connect(server).sign_in()
        stop = threading.Event()
        def waits():
            yield pb.Put(blob=pb.Blob(hash=hash_of(b"12345"), part=pb.Part()))
            yield pb.Put(piece=b"123")
            stop.wait(20)
            yield pb.Put(piece=b"45")
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            upload = pool.submit(lambda: client.upload_messages(waits()))

            def running():
                requests = json.loads(server.http("/debug/requests")[1])["requests"]
                return requests if requests and requests[0]["bytes"] == 3 else None
            requests = rig.eventually(running, "an upload of which 3 bytes have come")
            self.assertEqual(requests[0]["method"], "upload")
            self.assertEqual(requests[0]["target"], f"blake3:{blake3(b'12345').hex()}/5")
            stop.set()
            self.assertEqual(upload.result(20).size, 5)

    def test_blobs_survive_a_restart(self):
        server = self.start()
        with Client(server.address()) as client:
            client.sign_in().upload(b"kept")
        self.assertEqual(server.stop(), 0)
        server.start()
        self.assertEqual(self.connect(server).sign_in().download(hash_of(b"kept")), b"kept")

    def test_sigterm_finishes_64_streams(self):
        server = self.start({"server": {"lame_duck": "300ms", "drain_timeout": "20s"}})
        client = self.connect(server).sign_in()
        begun, go = threading.Barrier(65, timeout=30), threading.Event()
        def upload(i):
            data = b"stream %d" % i
            def messages():
                yield pb.Put(blob=pb.Blob(hash=hash_of(data), part=pb.Part()))
                yield pb.Put(piece=data[:3])
                begun.wait()
                go.wait(20)
                yield pb.Put(piece=data[3:])
            return client.upload_messages(messages(), timeout=60).size
        with concurrent.futures.ThreadPoolExecutor(64) as pool:
            sizes = [pool.submit(upload, i) for i in range(64)]
            begun.wait()
            time.sleep(0.1)
            server.signal(signal.SIGTERM)
            rig.eventually(lambda: server.http("/readyz")[0] != 200, "the drain has begun")
            go.set()
            self.assertTrue(all(size.result(30) > 0 for size in sizes))
        client.close()
        self.assertEqual(server.wait(30), 0)
        self.assertEqual(len(server.objects()), 64)

    def test_calls_that_outlast_the_drain_are_told_why_they_end(self):  # Z41
        server = self.start({"server": {"lame_duck": "0s", "drain_timeout": "300ms"}})
        client = self.connect(server).sign_in()
        over = threading.Event()
        self.addCleanup(over.set)
        def waits():
            yield pb.Put(blob=pb.Blob(hash=hash_of(b"12345"), part=pb.Part()))
            yield pb.Put(piece=b"123")
            over.wait(20)
        def asks():
            yield [hash_of(b"a")]
            over.wait(20)
        answers = client.negotiate(asks())
        next(answers)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            upload = pool.submit(lambda: client.upload_messages(waits()))
            rig.eventually(lambda: len(json.loads(server.http("/debug/requests")[1])["requests"]) >= 2, "two requests")
            server.signal(signal.SIGTERM)
            for call in (upload.result, lambda: next(answers)):
                error = self.assertFails(Code.UNAVAILABLE, call)
                self.assertIn("the server stops", error.details())
            over.set()
        self.assertEqual(server.wait(), 0)
        self.assertEqual(server.objects(), set())

    def test_a_second_signal_ends_the_drain_at_once(self):
        server = self.start({"server": {"drain_timeout": "10m"}})
        client = self.connect(server).sign_in()
        over = threading.Event()
        self.addCleanup(over.set)

        def waits():
            yield pb.Put(blob=pb.Blob(hash=hash_of(b"12345"), part=pb.Part()))
            yield pb.Put(piece=b"123")
            over.wait(60)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            upload = pool.submit(lambda: client.upload_messages(waits()))
            rig.eventually(lambda: json.loads(server.http("/debug/requests")[1])["requests"], "a request")
            server.signal(signal.SIGTERM)
            rig.eventually(lambda: server.http("/readyz")[0] != 200, "the drain has begun")
            server.signal(signal.SIGTERM)
            self.assertEqual(server.wait(), 128 + signal.SIGTERM)
            self.assertFails(Code.UNAVAILABLE, upload.result)
            over.set()
        server.start()  # nothing is in its way

    def test_the_service_manager_is_told(self):
        path = self.folder / "notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(str(path))
            os.chmod(path, 0o777)
            notify.settimeout(20)
            server = self.start(env={"NOTIFY_SOCKET": str(path)})
            self.assertIn(b"READY=1", notify.recv(4096))
            server.signal(signal.SIGHUP)
            self.assertRegex(notify.recv(4096), rb"\ARELOADING=1\nMONOTONIC_USEC=\d+\Z")
            self.assertIn(b"READY=1", notify.recv(4096))
            self.assertEqual(server.stop(), 0)
            self.assertIn(b"STOPPING=1", notify.recv(4096))

    def test_sighup_reloads_and_serves_on(self):
        server = self.start()
        client = self.connect(server).sign_in()
        server.signal(signal.SIGHUP)
        rig.eventually(lambda: "reloaded" in server.log(), "reloaded")
        self.assertEqual(client.upload(b"after"), 5)

    def test_sighup_while_it_starts_is_not_lost(self):
        server = casd_rig.Casd(self.folder / "early", {"log": {"level": "info"}})
        starting = threading.Thread(target=server.start)
        starting.start()
        self.addCleanup(server.stop)
        self.addCleanup(starting.join)
        rig.eventually(lambda: server.process and rig.blocks(server.process.pid, signal.SIGHUP), "it blocks SIGHUP", pause=0.0005)
        os.kill(server.process.pid, signal.SIGHUP)
        rig.eventually(lambda: "reloaded" in server.log(), "reloaded")

    def reload(self, server):
        """SIGHUP; the lines that came by it."""
        before = len(server.log())
        server.signal(signal.SIGHUP)
        rig.eventually(lambda: "reloaded" in server.log()[before:], "reloaded")
        return server.log()[before:]

    def test_sighup_changes_the_log_and_names_what_waits_for_a_restart(self):
        server = self.start({"log": {"level": "info"}})
        self.assertEqual(server.http("/status")[0], 200)
        self.assertNotIn("[DEBUG]", server.log())
        server.configure({"log": {"level": "debug"}, "limits": {"max_streams": 7}, "server": {"keepalive": "31s"}})
        lines = self.reload(server)
        self.assertRegex(lines, r"restart keys=\"?limits\.max_streams, server\.keepalive\"?\n")
        self.assertEqual(server.http("/status")[0], 200)
        rig.eventually(lambda: "[DEBUG]" in server.log(), "a line about the request, written when it is over")
        self.assertEqual(server.metric("zako_config_reload_success"), 1)
        server.configure({"log": {"file": str(self.folder / "other.log"), "format": "json"}})
        server.signal(signal.SIGHUP)
        other = self.folder / "other.log"
        rig.eventually(lambda: other.exists() and '"msg":"reloaded"' in other.read_text(), "the log in another file")

    def test_sighup_with_a_bad_configuration_keeps_the_old_one(self):
        server = self.start({"log": {"level": "info"}})
        client = self.connect(server).sign_in()
        good = server.config_file.read_text()
        bad = ("log: {level: debug}\nno_such_key: 1\n", "log: {level: loud}\n", "{", "log: {level: debug, file: /dev/null/x}\n")
        for text in bad:
            with self.subTest(text):
                server.config_file.write_text(text)
                lines = self.reload(server)
                self.assertIn("[ERROR] configuration refused; the one from before stays in force", lines)
                self.assertEqual(server.metric("zako_config_reload_success"), 0)
                self.assertEqual(server.http("/status")[0], 200)
                self.assertNotIn("[DEBUG]", server.log())
        server.config_file.unlink()
        self.assertIn("configuration refused", self.reload(server))
        self.assertEqual(client.upload(b"served all the time"), 19)
        server.config_file.write_text(good)
        self.assertNotIn("refused", self.reload(server))
        self.assertEqual(server.metric("zako_config_reload_success"), 1)

    def test_trace_detail_can_be_raised(self):
        server = self.start({"log": {"level": "debug", "format": "json"}})
        self.connect(server).details()
        self.assertTrue(all(json.loads(line)["level"] for line in server.log().splitlines()))


class StartTest(CasdTest):
    def casd(self, config=None):
        return casd_rig.Casd(self.folder / "casd", config)

    def fails(self, server, code, *texts, prefix=()):
        result = casd_rig.run(*server.command()[1:], prefix=prefix)
        self.assertEqual(result.code, code, str(result))
        for text in texts:
            self.assertIn(text, result.err)
        self.assertFalse(server.ports_file.exists())
        return result


class Permissions(StartTest):
    @unittest.skipIf(os.geteuid() == 0, "root may enter every directory")
    def test_storage_without_permission(self):
        closed = self.folder / "closed"
        closed.mkdir(0o500)
        self.fails(self.casd({"store": {"root": str(closed / "store")}}), 3, str(closed), "uid", "mode 0500", "install -d")


class Starting(StartTest):
    def test_port_conflict(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            for role in ("cas", "transport", "http"):
                self.fails(self.casd({"listen": {role: f"127.0.0.1:{port}"}}), 3, f"127.0.0.1:{port}",
                           f"process {os.getpid()}", "hint:")

    def test_storage_that_is_locked(self):
        server = self.start()
        other = casd_rig.Casd(self.folder / "other", {"store": {"root": str(server.root)}})
        self.fails(other, 5, "ZK4006", str(server.pid()))

    def test_a_configuration_that_is_no_file(self):
        done = casd_rig.run("--config", self.folder, "--check-config")
        self.assertEqual(done.code, 2, done)

    def test_wrong_configuration(self):
        for config, text in (({"listen": {"cas": "0.0.0.0:1"}}, "nothing is encrypted"), ({"rolls": []}, "roles"),
                             ({"auth": {"mode": "keys"}}, "auth.keys_file"), ({"tls": {"cert": "/nowhere"}}, "tls")):
            self.fails(self.casd(config), 2, text)
            self.assertEqual(casd_rig.run("--config", self.casd(config).config_file, "--check-config").code, 2)
        self.assertEqual(casd_rig.run("--config", self.folder / "missing").code, 2)

    def test_configuration_from_flags_and_environment(self):
        good = self.casd()
        result = casd_rig.run("--config", good.config_file, "--check-config")
        self.assertEqual((result.code, result.out), (0, "config ok\n"), str(result))
        result = casd_rig.run("--config", good.config_file, "--print-config", "--roles", "cas,http", "--insecure",
                              env={"ZAKO_CASD__STORE__ROOT": "/elsewhere"})
        self.assertEqual(result.code, 0, str(result))
        for text in ("root: /elsewhere", "ZAKO_CASD__STORE__ROOT", "--roles", "insecure: true"):
            self.assertIn(text, result.out)
        result = casd_rig.run("--check-config", env={"ZAKO_CASD__STORE__ROT": "/x"})
        self.assertEqual(result.code, 2)
        self.assertIn("root", result.err)
        self.assertEqual(casd_rig.run("--version").code, 0)
        self.assertEqual(casd_rig.run("--bogus").code, 2)
        self.assertEqual(casd_rig.run("127.0.0.1:1").code, 2)  # an address without --probe

    def test_nobody_to_probe(self):
        result = casd_rig.run("--probe", f"127.0.0.1:{casd_rig.free_port()}")
        self.assertEqual(result.code, 1, str(result))


if __name__ == "__main__":
    rig.main()
