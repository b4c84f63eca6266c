#include <algorithm>
#include <utility>

#include "cas/client/grpc_session.h"

namespace slipway::cas {
namespace {

// A token that ran out was not used for minutes; one that is refused sooner was good for one call.
constexpr absl::Duration kRecently = absl::Seconds(10);
constexpr uint32_t kConcurrencyMax = 256;

}  // namespace

Session::Session(std::shared_ptr<base::net::Channel> cas, Caller& caller, base::Files& files,
                 base::Clock& clock, Ask ask)
    : cas_(std::move(cas)), caller_(caller), files_(files), clock_(clock), ask_(std::move(ask)) {}

absl::StatusOr<std::shared_ptr<const Transport>> Session::Get() {
  {
    const base::MutexLock lock(mutex_);
    if (current_ != nullptr && !once_) return current_;
  }
  // Several callers may ask at once; each answer is as good as another.
  SLIPWAY_ASSIGN_OR_RETURN(TransportDetails details, ask_());
  base::Secret token(std::move(details.token));
  SLIPWAY_RETURN_IF_ERROR(
      base::Annotate(CheckToken(token), "find the transport of the CAS server"));
  const base::MutexLock lock(mutex_);
  auto transport = std::make_shared<Transport>();
  SLIPWAY_ASSIGN_OR_RETURN(transport->channel, Dial(details.address));
  transport->token = token.empty() ? caller_.options().token : token;
  transport->concurrency =
      static_cast<int>(std::clamp<uint32_t>(details.concurrency, 1, kConcurrencyMax));
  transport->generation = ++generation_;
  current_ = transport;
  return current_;
}

absl::StatusOr<std::shared_ptr<base::net::Channel>> Session::Dial(
    const AdvertisedAddress& advertised) {
  base::net::ChannelOptions options = cas_->options();
  SLIPWAY_ASSIGN_OR_RETURN(const DialAddress dial,
                           ChooseDialAddress(advertised, options.address, options.authority));
  if (dial.address.empty() || dial.address == options.address) return cas_;
  if (channel_ != nullptr && dialled_ == dial.address) return channel_;
  options.address = dial.address;
  options.authority = dial.authority;
  SLIPWAY_ASSIGN_OR_RETURN(channel_, base::net::Channel::Open(options, files_, clock_.Wall()));
  dialled_ = dial.address;
  return channel_;
}

void Session::Accepted(const Transport&) {
  const base::MutexLock lock(mutex_);
  accepted_at_ = clock_.Monotonic();
}

void Session::Refused(const Transport& transport) {
  const base::MutexLock lock(mutex_);
  if (current_ == nullptr || current_->generation != transport.generation) return;
  current_ = nullptr;
  if (clock_.Monotonic() - accepted_at_ < kRecently) once_ = true;
}

absl::Status Session::Run(absl::FunctionRef<absl::Status(const Transport&)> attempt) {
  bool renewed = false;
  return caller_.Repeat([&]() -> absl::Status {
    for (;;) {
      SLIPWAY_ASSIGN_OR_RETURN(const std::shared_ptr<const Transport> transport, Get());
      absl::Status status = attempt(*transport);
      if (status.ok()) Accepted(*transport);
      if (!absl::IsUnauthenticated(status) || std::exchange(renewed, true)) return status;
      Refused(*transport);
    }
  });
}

}  // namespace slipway::cas
