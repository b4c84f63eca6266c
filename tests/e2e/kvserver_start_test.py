#!/usr/bin/python3
"""How a kvserver starts and ends, and what goes wrong at a start."""
import hashlib
import json
import os
import re
import shutil
import signal
import time

import kv_rig
import rig
from kv_rig import kv
from one_kvserver import OneKvserver


class Start(OneKvserver):
    def test_certificates_that_are_not_valid_are_refused(self):  # E27, E427
        authority = kv_rig.Authority(self.path / "ca")
        cert, key = authority.issue("server", days=0)
        time.sleep(1.1)  # the clock of certificates counts seconds
        address = f"127.0.0.1:{kv_rig.free_port()}"
        base = ("-id", 0, "-cluster", address, "--data-dir", self.path / "data", "--tls-ca", authority.ca)
        done = self.run_with(*base, "--tls-cert", cert, "--tls-key", key)
        self.assertIn(done.code, (2, 3), done)
        self.assertRegex(done.err, r"expired|not valid|not after")
        other, _ = kv_rig.Authority(self.path / "other").issue("server")
        done = self.run_with(*base, "--tls-cert", other, "--tls-key", key)
        self.assertIn(done.code, (2, 3), done)
        self.assertFalse((self.path / "data").exists())

    def run_with(self, *arguments, cwd=None):
        return kv_rig.run("--http-listen", "off", *arguments, cwd=cwd)

    def test_wrong_flags_end_with_2_and_leave_nothing(self):  # E10
        one = "127.0.0.1:5001"
        for arguments, part in [(("-cluster", ""), "no member"), (("-cluster", "a"), "no port"),
                                (("-cluster", f"{one},{one}"), "twice"), (("-cluster", one, "-id", "1"), "--id 1"),
                                (("-cluster", "no-such-host.invalid:1", "--insecure"), "not found"),
                                (("-cluster", one, "-addrs", "127.0.0.1:5002"), "--addrs"),
                                (("-cluster", "10.1.1.1:5001"), "--insecure"),
                                (("--election-timeout", "100ms"), "--election-timeout"),
                                (("--auth-token-file", "/dev/null"), "--peer-token-file"),
                                (("--auth-token-file", "/no/such/file", "--peer-token-file", "/dev/null"),
                                 "--auth-token-file")]:
            with self.subTest(arguments):
                result = self.run_with(*arguments, cwd=self.folder.name)
                self.assertEqual(result.code, 2, result)
                self.assertIn(part, result.err)
                self.assertEqual(os.listdir(self.folder.name), [])

    def test_a_token_that_no_header_carries_ends_it_with_2(self):  # E10, E191
        self._write("tokens", self._grants("admin admin"))
        for token in ("two\nlines\n", "two words\n", "\x01", "ä"):
            with self.subTest(token):
                self._write("peer", token)
                result = self.run_with("-cluster", "127.0.0.1:5001", "--auth-token-file", str(self.path / "tokens"),
                                       "--peer-token-file", str(self.path / "peer"), cwd=self.folder.name)
                self.assertEqual(result.code, 2, result)
                self.assertIn("--peer-token-file", result.err)
                self.assertEqual(sorted(os.listdir(self.folder.name)), ["peer", "tokens"])

    def _write(self, name, text):
        new = self.path / (name + ".new")
        new.write_text(text)
        new.chmod(0o600)
        new.rename(self.path / name)

    @staticmethod
    def _grants(*tokens):
        """Lines of tokens, each "token role"."""
        return "".join(f"{hashlib.sha256(token.encode()).hexdigest()} {role}er {role}\n"
                       for token, role in (text.split() for text in tokens))

    def test_the_token_of_peers_changes_while_they_run(self):  # E25, E191
        self._write("tokens", self._grants("old peer"))
        self._write("peer", "old\n")
        cluster = [f"127.0.0.1:{kv_rig.free_port()}" for _ in range(2)]
        nodes = [kv_rig.Node(self.path / str(index), index, cluster,
                             ["--engine", "memory", "--heartbeat-interval", "50ms", "--election-timeout", "250ms",
                              "--auth-token-file", str(self.path / "tokens"),
                              "--peer-token-file", str(self.path / "peer")]) for index in range(2)]
        for node in nodes:
            self.addCleanup(node.kill)
            node.launch()
        for node in nodes:
            node.await_serving()

        def read_again(text, times):
            for node in nodes:
                node.signal(signal.SIGHUP)
            for node in nodes:
                kv_rig.eventually(lambda n=node: n.log().count(text) == times, f"{times} times: {text}")
        self._write("tokens", self._grants("old peer", "new peer"))
        read_again("tokens loaded", 2)
        self._write("peer", "new\n")
        read_again("token for peers loaded", 2)
        self._write("tokens", self._grants("new peer"))
        read_again("tokens loaded", 3)
        nodes[1].kill()
        nodes[1].start()
        for node in nodes:
            kv_rig.eventually(lambda n=node: n.http("/readyz")[0] == 200, "each hears the other")
        self._write("tokens", self._grants("other peer"))  # streams that are open end, too
        for node in nodes:
            kv_rig.eventually(lambda n=node: "check token" in json.loads(n.http("/statusz?format=json")[1])["peers"][0]
                              .get("error", ""), "who has no token any more is not heard")

    def test_data_of_another_ends_with_5_and_is_untouched(self):  # E11
        node = self.leader(engine="rocksdb")
        self.assertEqual(node.stop(), 0)
        own = node.cluster[0]

        def listing():
            return {str(path): path.stat().st_mtime_ns for path in node.data.rglob("*") if path.is_file()}
        before = listing()
        for arguments, parts in [
                (("-cluster", f"127.0.0.1:1,{own}", "-id", "1"), ("node 1", "node 2")),
                (("-cluster", "127.0.0.1:1"), ("of cluster",)),
                (("-cluster", own, "--engine", "leveldb"), ("rocksdb", "leveldb")),
                (("-cluster", own, "--cluster-token", "blue"), ("of cluster",))]:
            with self.subTest(arguments):
                result = self.run_with(*arguments, "--data-dir", node.data)
                self.assertEqual(result.code, 5, result)
                for part in (*parts, "nothing was changed"):
                    self.assertIn(part, result.err)
                self.assertEqual(listing(), before)

    def test_a_directory_in_use_names_the_process(self):  # E11
        node = self.leader(engine="rocksdb")
        result = self.run_with("-cluster", node.cluster[0], "--listen", "127.0.0.1:0", "--data-dir", node.data)
        self.assertEqual(result.code, 5, result)
        self.assertIn(str(node.process.pid), result.err)

    def test_a_port_in_use_ends_with_3(self):
        node = self.leader()
        result = self.run_with("-cluster", node.address(), "--engine", "memory", "--data-dir", self.path / "x")
        self.assertEqual(result.code, 3, result)
        self.assertIn(node.address(), result.err)
        self.assertFalse((self.path / "x").exists())  # E10: it would be of the cluster that was named by mistake
        result = self.run_with("-cluster", "192.0.2.1:5001", "--insecure", "--data-dir", self.path / "x")
        self.assertEqual(result.code, 3, result)
        self.assertFalse((self.path / "x").exists())

    def test_damage_in_the_middle_of_the_log_ends_with_5(self):  # E11, E113
        node = self.leader(engine="rocksdb")
        for number in range(30):
            node.command_call(kv.PUT, b"k", b"%d" % number * 100)
        self.assertEqual(node.stop(), 0)
        segment = sorted((node.data / "wal").glob("*.wal"))[0]
        with open(segment, "r+b") as file:
            file.seek(4096 + 600)
            byte = file.read(1)
            file.seek(4096 + 600)
            file.write(bytes([byte[0] ^ 1]))
        result = self.run_with("-cluster", node.cluster[0], "--data-dir", node.data)
        self.assertEqual(result.code, 5, result)

    def told_the_way_out(self, node, engine):
        """What it says of data that cannot be read."""
        result = self.run_with("-cluster", node.cluster[0], "--data-dir", node.data, "--engine", engine)
        self.assertEqual(result.code, 5, result)
        self.assertIn(f"move {node.data} away", result.err)
        self.assertIn("eraftctl restore", result.err)
        return result.err

    def test_a_damaged_engine_is_kept_and_the_way_out_is_told(self):  # E11, E168
        for engine in ("rocksdb", "leveldb"):
            with self.subTest(engine):
                node = self.leader(engine=engine)
                node.command_call(kv.PUT, b"k", b"v")
                node.kill()
                manifest = next((node.data / "kv").glob("MANIFEST-*"))
                damaged = bytes(byte ^ 1 for byte in manifest.read_bytes())
                manifest.write_bytes(damaged)
                error = self.told_the_way_out(node, engine)
                kept = node.data / re.search(r"copies are in (quarantine/\S+)", error)[1]
                self.assertEqual((kept / f"kv_{manifest.name}").read_bytes(), damaged)
                self.assertIn("engine", (kept / "report.json").read_text())
                shutil.rmtree(node.data)

    def test_a_log_that_is_gone_is_not_begun_anew(self):  # E11, E113: it had promised what was in it
        node = self.leader(engine="rocksdb")
        node.command_call(kv.PUT, b"k", b"v")
        self.assertEqual(node.stop(), 0)
        for name in ("wal", "kv"):
            shutil.rmtree(node.data / name)
        self.assertIn("every segment is missing", self.told_the_way_out(node, "rocksdb"))
        self.assertFalse((node.data / "wal").exists())

    def test_who_has_lost_whose_it_is_is_told_the_way_out(self):  # E11
        node = self.leader(engine="rocksdb")
        node.kill()
        for name in ("IDENTITY", "IDENTITY.2"):
            (node.data / name).write_bytes(b"x" * 79)
        self.assertIn("no copy of IDENTITY can be read", self.told_the_way_out(node, "rocksdb"))

    def test_a_damaged_list_of_members_has_a_way_out_of_its_own(self):  # E11
        node = self.leader()
        node.kill()
        (node.data / "MEMBERS").write_text("garbage")
        result = self.run_with("-cluster", node.cluster[0], "--data-dir", node.data, "--engine", "memory")
        self.assertEqual(result.code, 5, result)
        self.assertIn("remove it: then --cluster counts", result.err)
        self.assertNotIn("away", result.err)

    def test_a_directory_that_may_not_be_written_ends_with_3(self):
        if os.geteuid() == 0:
            folder = self.path / "theirs"
            folder.mkdir()
            os.chown(folder, 12345, 12345)
            result = self.run_with("-cluster", "127.0.0.1:5001", "--data-dir", folder)
            self.assertEqual(result.code, 5, result)
            self.assertIn("uid 12345", result.err)
            self.assertEqual(os.listdir(folder), [])
            return
        folder = self.path / "closed"
        folder.mkdir(mode=0o500)
        result = self.run_with("-cluster", "127.0.0.1:5001", "--data-dir", folder / "data")
        self.assertEqual(result.code, 3, result)
        self.assertIn("may not", result.err)

    def test_sighup_while_it_starts_is_not_lost(self):  # E25
        node = kv_rig.Node(self.path / "one", 0, [f"127.0.0.1:{kv_rig.free_port()}"], ["--engine", "memory"])
        self.addCleanup(node.kill)
        node.launch()
        rig.eventually(lambda: rig.blocks(node.process.pid, signal.SIGHUP), "it blocks SIGHUP", pause=0.0005)
        node.signal(signal.SIGHUP)
        rig.eventually(lambda: "read again" in node.log(), "what files say was read again")

    def test_a_signal_ends_it_with_0(self):  # E195
        node = self.leader()
        node.signal(signal.SIGINT)
        self.assertEqual(node.wait(), 0)


if __name__ == "__main__":
    rig.main()
