#!/usr/bin/python3
"""`zako cas …` against zako-casd, with the real programs (Z143, Z26)."""
import json
import os
import re
import signal
import socket
import subprocess
import time

import casd_rig
import rig

ZAKO = str(rig.BUILD / "bin" / "zako")


class ZakoCas(rig.unittest.TestCase):
    def setUp(self):
        self.folder = rig.scratch("slipway-zako-")
        self.addCleanup(rig.remove_tree, self.folder)
        self.server = casd_rig.Casd(self.folder / "casd").start()
        self.addCleanup(self.server.kill)

    def zako(self, *arguments, code=0, stdin=None, server=None, timeout=60):
        done = subprocess.run([ZAKO, *map(str, arguments)], capture_output=True, timeout=timeout, check=False,
                              cwd=self.folder, input=stdin if stdin is not None else b"",
                              env=casd_rig.environment({"ZAKO_CAS": server or self.server.address(),
                                                        "TMPDIR": str(self.folder)}))
        self.assertEqual(done.returncode, code, f"{arguments}: {done.stderr.decode()}")
        return done

    def put(self, content, name="blob"):
        (self.folder / name).write_bytes(content)
        return self.zako("cas", "put", name).stdout.decode().split()[0]

    def test_what_is_put_comes_back_and_is_named_as_b3sum_names_it(self):
        content = os.urandom(5_000_001)
        digest = self.put(content)
        b3sum = subprocess.run(["b3sum", self.folder / "blob"], capture_output=True, text=True, check=True)
        self.assertEqual(digest, f"blake3:{b3sum.stdout.split()[0]}/{len(content)}")
        self.zako("cas", "get", digest, "out")
        self.assertEqual((self.folder / "out").read_bytes(), content)
        self.assertEqual(self.zako("cas", "get", digest).stdout, content)
        bare = digest.removeprefix("blake3:").split("/")[0]
        self.assertEqual(self.zako("cas", "get", bare, "--range", "1000000:10").stdout, content[1000000:1000010])

    def test_many_files_go_in_parallel_and_a_pipe_too(self):
        names = []
        for i in range(40):
            (self.folder / f"f{i}").write_bytes(os.urandom(50_000) + bytes([i]))
            names.append(f"f{i}")
        lines = self.zako("cas", "put", *names).stdout.decode().splitlines()
        self.assertEqual([line.split("  ")[1] for line in lines], names)
        self.assertEqual(len(self.server.objects()), 40)
        content = os.urandom(3_000_000)
        digest = self.zako("cas", "put", "-", stdin=content).stdout.decode().split()[0]
        self.assertEqual(self.zako("cas", "get", digest).stdout, content)

    def test_the_life_of_a_blob(self):
        digest = self.put(b"short")
        self.assertEqual(self.zako("cas", "ls").stdout.decode().split(), [digest])
        stat = json.loads(self.zako("cas", "stat", digest, "--json").stdout)
        self.assertEqual(stat["blobs"][0]["stored_bytes"], 5)
        self.assertEqual(json.loads(self.zako("cas", "verify", "--json").stdout)["corrupt"], [])
        self.zako("cas", "rm", digest, code=2)  # nobody to ask
        self.zako("cas", "rm", digest, "--yes")
        self.zako("cas", "get", digest, "out", code=1)
        self.assertFalse((self.folder / "out").exists())
        self.put(b"a" * 1000)
        self.put(b"b" * 1000)
        self.zako("cas", "gc", "--target", "1000B", "--yes")
        self.assertEqual(len(self.server.objects()), 1)

    def test_a_damaged_blob_is_found_by_verify_and_never_got(self):
        digest = self.put(b"x" * 100_000)
        bare = digest.removeprefix("blake3:").split("/")[0]
        path = self.server.root / "objects" / bare[:2] / bare[2:]
        os.chmod(path, 0o644)
        path.write_bytes(b"y" + b"x" * 99_999)
        done = self.zako("cas", "get", digest, "out", code=1)
        self.assertNotIn(str(self.server.root), done.stderr.decode())
        self.assertFalse((self.folder / "out").exists())
        digest = self.put(b"z" * 100_000)
        bare = digest.removeprefix("blake3:").split("/")[0]
        path = self.server.root / "objects" / bare[:2] / bare[2:]
        os.chmod(path, 0o644)
        path.write_bytes(b"y" + b"z" * 99_999)
        self.assertIn(digest, self.zako("cas", "verify", code=1).stdout.decode())

    def test_a_server_that_is_not_there_or_does_not_answer_is_exit_3(self):
        began = time.monotonic()
        self.zako("cas", "ls", code=3, server=f"127.0.0.1:{casd_rig.free_port()}")
        self.assertLess(time.monotonic() - began, 20)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            address = f"127.0.0.1:{silent.getsockname()[1]}"
            done = self.zako("cas", "ls", "--timeout", "1s", code=3, server=address)
            self.assertIn(b"ZK4003", done.stderr)

    def test_a_server_that_stops_in_the_middle_leaves_no_file(self):
        digest = self.put(os.urandom(1000))
        self.server.stop()
        self.zako("cas", "get", digest, "out", code=3)
        self.assertFalse((self.folder / "out").exists())

    def test_interrupt_ends_a_put_with_130(self):
        process = subprocess.Popen([ZAKO, "cas", "put", "-"], cwd=self.folder, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=casd_rig.environment({"ZAKO_CAS": self.server.address(),
                                                             "TMPDIR": str(self.folder)}))
        self.addCleanup(process.kill)
        process.stdin.write(b"x" * 3_000_000)
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
        try:
            process.communicate(b"x" * 3_000_000, timeout=20)
        except BrokenPipeError:
            process.wait(20)
        self.assertEqual(process.returncode, 130)
        self.assertEqual(self.server.objects(), set())

    def test_interrupt_ends_a_wait_for_input(self):  # Z26
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            with self.subTest(code):
                process = subprocess.Popen([ZAKO, "cas", "put", "-"], cwd=self.folder, stdin=subprocess.PIPE,
                                           stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                           env=casd_rig.environment({"ZAKO_CAS": self.server.address(),
                                                                     "TMPDIR": str(self.folder)}))
                self.addCleanup(process.kill)
                process.stdin.write(b"x" * 3_000_000)  # more than a pipe holds: it reads
                process.stdin.flush()
                process.send_signal(number)
                self.assertEqual(process.wait(20), code)
                for stream in (process.stdin, process.stdout, process.stderr):
                    stream.close()
        self.assertEqual(self.server.objects(), set())

    def test_an_input_that_cannot_be_read_is_not_stored(self):
        for redirection in ("<&-", f"<{self.folder}"):
            with self.subTest(redirection):
                done = subprocess.run(["sh", "-c", f"exec {ZAKO} cas put - {redirection}"], capture_output=True,
                                      timeout=20, check=False,
                                      env=casd_rig.environment({"ZAKO_CAS": self.server.address()}))
                self.assertEqual(done.returncode, 1, done)
                self.assertIn(b"standard input", done.stderr)
        self.assertEqual(self.server.objects(), set())

    def test_what_cannot_be_printed_is_a_failure(self):
        digest = self.put(b"alpha\n")
        for words in (f"get {digest}", f"put {self.folder / 'blob'}", "ls", f"stat {digest}"):
            for redirection in (">/dev/full", ">&-"):
                with self.subTest(words, redirection=redirection):
                    done = subprocess.run(["sh", "-c", f"exec {ZAKO} cas {words} {redirection}"], timeout=20,
                                          capture_output=True, check=False,
                                          env=casd_rig.environment({"ZAKO_CAS": self.server.address()}))
                    self.assertEqual(done.returncode, 1, done)

    def test_get_replaces_no_pipe(self):
        digest = self.put(b"alpha\n")
        os.mkfifo(self.folder / "pipe")
        done = self.zako("cas", "get", digest, "pipe", code=2)
        self.assertIn(b"a device or a pipe", done.stderr)
        self.assertTrue((self.folder / "pipe").is_fifo())
        done = subprocess.run(["sh", "-c", f"echo x | {ZAKO} cas put /dev/stdin"], capture_output=True, timeout=20,
                              check=False, env=casd_rig.environment({"ZAKO_CAS": self.server.address()}))
        self.assertIn(b"standard input: -", done.stderr)

    def test_the_commands_of_the_guide_work_in_their_order(self):
        page = (rig.SOURCE / "docs" / "zako-cas.md").read_text()
        script = "".join(re.findall(r"^```sh\n(.*?)^```$", page, re.M | re.S))
        self.assertIn("zako cas gc", script)
        (self.folder / "work").mkdir()
        done = subprocess.run(["bash", "-eu", "-o", "pipefail", "-v"], input=script, cwd=self.folder / "work", text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False,
                              env=casd_rig.environment({"ZAKO_CAS": self.server.address(), "TMPDIR": str(self.folder),
                                                        "PATH": f"{rig.BUILD / 'bin'}:{os.environ['PATH']}"}))
        self.assertEqual(done.returncode, 0, done.stdout[-3000:])

    def certificate(self, name, alternative, signer=None):
        """Makes NAME.pem and NAME.key in the folder, signed by `signer` or by itself."""
        sign = ["-CA", f"{signer}.pem", "-CAkey", f"{signer}.key"] if signer else []
        kind = ["-addext", "basicConstraints=critical,CA:" + ("FALSE" if signer else "TRUE")]
        done = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                               "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName={alternative}",
                               "-keyout", f"{name}.key", "-out", f"{name}.pem", *kind, *sign],
                              cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        os.chmod(self.folder / f"{name}.key", 0o600)

    def test_an_advertised_address_is_dialled_under_the_name_of_the_cas(self):  # Z11, Z40
        self.server.stop()
        self.certificate("ca", "DNS:ca")
        self.certificate("server", "DNS:localhost", signer="ca")  # the address is not in it
        self.certificate("client", "DNS:client", signer="ca")
        port = casd_rig.free_port()
        self.server.configure({"listen": {"cas": "127.0.0.1:0", "transport": f"127.0.0.1:{port}", "http": "127.0.0.1:0"},
                               "transport": {"advertise": f"127.0.0.1:{port}"},
                               "tls": {"cert": str(self.folder / "server.pem"), "key": str(self.folder / "server.key"),
                                       "ca": str(self.folder / "ca.pem"), "client_auth": "require"}})
        self.server.start()
        address = f"localhost:{self.server.ports['cas']}"
        tls = ["--tls-ca", "ca.pem", "--tls-cert", "client.pem", "--tls-key", "client.key"]
        content = os.urandom(2_000_000)
        (self.folder / "blob").write_bytes(content)
        digest = self.zako("cas", "put", "blob", *tls, server=address).stdout.decode().split()[0]
        self.assertEqual(self.zako("cas", "get", digest, *tls, server=address).stdout, content)
        self.zako("cas", "ls", *tls, "--tls-name", "localhost", server=address.replace("localhost", "127.0.0.1"))
        self.zako("cas", "get", digest, *tls, "--tls-name", "localhost", server=address.replace("localhost", "127.0.0.1"))
        self.zako("cas", "ls", code=3, server=address)  # plain text
        self.zako("cas", "ls", "--tls-ca", "ca.pem", code=3, server=address)  # no certificate of its own
        self.zako("cas", "ls", *tls, "--tls-name", "other", code=3, server=address)
        self.zako("cas", "ls", "--tls-ca", "none.pem", code=2, server=address)

    def test_version_and_help(self):
        self.assertRegex(self.zako("--version").stdout.decode(), r"\d+\.\d+")
        self.assertIn(b"zako cas put", self.zako("help", "cas", "put").stdout)


if __name__ == "__main__":
    rig.main()
