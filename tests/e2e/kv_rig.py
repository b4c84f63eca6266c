"""kvserver under test: nodes of a cluster as processes, and clients over Python's own gRPC."""
import importlib.util
import json
import os
import pathlib
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import grpc

import rig
from casd_rig import Authority, free_port  # pylint: disable=unused-import
from rig import PATIENCE, eventually

KVSERVER = str(rig.BUILD / "bin" / "kvserver")


def _compile(proto, name):
    with tempfile.TemporaryDirectory(prefix="slipway-kv-") as folder:
        subprocess.run(["protoc", f"--proto_path={rig.SOURCE / 'proto'}", f"--python_out={folder}", proto], check=True)
        path = pathlib.Path(folder) / proto.replace(".proto", "_pb2.py")
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module


kv = _compile("compat/kvraftpb/kvraft.proto", "kvraft_pb2")
client = _compile("slipway/eraft/client/v1/client.proto", "eraft_client_pb2")
admin = _compile("slipway/eraft/admin/v1/admin.proto", "eraft_admin_pb2")
transport = _compile("slipway/eraft/transport/v1/transport.proto", "eraft_transport_pb2")
health = _compile("compat/grpc/health/v1/health.proto", "kv_health_pb2")


def environment(extra=None):
    keep = {k: v for k, v in os.environ.items()
            if not k.startswith(("ERAFT", "SLIPWAY_FAILPOINTS", "NOTIFY_SOCKET", "http_proxy", "grpc_proxy"))}
    return {**keep, "LANG": "C.UTF-8", "NO_COLOR": "1", **(extra or {})}


def run(*arguments, env=None, timeout=30, cwd=None):
    """Runs kvserver to its end."""
    command = [KVSERVER, *map(str, arguments)]
    done = subprocess.run(command, env=environment(env), capture_output=True, timeout=timeout, check=False,
                          stdin=subprocess.DEVNULL, cwd=cwd)
    return rig.Result(command, done.returncode, done.stdout.decode("utf-8", "replace"),
                      done.stderr.decode("utf-8", "replace"))


def channel(address, credentials=None):
    options = [("grpc.max_receive_message_length", 16 << 20), ("grpc.enable_http_proxy", 0),
               ("grpc.use_local_subchannel_pool", 1), ("grpc.initial_reconnect_backoff_ms", 100),
               ("grpc.max_reconnect_backoff_ms", 500)]
    if credentials:
        return grpc.secure_channel(address, credentials, options)
    return grpc.insecure_channel(address, options)


class Node:
    """One kvserver in `folder`; its log and data are there. `with` ends it."""

    def __init__(self, folder, index, cluster, arguments=(), http=True):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.index, self.cluster = index, list(cluster)
        self.arguments = list(arguments)
        self.data = self.folder / f"data_{index}"
        self.ports_file = self.folder / f"ports_{index}.json"
        self.log_file = self.folder / f"log_{index}"
        self.http_listen = "127.0.0.1:0" if http else "off"
        self.prefix, self.environment = [], {}  # words before the command, variables beside those of this process
        self.process, self.ports, self._channel = None, {}, None

    def command(self):
        return [KVSERVER, "-id", str(self.index), "-cluster", ",".join(self.cluster), "--data-dir", str(self.data),
                "--http-listen", self.http_listen, "--ports-file", str(self.ports_file), *self.arguments]

    def launch(self):
        self.ports_file.unlink(missing_ok=True)
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen([*self.prefix, *self.command()], env=environment(self.environment),
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def await_serving(self, timeout=PATIENCE):
        def serving():
            if self.process.poll() is not None:
                raise AssertionError(f"kvserver ended with {self.process.returncode}:\n{self.log()}")
            return self.ports_file.exists()
        eventually(serving, f"kvserver {self.index} serves", timeout)
        self.ports = json.loads(self.ports_file.read_text())
        return self

    def start(self):
        return self.launch().await_serving()

    def address(self):
        return f"127.0.0.1:{self.ports['grpc']}"

    def channel(self):
        if self._channel is None:
            self._channel = channel(self.address())
        return self._channel

    def call(self, path, request, response, timeout=10, metadata=()):
        return self.channel().unary_unary(path, type(request).SerializeToString, response.FromString)(
            request, timeout=timeout, metadata=list(metadata))

    def command_call(self, op, key, value=b"", client_id=0, command_id=0, timeout=5, **more):
        """The answer's word and value; the word is the gRPC code when the call fails."""
        request = kv.CommandRequest(op=op, key=key, value=value, client_id=client_id, command_id=command_id, **more)
        try:
            answer = self.call("/kvraftpb.KVService/Command", request, kv.CommandResponse, timeout)
            return answer.err, answer.value
        except grpc.RpcError as error:
            return error.code().name, b""
        except ValueError:  # the channel was closed in between, by a kill
            return grpc.StatusCode.UNAVAILABLE.name, b""

    def status(self):
        """None if nobody answers."""
        try:
            return self.call("/kvraftpb.KVService/GetStatus", kv.GetStatusRequest(), kv.GetStatusResponse, 1)
        except (grpc.RpcError, ValueError):  # ValueError: the channel was closed in between
            return None

    def admin(self, name, request, response, timeout=30, metadata=()):
        return self.call(f"/slipway.eraft.admin.v1.Admin/{name}", request, response, timeout, metadata)

    def group(self):
        return self.admin("ListGroups", admin.ListGroupsRequest(), admin.ListGroupsResponse).groups[0]

    def serving(self, name=""):
        """What gRPC health says of a name."""
        answer = self.call("/grpc.health.v1.Health/Check", health.HealthCheckRequest(service=name),
                           health.HealthCheckResponse)
        return answer.status == health.HealthCheckResponse.SERVING

    def http(self, path):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"http://127.0.0.1:{self.ports['http']}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def https(self, path, authorities):
        """The page, from a server whose certificate one of `authorities` (PEM) signed."""
        context = ssl.create_default_context(cadata=authorities.decode())
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
        with opener.open(f"https://localhost:{self.ports['http']}{path}", timeout=10) as answer:
            return answer.read().decode()

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=PATIENCE):
        code = self.process.wait(timeout)
        self._forget()
        return code

    def stop(self):
        """SIGTERM; the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self._forget()

    def _forget(self):
        self.process = None
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def log(self):
        return self.log_file.read_text(errors="replace")

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()


class Cluster:
    """Nodes on this machine; `with` starts and ends them."""

    def __init__(self, folder, nodes=3, arguments=()):
        self.folder = pathlib.Path(folder)
        self.cluster = [f"127.0.0.1:{free_port()}" for _ in range(nodes)]
        self.nodes = [Node(self.folder, index, self.cluster, arguments) for index in range(nodes)]

    def __enter__(self):
        for node in self.nodes:
            node.launch()
        for node in self.nodes:
            node.await_serving()
        return self

    def __exit__(self, *_):
        for node in self.nodes:
            node.kill()

    def running(self):
        return [node for node in self.nodes if node.process is not None]

    def leader(self):
        """The node that leads and that a majority follows."""
        def find():
            states = [(node, node.status()) for node in self.running()]
            leaders = [(state.term, node) for node, state in states if state and state.state == "Leader"]
            if not leaders:
                return None
            term, leader = max(leaders, key=lambda pair: pair[0])
            with_it = sum(1 for _, state in states if state and state.term == term)
            return leader if with_it * 2 > len(self.nodes) else None
        return eventually(find, "a leader")

    def do(self, op, key, value=b"", client_id=0, command_id=0):
        """Through whoever leads, again until it is done."""
        def attempt():
            for node in self.running():
                err, out = node.command_call(op, key, value, client_id, command_id)
                if err in ("OK", "ErrNoKey"):
                    return err, out
            return None
        return eventually(attempt, f"command {op} {key}")

    def put(self, key, value, client_id=0, command_id=0):
        return self.do(kv.PUT, key, value, client_id, command_id)

    def append(self, key, value, client_id, command_id):
        return self.do(kv.APPEND, key, value, client_id, command_id)

    def get(self, key):
        return self.do(kv.GET, key)[1]


class Pipeline:
    """One stream of commands; answers by id, in any order."""

    def __init__(self, to_channel, metadata=()):
        import queue
        self._out, self._in, self.results, self.credit, self.hint = queue.Queue(), None, {}, None, ""
        self._in = to_channel.stream_stream("/slipway.eraft.client.v1.Pipeline/Stream",
                                            client.Batch.SerializeToString, client.BatchResult.FromString)(
            iter(self._out.get, None), metadata=list(metadata), timeout=PATIENCE)

    def send(self, *commands, session=0, acked_upto=0):
        self._out.put(client.Batch(session=session, acked_upto=acked_upto, cmds=commands))

    def take(self):
        """The next message."""
        answer = next(self._in)
        self.credit = answer.credit
        self.hint = answer.leader_hint or self.hint
        for result in answer.r:
            if result.id in self.results:
                raise AssertionError(f"two results for command {result.id}")
            self.results[result.id] = result
        return answer

    def run(self, *commands, **options):
        """Sends commands; their results, in the order of the commands."""
        self.send(*commands, **options)
        while not all(command.id in self.results for command in commands):
            self.take()
        return [self.results.pop(command.id) for command in commands]

    def close(self):
        """Half-closes; whatever still comes."""
        self._out.put(None)
        for answer in self._in:
            for result in answer.r:
                self.results[result.id] = result
