#include "eraft/bench/unary_load.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

namespace slipway::eraft::bench {
namespace {

constexpr absl::Duration kWaitMax = absl::Milliseconds(50);  // how late a cancellation is seen
constexpr absl::Duration kFirstPause = absl::Milliseconds(50);

}  // namespace

UnaryLoad::UnaryLoad(UnaryLoadOptions options, Load& load, client::UnaryCalls& calls,
                     base::Clock& clock, base::Random& random)
    : options_(std::move(options)), load_(load), calls_(calls), clock_(clock) {
  clients_.reserve(options_.clients);
  for (uint64_t i = 0; i < options_.clients; ++i) {
    clients_.push_back(
        {.route = client::Route(options_.addresses, random, {.pause = kFirstPause})});
    // Ids below 2^63, and not 0, which would be no session.
    clients_.back().request.client_id = static_cast<int64_t>(random.Next() >> 1 | 1);
    clients_.back().request.command_id = -1;
  }
}

absl::Status UnaryLoad::Run(const base::CancelToken& cancel) {
  load_.Start();
  while (!load_.over() && !cancel.cancelled()) {
    while (std::optional<Load::Send> send = load_.Next()) {
      Client& client = clients_[send->client];
      client.request.write = send->request.write;
      client.request.key = std::move(send->request.key);
      client.request.value = std::move(send->request.value);
      client.request.serializable = options_.serializable;
      ++client.request.command_id;
      client.attempts = 0;
      client.deadline = clock_.Monotonic() + options_.timeout;
      Send(send->client);
    }
    SendDue();
    std::optional<client::UnaryAnswer> answer = calls_.Wait(WaitMax());
    while (answer.has_value()) {
      Take(*answer);
      answer = calls_.Wait(absl::ZeroDuration());
    }
  }
  return cancel.status();
}

void UnaryLoad::Send(uint64_t index) {
  Client& client = clients_[index];
  ++client.attempts;
  const absl::Duration left = client.deadline - clock_.Monotonic();
  calls_.Start(client.route.address(), static_cast<int>(index) % options_.connections, index,
               client.request, std::min(left, options_.attempt));
}

void UnaryLoad::SendDue() {
  const absl::Duration now = clock_.Monotonic();
  while (!waiting_.empty() && waiting_.begin()->first <= now) {
    const uint64_t index = waiting_.begin()->second;
    waiting_.erase(waiting_.begin());
    Send(index);
  }
}

absl::Duration UnaryLoad::WaitMax() const {
  absl::Duration wait = std::min(kWaitMax, load_.due());
  if (!waiting_.empty()) wait = std::min(wait, waiting_.begin()->first - clock_.Monotonic());
  return std::max(wait, absl::ZeroDuration());
}

void UnaryLoad::Take(const client::UnaryAnswer& answer) {
  const uint64_t index = answer.tag;
  client::Route& route = clients_[index].route;
  if (!answer.status.ok()) {
    const std::string kind = absl::StatusCodeToString(answer.status.code());
    if (!absl::IsUnavailable(answer.status) && !absl::IsDeadlineExceeded(answer.status)) {
      return End(index, kind);
    }
    return Again(index, answer.leader.empty() ? route.Failed() : route.Redirected(answer.leader),
                 kind);
  }
  // A write that is outdated was executed, by an attempt whose answer was lost.
  const bool done = options_.api == client::UnaryApi::kEtcd || answer.err == "OK" ||
                    answer.err == "ErrNoKey" || answer.err == "ErrOutDated";
  if (done) {
    route.Worked();
    return End(index, "");
  }
  if (answer.err == "ErrWrongLeader" || answer.err == "ErrTimeout" || answer.err == "ErrNotReady") {
    return Again(index, route.Redirected(answer.leader), answer.err);
  }
  End(index, answer.err.empty() ? "no answer" : answer.err.substr(0, 32));
}

void UnaryLoad::Again(uint64_t index, absl::Duration wait, const std::string& trouble) {
  const absl::Duration at = clock_.Monotonic() + wait;
  if (at >= clients_[index].deadline) return End(index, absl::StrCat("timeout, ", trouble));
  waiting_.emplace(at, index);
}

void UnaryLoad::End(uint64_t index, std::string error) {
  load_.Answered(index, {.error = std::move(error), .retries = clients_[index].attempts - 1});
}

}  // namespace slipway::eraft::bench
