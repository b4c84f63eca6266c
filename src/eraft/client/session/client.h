// A client of a key-value group of eraft (E145, E146): operations that are executed exactly once
// whatever leaders, connections and sessions do meanwhile, or say honestly what is not known
// (WasExecuted). connect.h makes one over the network.
//
//   SLIPWAY_ASSIGN_OR_RETURN(auto client, Connect(options, loop, world));
//   client->Put("k", "v");                                   // blocks
//   auto answer = client->Async(AppendOf("k", "w"));         // a future
//   client->Start(GetOf("k"), {}, [](absl::StatusOr<Reply> reply) { … });  // on the loop
//
// Thread-safe. What is under way at the same time is executed in any order; the calls that block
// must not be made on the client's loop. Errors of all forms are those of Dispatcher::Submit.
#pragma once

#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/loop.h"
#include "base/random.h"
#include "base/sync/mutex.h"
#include "eraft/client/session/dispatcher.h"
#include "eraft/client/session/link.h"
#include "eraft/client/session/operation.h"

namespace slipway::eraft::client {

Operation GetOf(absl::string_view key, ReadFrom read_from = ReadFrom::kDefault);
Operation PutOf(absl::string_view key, absl::string_view value);
Operation AppendOf(absl::string_view key, absl::string_view value);
Operation DeleteOf(absl::string_view key);
// Without `expected` the key must not be there.
Operation CompareAndSetOf(absl::string_view key, const std::optional<std::string>& expected,
                          absl::string_view value);
// From `begin` to below `end` (empty: all that follow).
Operation ScanOf(absl::string_view begin, absl::string_view end, uint64_t limit = 0,
                 ReadFrom read_from = ReadFrom::kDefault);

struct CallOptions {
  absl::Duration timeout = absl::Seconds(10);  // infinite: until it is done
};

struct Rows {
  std::vector<std::pair<std::string, std::string>> rows;
  bool more = false;
};

class Client {
 public:
  // Everything but the dialer outlives this. The loop runs on a thread of its own.
  static std::unique_ptr<Client> Make(DispatcherOptions options, base::Loop& loop,
                                      base::Clock& clock, base::Random& random,
                                      std::unique_ptr<Dialer> dialer);
  // As Close.
  ~Client();

  // `done` comes on the loop, once. It may begin further operations, not end the client.
  void Start(Operation operation, CallOptions options, Done done);
  std::future<absl::StatusOr<Reply>> Async(Operation operation, CallOptions options = {});
  absl::StatusOr<Reply> Call(Operation operation, CallOptions options = {});

  // The value; nothing: the key is not there.
  absl::StatusOr<std::optional<std::string>> Get(absl::string_view key, CallOptions options = {});
  // The log's index at which it was executed.
  absl::StatusOr<uint64_t> Put(absl::string_view key, absl::string_view value,
                               CallOptions options = {});
  absl::StatusOr<uint64_t> Append(absl::string_view key, absl::string_view value,
                                  CallOptions options = {});
  // Whether the key was there.
  absl::StatusOr<bool> Delete(absl::string_view key, CallOptions options = {});
  // Whether the value was `expected` and is `value` now.
  absl::StatusOr<bool> CompareAndSet(absl::string_view key,
                                     const std::optional<std::string>& expected,
                                     absl::string_view value, CallOptions options = {});
  absl::StatusOr<Rows> Scan(absl::string_view begin, absl::string_view end, uint64_t limit = 0,
                            CallOptions options = {});

  // Answers everything with Cancelled and ends the session. Blocks until the loop has done so; not
  // on the loop.
  void Close();

 private:
  struct Request {
    Operation operation;
    absl::Duration deadline;
    Done done;
  };
  // What the loop uses; it ends there.
  struct Inside {
    std::unique_ptr<Dialer> dialer;
    std::unique_ptr<Dispatcher> dispatcher;
  };
  Client(base::Loop& loop, base::Clock& clock, std::unique_ptr<Dialer> dialer);
  void Drain();

  base::Loop& loop_;
  base::Clock& clock_;
  const std::shared_ptr<Inside> inside_;
  base::Mutex mutex_;
  std::vector<Request> inbox_ ABSL_GUARDED_BY(mutex_);
  bool posted_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace slipway::eraft::client
