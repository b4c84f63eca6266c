#include "eraft/chaos/load.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/os/loop.h"
#include "base/sim/random.h"
#include "base/sync/mutex.h"
#include "eraft/client/connect.h"

namespace slipway::eraft::chaos {
namespace {

using client::Operation;
using client::Reply;
using Kind = Model::Kind;

constexpr uint64_t kScanRows = 500;
constexpr int kCasOneIn = 8;

// A place for a key; the key changes when it has been used enough.
struct Slot {
  std::string key;
  int left = 0;
  int generation = 0;
  bool compares = false;
  std::optional<std::string> seen;  // compares: the value read last
};

Operation OperationOf(const Model::Input& input) {
  switch (input.kind) {
    case Kind::kGet:
      return client::GetOf(input.key);
    case Kind::kPut:
      return client::PutOf(input.key, input.value);
    case Kind::kAppend:
      return client::AppendOf(input.key, input.value);
    case Kind::kDelete:
      return client::DeleteOf(input.key);
    case Kind::kCompareAndSet:
      break;
  }
  return client::CompareAndSetOf(input.key, input.expected, input.value);
}

}  // namespace

class Load::Impl {
 public:
  Impl(LoadOptions options, std::vector<std::string> addresses, base::World& world)
      : options_(options),
        addresses_(std::move(addresses)),
        world_(world),
        random_(options.seed),
        slots_(static_cast<size_t>(options.keys)) {
    for (size_t i = 0; i < slots_.size(); ++i) slots_[i].compares = i % kCasOneIn == 0;
  }

  absl::Status Start() {
    for (int i = 0; i < options_.clients; ++i) {
      client::ConnectOptions connect;
      connect.addresses = addresses_;
      // Not all first ask the same node.
      std::rotate(connect.addresses.begin(),
                  connect.addresses.begin() + i % static_cast<int>(addresses_.size()),
                  connect.addresses.end());
      SLIPWAY_ASSIGN_OR_RETURN(auto made, client::Connect(connect, loop_, world_));
      clients_.push_back(std::move(made));
    }
    began_ = world_.clock.Monotonic();
    loop_.Post([this] {
      for (int i = 0; i < options_.clients; ++i) Think(i);
    });
    return absl::OkStatus();
  }

  void Stop() {
    const base::MutexLock lock(mutex_);
    if (stopping_) return;
    stopping_ = true;
    while (under_way_ > 0) changed_.Wait(mutex_);
  }

  absl::Status ReadAll(absl::Duration timeout) {
    const absl::Duration deadline = world_.clock.Monotonic() + timeout;
    std::map<std::string, std::string> rows;
    std::string from = "k";
    const absl::Duration began = world_.clock.Monotonic();
    while (true) {
      const absl::Duration left = deadline - world_.clock.Monotonic();
      if (left <= absl::ZeroDuration()) {
        return absl::DeadlineExceededError("read all keys: the cluster does not answer");
      }
      const auto page = clients_.front()->Scan(from, "l", kScanRows, {left});
      if (!page.ok()) return base::Annotate(page.status(), "read all keys");
      for (const auto& [key, value] : page->rows) rows[key] = value;
      if (!page->more || page->rows.empty()) break;
      from = page->rows.back().first + '\0';
    }
    // Nobody else writes: the scans together are one reading.
    const absl::Duration ended = world_.clock.Monotonic();
    for (const std::string& key : used_) {
      const size_t number = history_.Begin(options_.clients, {.key = key}, began);
      const auto found = rows.find(key);
      Model::Output output;
      if (found != rows.end()) output.value = found->second;
      history_.End(number, std::move(output), ended);
    }
    return absl::OkStatus();
  }

  // Runs `ask` on the loop, where the history grows.
  absl::Duration Ask(absl::AnyInvocable<absl::Duration(const History&)> ask) {
    std::promise<absl::Duration> answer;
    loop_.Post([&] { answer.set_value(ask(history_)); });
    return answer.get_future().get();
  }
  absl::Duration now() { return world_.clock.Monotonic(); }

  uint64_t answered() const { return answered_; }
  const History& history() const { return history_; }
  absl::Duration began() const { return began_; }

 private:
  // All below on the loop.
  void Think(int client) {
    const double mean_ms = 1000.0 * options_.clients / options_.operations_per_second;
    const double share = 0.5 + static_cast<double>(random_.Below(1000)) / 1000.0;
    loop_.After(absl::Milliseconds(mean_ms * share), [this, client] { Begin(client); });
  }

  Slot& TakeSlot() {
    const size_t number = random_.Below(slots_.size());
    Slot& slot = slots_[number];
    if (slot.left-- == 0) {
      slot.left = options_.operations_per_key;
      slot.key = absl::StrCat("k", number, ".", ++slot.generation);
      slot.seen.reset();
      used_.insert(slot.key);
    }
    return slot;
  }

  Model::Input Draw(int client, const Slot& slot) {
    Model::Input input;
    input.key = slot.key;
    input.value = absl::StrCat("[", client, ".", ++tokens_, "]");
    const uint64_t dice = random_.Below(100);
    if (dice < 40) {
      input.kind = Kind::kGet;
      input.value.clear();
    } else if (dice < 55) {
      input.kind = Kind::kPut;
    } else if (slot.compares) {
      input.kind = Kind::kCompareAndSet;
      input.expected = slot.seen;
    } else if (dice < 97) {
      input.kind = Kind::kAppend;
    } else {
      input.kind = Kind::kDelete;
      input.value.clear();
    }
    return input;
  }

  void Begin(int client) {
    {
      const base::MutexLock lock(mutex_);
      if (stopping_) return;
      ++under_way_;
    }
    Slot& slot = TakeSlot();
    const Model::Input input = Draw(client, slot);
    const size_t number = history_.Begin(client, input, world_.clock.Monotonic());
    clients_[static_cast<size_t>(client)]->Start(
        OperationOf(input), {options_.timeout},
        [this, client, number, kind = input.kind, &slot,
         key = input.key](const absl::StatusOr<Reply>& reply) {
          Record(number, kind, reply);
          if (reply.ok() && kind == Kind::kGet && slot.key == key) {
            slot.seen = reply->found ? std::optional(reply->value) : std::nullopt;
          }
          {
            const base::MutexLock lock(mutex_);
            --under_way_;
            changed_.NotifyAll();
          }
          Think(client);
        });
  }

  void Record(size_t number, Kind kind, const absl::StatusOr<Reply>& reply) {
    if (reply.ok()) {
      Model::Output output;
      if (kind == Kind::kGet && reply->found) output.value = reply->value;
      output.swapped = kind == Kind::kCompareAndSet && reply->found;
      history_.End(number, std::move(output), world_.clock.Monotonic());
      ++answered_;
    } else if (kind == Kind::kGet || client::WasExecuted(reply.status()) == client::Executed::kNo) {
      history_.Forget(number);
    } else {
      history_.LeaveOpen();
    }
  }

  const LoadOptions options_;
  const std::vector<std::string> addresses_;
  base::World& world_;
  base::sim::Stream random_;
  std::vector<Slot> slots_;
  std::set<std::string> used_;
  uint64_t tokens_ = 0;
  History history_;
  absl::Duration began_;
  std::atomic<uint64_t> answered_{0};
  base::Mutex mutex_;
  base::CondVar changed_;
  int under_way_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  base::os::ThreadLoop loop_{"load"};  // after all that its timers use
  std::vector<std::unique_ptr<client::Client>> clients_;
};

Load::Load(LoadOptions options, std::vector<std::string> addresses, base::World& world)
    : impl_(std::make_unique<Impl>(options, std::move(addresses), world)) {}
Load::~Load() { Stop(); }
absl::Status Load::Start() { return impl_->Start(); }
void Load::Stop() { impl_->Stop(); }
absl::Status Load::ReadAll(absl::Duration timeout) { return impl_->ReadAll(timeout); }
absl::Duration Load::LatencySince(absl::Duration begin, double share) const {
  return impl_->Ask(
      [&](const History& history) { return history.Latency(begin, impl_->now(), share); });
}
absl::Duration Load::LongestOutageSoFar() const {
  return impl_->Ask(
      [&](const History& history) { return history.LongestOutage(impl_->began(), impl_->now()); });
}
uint64_t Load::answered() const { return impl_->answered(); }
const History& Load::history() const { return impl_->history(); }
absl::Duration Load::began() const { return impl_->began(); }

}  // namespace slipway::eraft::chaos
