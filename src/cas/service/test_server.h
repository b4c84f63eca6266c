// The services over a store in memory, behind a real server on a free port.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/create_channel.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/metrics/metrics.h"
#include "base/net/grpc/server.h"
#include "base/net/health.h"
#include "base/os/loop.h"
#include "base/os/pool.h"
#include "base/os/world.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "cas/service/services.h"
#include "cas/service/session/test_store.h"

namespace slipway::cas {

// A TestStore with what the administration needs. Its blobs are those that were named to it.
class TestDiskStore : public DiskStore {
 public:
  TestStore& blobs() { return blobs_; }
  void Damage(const Digest& digest) { damaged_.push_back(digest); }

  absl::StatusOr<std::optional<uint64_t>> Check(const Digest& digest) override {
    return blobs_.Check(digest);
  }
  absl::StatusOr<bool> Contains(const Digest& digest) override { return blobs_.Contains(digest); }
  base::Owned<BlobWriter> Store(const Digest& digest) override { return blobs_.Store(digest); }
  base::Owned<BlobReader> Fetch(const Digest& digest, BlobRange range) override {
    return blobs_.Fetch(digest, range);
  }
  std::optional<std::string> GetLocalPath(const Digest&) override { return std::nullopt; }

  absl::StatusOr<std::optional<StoredBlob>> Stat(const Digest& digest) override {
    SLIPWAY_ASSIGN_OR_RETURN(const bool present, Contains(digest));
    if (!present) return std::optional<StoredBlob>();
    return std::optional<StoredBlob>(RecordOf(digest));
  }
  absl::StatusOr<std::vector<StoredBlob>> List(const Hash& from, size_t count_max) override {
    std::vector<StoredBlob> out;
    for (const Digest& digest : blobs_.digests()) {
      if (digest.blake3 >= from && out.size() < count_max) out.push_back(RecordOf(digest));
    }
    return out;
  }
  absl::StatusOr<bool> Remove(const Digest& digest) override { return blobs_.Remove(digest); }
  absl::StatusOr<IndexStats> Stats() override {
    IndexStats stats;
    for (const Digest& digest : blobs_.digests()) {
      ++stats.blobs;
      stats.stored_bytes += digest.size_bytes;
    }
    return stats;
  }
  absl::Status Verify(const Digest& digest) override {
    SLIPWAY_ASSIGN_OR_RETURN(const bool present, Contains(digest));
    if (!present) return NotFoundError(digest);
    const bool bad = std::find(damaged_.begin(), damaged_.end(), digest) != damaged_.end();
    return bad ? CorruptError(digest) : absl::OkStatus();
  }
  absl::Status Collect(uint64_t target_bytes, bool dry_run,
                       absl::FunctionRef<bool(const StoredBlob&)> progress) override {
    uint64_t left = Stats()->stored_bytes;
    for (const Digest& digest : blobs_.digests()) {
      if (left <= target_bytes) break;
      left -= digest.size_bytes;
      if (!dry_run) blobs_.Remove(digest);
      if (!progress(RecordOf(digest))) break;
    }
    return absl::OkStatus();
  }

 private:
  static StoredBlob RecordOf(const Digest& digest) {
    StoredBlob blob{digest, {}};
    blob.record.size_bytes = blob.record.stored_bytes = digest.size_bytes;
    blob.record.created_s = 1;
    blob.record.accessed_s = 2;
    return blob;
  }
  TestStore blobs_;
  std::vector<Digest> damaged_;
};

struct TestServerOptions {
  Authority::Options auth = {AuthMode::kNone, true};
  Tokens::Options tokens;
  Buffers::Options buffers;
  std::string keys;  // content of the keys file
  bool audit = false;
};

class TestServer {
 public:
  explicit TestServer(TestServerOptions options = {})
      : world_({.pool_threads = 2, .block_signals = false}),
        io_(metrics_),
        auth_(metrics_),
        transfer_(metrics_),
        scrub_(metrics_),
        governor_(4, absl::Seconds(10), world().clock, nullptr),
        tokens_(options.tokens, world().clock, world().random),
        keys_(world().files, folder_.Join("keys")),
        authority_(options.auth, tokens_, &keys_, auth_),
        requests_(world().clock),
        buffers_(options.buffers) {
    if (!options.keys.empty()) {
      auto dir = world().files.OpenRoot(folder_.path());
      EXPECT_OK(dir.status());
      EXPECT_OK(base::WriteFileDurably(**dir, "keys", options.keys, 0600));
      EXPECT_OK(keys_.Reload());
    }
    if (options.audit) {
      auto audit = base::AuditLog::Open(world().files, folder_.Join("audit"), world().clock);
      EXPECT_OK(audit.status());
      audit_ = *std::move(audit);
    }
    pool_ = std::make_unique<base::os::ThreadPool>("io", 4, 4096);
    metered_ = std::make_unique<MeteredPool>(*pool_, world().clock, governor_, io_);
    parts_.reset(new ServiceParts{store_,
                                  authority_,
                                  governor_,
                                  requests_,
                                  buffers_,
                                  audit_.get(),
                                  *metered_,
                                  loop_,
                                  world().clock,
                                  transfer_,
                                  scrub_,
                                  4,
                                  {},
                                  port_,
                                  "1.2.3",
                                  world().clock.Monotonic()});
    services_.push_back(MakeCasService(*parts_));
    services_.push_back(MakeTransportService(*parts_));
    services_.push_back(MakeAdminService(*parts_));
    base::net::Listener listener;
    listener.addresses = {"127.0.0.1:0"};
    for (const auto& service : services_) listener.services.push_back(service.get());
    health_.SetPhase(base::net::Health::Phase::kServing);
    auto server =
        base::net::Server::Start({listener}, {.metric_prefix = "zako"}, health_, metrics_);
    EXPECT_OK(server.status());
    if (!server.ok()) return;
    server_ = *std::move(server);
    port_ = server_->port(0);
  }
  ~TestServer() { server_.reset(); }

  std::shared_ptr<grpc::Channel> Connect() {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    return grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", port_.load()),
                                     grpc::InsecureChannelCredentials(), arguments);
  }
  std::string AuditText() {
    return base::ReadUserFile(world().files, folder_.Join("audit"), 1 << 20).value_or("");
  }

  base::World& world() { return world_.world(); }
  TestDiskStore& store() { return store_; }
  TestStore& blobs() { return store_.blobs(); }
  Requests& requests() { return requests_; }
  Tokens& tokens() { return tokens_; }
  Governor& governor() { return governor_; }
  base::net::Server& server() { return *server_; }
  base::Metrics& metrics() { return metrics_; }

 private:
  base::testing::TempDir folder_;
  base::os::World world_;
  base::Metrics metrics_;
  IoMetrics io_;
  AuthMetrics auth_;
  TransferMetrics transfer_;
  ScrubMetrics scrub_;
  base::net::Health health_;
  base::os::ThreadLoop loop_{"test"};
  Governor governor_;
  Tokens tokens_;
  KeysFile keys_;
  Authority authority_;
  Requests requests_;
  Buffers buffers_;
  std::unique_ptr<base::AuditLog> audit_;
  TestDiskStore store_;
  std::unique_ptr<base::os::ThreadPool> pool_;
  std::unique_ptr<MeteredPool> metered_;
  std::atomic<int> port_{0};
  std::unique_ptr<ServiceParts> parts_;
  std::vector<std::unique_ptr<base::net::Service>> services_;
  std::unique_ptr<base::net::Server> server_;
};

}  // namespace slipway::cas
