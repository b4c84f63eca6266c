#!/usr/bin/python3
"""kvclient bench and eraft_bench against a kvserver (E30, E81)."""
import json
import pathlib
import subprocess
import tempfile
import unittest

import kv_rig
import rig

BIN = rig.BUILD / "bin"


def launch(program, *arguments):
    done = subprocess.run([str(BIN / program), *map(str, arguments)], env=kv_rig.environment(), capture_output=True,
                          timeout=60 * (10 if rig.SANITIZED else 1), check=False, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


class BenchTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="slipway-kv-")
        self.addCleanup(self.folder.cleanup)
        self.node = kv_rig.Node(pathlib.Path(self.folder.name) / "one", 0, [f"127.0.0.1:{kv_rig.free_port()}"],
                                ["--engine", "memory"])
        self.addCleanup(self.node.kill)
        self.node.start()
        kv_rig.eventually(lambda: self.node.status() and self.node.status().state == "Leader", "it leads")
        self.address = self.node.address()

    def bench(self, *arguments):
        code, out, err = launch("eraft_bench", "-addrs", self.address, "-requests", 200, *arguments, "--json")
        self.assertEqual((code, err), (0, ""), out)
        return json.loads(out)

    def test_kvclient_bench_prints_the_lines_of_the_reference(self):  # E30, E81, spec 6.3
        code, out, err = launch("kvclient", "-addrs", self.address, "bench", 230, 2)
        self.assertEqual((code, err), (0, ""), out)
        lines = out.splitlines()
        self.assertEqual(lines[:7], ["Starting benchmark with 230 requests using 2 concurrent clients...",
                                     "Progress: 100 requests completed...", "", "Benchmark Results:", "=" * 18,
                                     "Total Requests:    230", "Concurrent Clients: 2"])
        self.assertEqual(lines[7:9], ["Successful:        230", "Failed:            0"])
        for line, pattern in zip(lines[9:], (r"Duration:          \d.*s", r"Throughput:        \d+\.\d\d req/s",
                                             r"Avg Latency:       \d+\.\d\d ms", r"P50 Latency:       \d+\.\d\d ms")):
            self.assertRegex(line, f"^{pattern}$")
        # What it says it put is there: 230 commands of two clients.
        self.assertEqual(self.node.group().sessions, 2)

    def test_wrong_usage_and_a_server_that_is_away(self):
        self.assertEqual(launch("kvclient", "bench")[0], 2)
        self.assertEqual(launch("kvclient", "bench", "0")[0], 2)
        self.assertEqual(launch("kvclient", "bench", "10", "many")[0], 2)
        code, out, err = launch("kvclient", "-addrs", "127.0.0.1:1", "bench", "10")
        self.assertEqual(code, 3)
        self.assertIn("127.0.0.1:1: nobody answers there", err)
        self.assertEqual(out, "Starting benchmark with 10 requests using 1 concurrent clients...\n")

    def test_a_load_in_json(self):  # E81
        for api in ("pipeline", "legacy"):
            for op in ("put", "get", "mixed"):
                with self.subTest(api=api, op=op):
                    result = self.bench("-api", api, "-op", op, "-clients", 8, "-connections", 2, "-keys", 10)
                    self.assertEqual((result["requests"], result["failed"], result["errors"]), (200, 0, {}))
                    latency = result["latency_ms"]
                    self.assertLess(0, latency["p50"])
                    self.assertLessEqual(latency["p50"], latency["p99"])
                    self.assertLessEqual(latency["p999"], latency["max"])
                    self.assertAlmostEqual(result["throughput"], 200 / result["seconds"], places=3)
        self.assertEqual(self.bench("-rate", 1000, "-pipeline", 10, "-keys", 10)["succeeded"], 200)
        self.assertEqual(self.bench("-in-order", "-keys", 200)["succeeded"], 200)
        self.assertEqual(self.node.group().keys, 200)


if __name__ == "__main__":
    rig.main()
