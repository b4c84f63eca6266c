#!/usr/bin/python3
"""deploy-tool publishes to a CAS and deploys from it, with the real programs (D168)."""
import hashlib
import json
import os
import shutil

import casd_rig
import rig


class CasProject(rig.Project):
    """A project with a file store and the CAS of `server`, which must run."""

    def __init__(self, folder, server, keys=""):
        self.server, self.keys = server, keys
        super().__init__(folder)

    def configure(self, extra="", stores=("local", "cache"), sources=""):
        targets = [f"    - {{name: local, type: filesystem, path: {self.store('local')}}}\n",
                   f'    - {{name: cache, type: cas, endpoint: "{self.server.address()}"{self.keys}}}\n']
        (self.project / ".deploy-tool.yaml").write_text(
            'version: "1.0"\nproject: {name: demo, type: model}\npublish:\n  targets:\n' + "".join(targets) +
            f"deploy:\n  root: {self.root}\n  allow_root: true\n{sources}" + extra)

    def record(self, spec="model-1.0.0"):
        return json.loads((self.project / "deployment" / "publish" / f"{spec}.publish.json").read_text())

    def location(self, name="cache", spec="model-1.0.0"):
        return next(place for place in self.record(spec)["locations"] if place["name"] == name)


class DeployOnCas(rig.unittest.TestCase):
    def setUp(self):
        self.folder = rig.scratch("slipway-cas-")
        self.addCleanup(rig.remove_tree, self.folder)
        self.server = casd_rig.Casd(self.folder / "casd").start()
        self.addCleanup(self.server.kill)
        self.p = CasProject(self.folder / "p", self.server)

    def object_of(self, digest):
        hexed = digest.removeprefix("blake3:").split("/")[0]
        return self.server.root / "objects" / hexed[:2] / hexed[2:]

    def installed(self):
        return (self.p.root / "links" / "model" / "weights").read_bytes()

    def test_publishes_to_files_and_a_cas_at_once_and_deploys_from_either(self):
        weights = os.urandom(3_000_000)
        self.p.publish("model", "1.0.0", {"weights": weights, "config": "a: 1"})
        place = self.p.location()
        self.assertEqual(place["type"], "cas")
        self.assertEqual(place["endpoint"], self.server.address())
        package = self.p.project / "dist" / "model-1.0.0.tar.gz"
        self.assertEqual(place["package_digest"].split("/")[1], str(package.stat().st_size))
        for key in ("package_digest", "index_digest", "pieces_digest", "manifest_digest"):
            self.assertTrue(self.object_of(place[key]).exists(), key)
        self.assertEqual(self.object_of(place["package_digest"]).read_bytes(), package.read_bytes())
        self.assertEqual(len(self.server.objects()), 4, "package, index, pieces, manifest; no record")
        self.p.ok("deploy", "model:1.0.0", "--source", "cache", "--yes")
        self.assertEqual(hashlib.sha256(self.installed()).digest(), hashlib.sha256(weights).digest())

    def test_a_machine_with_only_the_records_deploys_from_the_cas(self):
        self.p.publish("model", "1.0.0", {"weights": "one"})
        for gone in (self.p.store("local"), self.p.project / "dist", self.p.project / "deployment" / "manifests",
                     self.p.project / ".deploy-tool-cache"):
            shutil.rmtree(gone, ignore_errors=True)
        result = self.p.ok("deploy", "model:1.0.0", "--json")  # the file store is gone: the next is tried
        self.assertEqual(self.installed(), b"one")
        self.assertEqual(result.json()["data"]["components"][0]["source"], "cache", str(result))

    def test_a_repeated_publish_changes_nothing(self):
        self.p.publish("model", "1.0.0", {"weights": "one"})
        record, objects = self.p.record(), self.server.objects()
        result = self.p.ok("publish", "model:1.0.0", "--json")
        self.assertEqual({t["result"] for t in result.json()["data"]["targets"]}, {"already-published"})
        self.assertEqual((self.p.record(), self.server.objects()), (record, objects))

    def test_a_damaged_package_is_told_and_the_next_source_serves(self):
        self.p.publish("model", "1.0.0", {"weights": "one"})
        path = self.object_of(self.p.location()["package_digest"])
        os.chmod(path, 0o644)
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        alone = self.p.run("deploy", "model:1.0.0", "--source", "cache", "--yes")
        self.assertEqual(alone.code, 3, str(alone))
        self.assertIn("DT007", alone.err)
        self.assertNotIn(str(self.server.root), alone.err, "no path of the server")
        self.p.configure(sources="  sources: [{name: cache, priority: 1}, {name: local, priority: 2}]\n")
        result = self.p.ok("deploy", "model:1.0.0", "--yes")
        self.assertIn("next source was tried", result.err)
        self.assertEqual(self.installed(), b"one")

    def test_a_missing_blob_is_told_with_its_digest_and_published_again(self):
        self.p.publish("model", "1.0.0", {"weights": "one"})
        digest = self.p.location()["package_digest"]
        self.zako("cas", "rm", digest, "--yes")
        result = self.p.run("deploy", "model:1.0.0", "--source", "cache", "--yes")
        self.assertEqual(result.code, 6, str(result))
        self.assertIn("DT010", result.err)
        self.assertIn(digest, result.err)
        self.p.ok("publish", "model:1.0.0", "--yes")
        self.p.ok("deploy", "model:1.0.0", "--source", "cache", "--yes")
        self.assertEqual(self.installed(), b"one")

    def zako(self, *arguments):
        done = rig.subprocess.run([str(rig.BUILD / "bin" / "zako"), *arguments], capture_output=True, text=True,
                                  timeout=60, check=False,
                                  env=casd_rig.environment({"ZAKO_CAS": self.server.address()}))
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_a_server_that_is_down_fails_the_publish_and_nothing_is_recorded(self):
        self.p.write_source("source-model", {"weights": "one"})
        self.p.ok("pack", "./source-model", "--type", "model", "--version", "1.0.0")
        self.server.stop()
        result = self.p.run("publish", "model:1.0.0", "--yes")
        self.assertEqual(result.code, 4, str(result))
        self.assertIn("DT004", result.err)
        self.assertFalse((self.p.project / "deployment" / "publish" / "model-1.0.0.publish.json").exists())
        self.assertFalse(list(self.p.store("local").rglob("*.tar.gz")), "all or none")
        part = self.p.run("publish", "model:1.0.0", "--no-atomic", "--yes")
        self.assertEqual(part.code, 4, str(part))
        self.p.ok("deploy", "model:1.0.0", "--yes")  # from the files

    def test_keys_and_tokens_reach_the_server_and_are_written_nowhere(self):
        self.server.stop()
        token = "tok-" + os.urandom(12).hex()
        keys = self.folder / "keys"
        keys.write_text(f"{hashlib.sha256(token.encode()).hexdigest()} ci read,write\n")
        os.chmod(keys, 0o600)
        self.server.configure({"auth": {"mode": "keys", "keys_file": str(keys)}})
        self.server.start()
        secret = self.folder / "token"
        secret.write_text(token)
        os.chmod(secret, 0o600)
        self.p.configure()
        self.p.write_source("source-model", {"weights": "one"})
        self.p.ok("pack", "./source-model", "--type", "model", "--version", "1.0.0")
        refused = self.p.run("publish", "model:1.0.0", "--yes")
        self.assertNotEqual(refused.code, 0)
        self.assertIn("cache", refused.err)
        self.p.keys = f", token_file: {secret}"
        self.p.configure()
        self.p.ok("publish", "model:1.0.0", "--yes")
        shown = self.p.ok("config", "show")
        self.assertNotIn(token, shown.out + shown.err)
        self.p.ok("deploy", "model:1.0.0", "--source", "cache", "--yes")
        for place in (self.p.project, self.p.root):
            for path in place.rglob("*"):
                if path.is_file():
                    self.assertNotIn(token.encode(), path.read_bytes(), str(path))

    def test_the_certificate_of_the_configuration_is_shown_to_the_server(self):  # Z40, D168
        self.server.stop()
        authority = casd_rig.Authority(self.folder / "tls")
        cert, key = authority.issue("server")
        self.server.configure({"tls": {"cert": str(cert), "key": str(key), "ca": str(authority.ca),
                                       "client_auth": "require"}})
        self.server.start()
        own_cert, own_key = authority.issue("publisher", san="DNS:publisher.example")
        self.p.write_source("source-model", {"weights": "one"})
        self.p.ok("pack", "./source-model", "--type", "model", "--version", "1.0.0")
        for tls, good in (("", False), (f"ca: {authority.ca}", False),
                          (f"ca: {authority.ca}, cert: {own_cert}, key: {own_key}", True)):
            with self.subTest(tls):
                self.p.keys = f", tls: {{{tls}}}" if tls else ""
                self.p.configure()
                self.assertEqual(self.p.run("publish", "model:1.0.0", "--yes").code == 0, good)
        self.p.ok("deploy", "model:1.0.0", "--source", "cache", "--yes")
        self.assertEqual(self.installed(), b"one")


if __name__ == "__main__":
    rig.main()
