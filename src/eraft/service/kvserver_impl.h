// The parts of a kvserver and how they hang together. Private to eraft/service.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/audit/audit.h"
#include "base/json/json.h"
#include "base/net/grpc/server.h"
#include "base/net/health.h"
#include "base/net/http/server.h"
#include "base/net/tls.h"
#include "base/net/token_file.h"
#include "base/sync/mutex.h"
#include "base/sync/ticker.h"
#include "eraft/service/directory.h"
#include "eraft/service/housekeeping.h"
#include "eraft/service/kvserver.h"
#include "eraft/service/readmitter.h"
#include "eraft/service/services.h"

namespace slipway::eraft {

class KvServerImpl final : public KvServer, public ServerControl {
 public:
  KvServerImpl(const KvServerConfig& config, const KvServerPlan& plan, KvServerWorld world);
  ~KvServerImpl() override;
  absl::Status Open();

  int port(absl::string_view role) const override;
  absl::Status Reload() override;
  void Drain() override;

  absl::StatusOr<Info> GetInfo() override;
  uint64_t storage_bytes() override { return housekeeping_->storage_bytes(); }
  absl::StatusOr<std::string> SetOption(absl::string_view name, absl::string_view value) override;
  base::Owned<BackupSource> OpenBackup(raft::Index at_least, std::set<base::Sha256Digest> known,
                                       BackupHeader& header) override;
  void BeginDrain(std::function<void(absl::Status)> done) override;
  std::vector<PeerSight> Sights() override;
  std::vector<PeerStatus> Peers() override { return transport_->Status(); }

 private:
  // kvserver.cc: the way up and down
  absl::Status OpenSecurity();
  absl::Status ReadPeerToken();  // and again, when the file has changed
  absl::Status OpenNode();
  absl::Status TryListeners();
  absl::Status OpenNodeOnce();
  absl::Status OpenTransport();
  absl::Status StartGrpc();
  absl::Status StartHttp();
  void AddHealth();
  void OnFatal(const absl::Status& status);
  void EndIfAlone();
  void TakeAddresses(const Addresses& addresses);
  void TellOwnAddress(const Addresses& addresses) const;
  // Runs `work` on the loop and waits for it.
  void OnLoop(absl::AnyInvocable<void()> work);
  void StopNode(bool orderly);

  // kvserver_drain.cc
  struct Leaving;
  void DrainOnLoop(const std::shared_ptr<Leaving>& leaving);

  // kvserver_watch.cc: what is looked at again and again
  void Look();
  void LookAtMembership();
  void LookAtRoom();
  void WakeFromDead();
  void LookForLeader();
  void PromoteWhoCaughtUp();
  void AuditRepair(absl::string_view what, raft::NodeId id, const absl::Status& outcome);
  void TakeReadmissions(const Readmissions& readmissions);
  void StartHousekeeping();
  void ReloadTokens();
  void NoteWritten(const absl::Status& status);
  bool Alive() const;

  // kvserver_control.cc: what administration asks about and changes
  void ProbeDisk();
  absl::StatusOr<std::string> SetTimer(absl::string_view name, absl::string_view value);
  std::vector<std::string> OptionTexts() const;

  // kvserver_pages.cc
  base::net::HttpRouter MakeRouter();
  base::Json StatusJson();
  std::string StatusText();

  const KvServerConfig config_;
  const KvServerPlan plan_;
  KvServerWorld world_;
  base::Loop& loop_;
  base::Clock& clock_;
  const absl::Duration started_at_;
  ServiceMetrics metrics_;
  base::net::Health health_;
  DataDirectory data_;
  std::unique_ptr<base::net::TokenFile> tokens_;
  std::unique_ptr<base::AuditLog> audit_;
  std::shared_ptr<base::net::TlsWatcher> tls_, peer_tls_;
  std::optional<Access> access_;
  base::Mutex token_mutex_;
  std::string peer_token_ ABSL_GUARDED_BY(token_mutex_);  // that this node shows; empty: none
  std::optional<SlowLog> slow_;
  std::unique_ptr<EngineHome> home_;
  std::unique_ptr<Incarnations> incarnations_;
  std::unique_ptr<PeerTransport> transport_;
  std::optional<Replica> replica_;
  std::optional<Readmitter> readmitter_;  // of the loop
  std::optional<Housekeeping> housekeeping_;
  std::unique_ptr<Node> node_;  // of the loop
  std::unique_ptr<ServiceParts> parts_;
  std::vector<std::pair<std::string, std::string>> effective_;  // EffectiveSettings
  std::vector<std::unique_ptr<base::net::Service>> services_;
  std::unique_ptr<base::net::Server> server_;
  std::unique_ptr<base::net::HttpServer> http_;
  std::optional<base::Ticker> look_, housekeeping_ticker_;
  bool has_peer_listener_ = false;

  base::Mutex timers_mutex_;  // of SetTimer, before mutex_
  mutable base::Mutex mutex_;
  base::CondVar changed_;
  int aux_jobs_ ABSL_GUARDED_BY(mutex_) = 0;  // that use this
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool drained_ ABSL_GUARDED_BY(mutex_) = false;
  bool housekeeping_runs_ ABSL_GUARDED_BY(mutex_) = false;
  Addresses members_ ABSL_GUARDED_BY(mutex_);  // to be written to MEMBERS
  bool members_written_ ABSL_GUARDED_BY(mutex_) = true;
  std::string log_level_ ABSL_GUARDED_BY(mutex_);
#ifdef SLIPWAY_FAULTS
  std::string faults_ ABSL_GUARDED_BY(mutex_);
#endif
  absl::Duration heartbeat_ ABSL_GUARDED_BY(mutex_), election_ ABSL_GUARDED_BY(mutex_);
  absl::Status fatal_ ABSL_GUARDED_BY(mutex_);
  std::string tokens_error_, members_error_;  // of housekeeping, told once
  std::atomic<uint64_t> backup_number_{0};
  absl::Duration led_at_ = started_at_;  // of the loop: a leader was known
  bool gave_up_ = false;                 // of the loop: handed over for want of room
  std::set<raft::NodeId> disowned_by_;   // of the loop: say that this is no member
  bool removed_ = false;                 // of the loop
  base::Mutex probe_mutex_;              // held during one probe of the disk
  std::atomic<int64_t> sync_us_{0};      // that the last one took
  absl::Duration promote_after_ = -absl::InfiniteDuration();  // of the loop: a try failed
};

}  // namespace slipway::eraft
