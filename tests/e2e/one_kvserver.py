"""A folder with one kvserver in it, for tests."""
import pathlib
import tempfile
import unittest

import grpc

import kv_rig


class OneKvserver(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="slipway-kv-")
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)

    def node(self, *arguments, engine="memory"):
        """One that leads its cluster of one."""
        node = kv_rig.Node(self.path / "one", 0, [f"127.0.0.1:{kv_rig.free_port()}"],
                           ["--engine", engine, *arguments])
        self.addCleanup(node.kill)
        node.start()
        return node

    def leader(self, *arguments, engine="memory"):
        node = self.node(*arguments, engine=engine)
        kv_rig.eventually(lambda: node.status() and node.status().state == "Leader", "it leads")
        return node

    def code(self, call):
        with self.assertRaises(grpc.RpcError) as caught:
            call()
        return caught.exception.code().name, caught.exception.details()
