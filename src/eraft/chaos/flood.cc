#include "eraft/chaos/flood.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "eraft/client/connect.h"

namespace slipway::eraft::chaos {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(5);
constexpr absl::Duration kPause = absl::Milliseconds(10);  // after a refusal
constexpr uint64_t kKeys = 10'000;
constexpr size_t kValueBytes = 100;

}  // namespace

Flood::Flood(int clients, int each, std::vector<std::string> addresses, base::World& world)
    : clients_wanted_(clients), each_(each), addresses_(std::move(addresses)), world_(world) {}

Flood::~Flood() { Stop(); }

absl::Status Flood::Start() {
  for (int i = 0; i < clients_wanted_; ++i) {
    SLIPWAY_ASSIGN_OR_RETURN(auto made, client::Connect({.addresses = addresses_}, loop_, world_));
    clients_.push_back(std::move(made));
  }
  loop_.Post([this] {
    for (size_t client = 0; client < clients_.size(); ++client) {
      for (int i = 0; i < each_; ++i) Next(client);
    }
  });
  return absl::OkStatus();
}

void Flood::Stop() {
  const base::MutexLock lock(mutex_);
  stopping_ = true;
  while (under_way_ > 0) changed_.Wait(mutex_);
}

void Flood::Next(size_t client) {
  {
    const base::MutexLock lock(mutex_);
    if (stopping_) return;
    ++under_way_;
  }
  clients_[client]->Start(
      client::PutOf(absl::StrCat("f", ++number_ % kKeys), std::string(kValueBytes, 'f')),
      {kTimeout}, [this, client](const absl::StatusOr<client::Reply>& reply) {
        ++(reply.ok() ? done_ : failed_);
        {
          const base::MutexLock lock(mutex_);
          --under_way_;
          changed_.NotifyAll();
        }
        if (reply.ok()) {
          Next(client);
        } else {
          loop_.After(kPause, [this, client] { Next(client); });
        }
      });
}

}  // namespace slipway::eraft::chaos
