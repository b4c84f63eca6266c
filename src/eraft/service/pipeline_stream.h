// One Pipeline.Stream call: commands in, results out in any order (E145). Private to eraft/service.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/net/grpc/grpc_service.h"
#include "base/sync/mutex.h"
#include "eraft/service/services.h"
#include "slipway/eraft/client/v1/client.pb.h"

namespace slipway::eraft {

namespace v1 = slipway::eraft::client::v1;

v1::Code CodeOf(AnswerCode code);
v1::Code CodeOf(const absl::Status& error, const Replica& replica);

// Owns itself from Start to OnDone. What it hands to the loop and the pool keeps it alive.
//
// Back-pressure: a client may have `stream_commands_max` commands under way, further ones are
// answered BUSY; and while it does not take its results, no further message of it is read and no
// read of it begins. What the results of all streams take is bounded, too.
class PipelineStream final : public grpc::ServerBidiReactor<v1::Batch, v1::BatchResult>,
                             public ResultBudget::Holder,
                             public std::enable_shared_from_this<PipelineStream> {
 public:
  static grpc::ServerBidiReactor<v1::Batch, v1::BatchResult>* Start(
      ServiceParts& parts, base::net::Service::Raw& raw, grpc::CallbackServerContext& context);
  PipelineStream(ServiceParts& parts, grpc::CallbackServerContext& context)
      : parts_(parts), context_(context), budget_(parts.results) {}
  ~PipelineStream() override;
  PipelineStream(const PipelineStream&) = delete;
  PipelineStream& operator=(const PipelineStream&) = delete;

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;
  void EndIfStalled(absl::Duration now) override;

 private:
  using Ptr = std::shared_ptr<PipelineStream>;
  struct Proposal {
    uint64_t id = 0;
    v1::Op op = v1::PUT;
    base::Bytes command;
  };
  struct ReadItem {
    uint64_t id = 0;
    v1::Op op = v1::GET;
    std::string key, end;
    uint64_t limit = 0;
    ReadMode mode = ReadMode::kLinearizable;
    absl::Duration deadline;
  };
  // Reads of one mode that one job does, and what came of them so far.
  struct ReadJob {
    std::vector<ReadItem> items;
    std::vector<v1::Result> results;
    uint64_t bytes = 0;
    uint64_t held = 0;  // of the node's budget
  };

  void Begin(base::net::Service::Raw& raw);
  absl::Status Take(const v1::Batch& batch);
  absl::StatusOr<base::Bytes> CommandOf(const v1::Batch& batch, const v1::Cmd& cmd) const;
  ReadItem ReadOf(const v1::Cmd& cmd) const;
  void Propose(std::vector<Proposal> proposals);
  void StartReads() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RunReads(const std::shared_ptr<ReadJob>& job);
  absl::Status Work(ReadJob& job, KvMachine& machine);
  void OnReadsDone(const std::shared_ptr<ReadJob>& job, const absl::Status& status);

  // A result of a command that had a place, or of one that got none.
  void Deliver(v1::Op op, v1::Result result, bool had_place);
  void Add(v1::Op op, v1::Result result) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Continue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Reads that have not begun never will.
  void DropReads() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Release(uint64_t bytes);
  void Send() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void End(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  ServiceParts& parts_;
  grpc::CallbackServerContext& context_;
  const std::shared_ptr<ResultBudget> budget_;
  std::atomic<uint64_t> held_{0};  // of it
  ResultBudget::Holders::iterator place_;
  Ptr self_;
  std::unique_ptr<base::net::ServerCall> call_;
  v1::Batch in_;         // of the read under way
  v1::BatchResult out_;  // of the write under way

  base::Mutex mutex_;
  std::deque<ReadItem> reads_ ABSL_GUARDED_BY(mutex_);
  int read_jobs_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<v1::Result> pending_ ABSL_GUARDED_BY(mutex_);
  uint64_t pending_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t writing_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t writing_held_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Duration write_begun_ ABSL_GUARDED_BY(mutex_);
  uint64_t underway_ ABSL_GUARDED_BY(mutex_) = 0;
  bool greeted_ ABSL_GUARDED_BY(mutex_) = false;  // the client knows its credit
  bool hint_ ABSL_GUARDED_BY(mutex_) = false;     // it is to be told who leads
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool read_closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace slipway::eraft
