"""Clusters for the measurements: three kvservers and three etcds on 127.0.0.1 to 127.0.0.3."""
import json
import os
import pathlib
import re
import shutil
import ssl
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
HOSTS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
TICKS = os.sysconf("SC_CLK_TCK")


def load_kv_rig(build):
    os.environ["SLIPWAY_BUILD_DIR"] = str(build)
    sys.path.insert(0, str(HERE.parent.parent / "tests" / "e2e"))
    import kv_rig  # pylint: disable=import-outside-toplevel
    return kv_rig


def wait_for(condition, what, seconds=60):
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: not within {seconds} s")
        time.sleep(0.01)


def get(url):
    context = ssl.create_default_context()  # whoever answers: nothing secret is said
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def sum_of(metrics, name):
    """All series of a metric together."""
    pattern = re.compile(rf"^{re.escape(name)}(\{{[^}}]*\}})? ([0-9.e+-]+)$", re.MULTILINE)
    return sum(float(value) for _, value in pattern.findall(metrics))


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def idle_share(seconds=0.5):
    """How much of the machine is unused, of all cores."""
    def read():
        fields = list(map(int, pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9]))
        return fields[3] + fields[4], sum(fields)
    idle, total = read()
    time.sleep(seconds)
    idle_now, total_now = read()
    return (idle_now - idle) / max(1, total_now - total)


class Kv:
    """Three kvservers; `with` starts and ends them. `tls`: an authority for clients and peers."""

    def __init__(self, kv_rig, folder, arguments=(), tls=None):
        self.rig, self.folder, self.tls = kv_rig, pathlib.Path(folder), tls
        self.addresses = [f"{host}:{kv_rig.free_port()}" for host in HOSTS]
        arguments = list(arguments)
        if tls:
            cert, key = tls.issue("node", "DNS:localhost," + ",".join(f"IP:{host}" for host in HOSTS))
            arguments += ["--tls-cert", cert, "--tls-key", key, "--tls-ca", tls.ca]
        self.nodes = [kv_rig.Node(self.folder, index, self.addresses, arguments) for index in range(3)]

    def __enter__(self):
        try:
            for node in self.nodes:
                node.launch()
            for node in self.nodes:
                node.await_serving()
            self.leader()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for node in self.nodes:
            node.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def pids(self):
        return [node.process.pid for node in self.nodes if node.process is not None]

    def url(self, node, path):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{node.ports['http']}{path}"

    def metrics(self, node):
        return get(self.url(node, "/metrics"))[1]

    def ready(self, node):
        return get(self.url(node, "/readyz"))[0] == 200

    def leader(self):
        """The node that leads, when all that run are ready."""
        def find():
            running = [node for node in self.nodes if node.process is not None]
            if not all(self.ready(node) for node in running):
                return None
            leads = [node for node in running if sum_of(self.metrics(node), "eraft_raft_is_leader") == 1]
            return leads[0] if len(leads) == 1 else None
        return wait_for(find, "a leader of kvservers")

    def followers(self):
        leader = self.leader()
        return [node for node in self.nodes if node is not leader]

    def order(self):
        """Addresses, the leader's first."""
        leader = self.leader()
        return ",".join([self.addresses[leader.index]] +
                        [self.addresses[node.index] for node in self.nodes if node is not leader])

    def tls_flags(self):
        return ["--tls-ca", self.tls.ca] if self.tls else []

    def syncs(self):
        return [sum_of(self.metrics(node), "eraft_wal_fsync_seconds_count") for node in self.nodes]


class Etcd:
    """Three etcds, as Debian ships them; `with` starts and ends them."""

    def __init__(self, kv_rig, folder):
        self.folder = pathlib.Path(folder)
        self.clients = [f"{host}:{kv_rig.free_port()}" for host in HOSTS]
        self.peers = [f"{host}:{kv_rig.free_port()}" for host in HOSTS]
        self.processes = []

    def __enter__(self):
        cluster = ",".join(f"n{i}=http://{peer}" for i, peer in enumerate(self.peers))
        keep = {k: v for k, v in os.environ.items() if not k.startswith("ETCD_")}
        self.folder.mkdir(parents=True)
        for i, (client, peer) in enumerate(zip(self.clients, self.peers)):
            with open(self.folder / f"log_{i}", "wb") as log:
                self.processes.append(subprocess.Popen(
                    ["etcd", "--name", f"n{i}", "--data-dir", str(self.folder / f"data_{i}"),
                     "--listen-client-urls", f"http://{client}", "--advertise-client-urls", f"http://{client}",
                     "--listen-peer-urls", f"http://{peer}", "--initial-advertise-peer-urls", f"http://{peer}",
                     "--initial-cluster", cluster, "--initial-cluster-state", "new", "--logger", "zap",
                     "--log-level", "error"], env=keep, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        try:
            self.order()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def pids(self):
        return [process.pid for process in self.processes]

    def order(self):
        def find():
            leads = [client for client in self.clients
                     if sum_of(get(f"http://{client}/metrics")[1], "etcd_server_is_leader") == 1]
            return leads[0] if len(leads) == 1 else None
        leader = wait_for(find, "a leader of etcds")
        return ",".join([leader] + [client for client in self.clients if client != leader])


def run_json(*command, env=None):
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, check=False, env=env)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: exit {done.returncode}: {done.stdout.decode()}")
    return json.loads(done.stdout)


def median(values):
    return statistics.median(list(values))


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]
