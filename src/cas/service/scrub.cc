#include "cas/service/scrub.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log/log.h"
#include "base/status.h"
#include "cas/errors.h"
#include "cas/service/services.h"

namespace slipway::cas {
namespace {

constexpr size_t kPageSize = 256;
constexpr double kBurstSeconds = 0.1;

// The smallest hash over `hash`; nullopt: it was the last one.
std::optional<Hash> After(Hash hash) {
  for (size_t i = hash.size(); i-- > 0;) {
    if (++hash[i] != 0) return hash;
  }
  return std::nullopt;
}

}  // namespace

ScrubMetrics::ScrubMetrics(base::Metrics& m)
    : bytes(m.AddCounter("zako_scrub_bytes_total", "Bytes of blobs that were verified.")),
      last_pass(m.AddGauge("zako_scrub_last_pass_timestamp_seconds",
                           "When all blobs of the store had been verified the last time.")) {}

Scrub::Scrub(Options options, World world, Progress progress, Done done)
    : options_(std::move(options)),
      world_(world),
      progress_(std::move(progress)),
      done_(std::move(done)),
      limiter_(static_cast<double>(options_.rate_bytes),
               static_cast<double>(options_.rate_bytes) * kBurstSeconds) {
  if (options_.digest.has_value()) {
    page_.push_back(*options_.digest);
  } else {
    from_ = Hash{};
  }
}

void Scrub::Start() { Step(); }

absl::StatusOr<std::optional<Digest>> Scrub::NextDigest() {
  if (page_.empty() && from_.has_value()) {
    SLIPWAY_ASSIGN_OR_RETURN(const std::vector<StoredBlob> blobs,
                             world_.store.List(*from_, kPageSize));
    from_ = blobs.size() < kPageSize ? std::nullopt : After(blobs.back().digest.blake3);
    for (auto blob = blobs.rbegin(); blob != blobs.rend(); ++blob) page_.push_back(blob->digest);
  }
  if (page_.empty()) return std::optional<Digest>();
  const Digest digest = page_.back();
  page_.pop_back();
  return std::optional<Digest>(digest);
}

absl::Status Scrub::CheckOne(const Digest& digest) {
  const absl::Status status = world_.store.Verify(digest);
  if (absl::IsDataLoss(status)) {
    SLIPWAY_LOG(kWarn, "blob is damaged; it has been set aside", {{"blob", digest.ToString()}});
    progress_(digest, true);
    return absl::OkStatus();
  }
  // Removed between the listing and now: nothing to complain about, unless it was asked for.
  if (absl::IsNotFound(status) && !options_.digest.has_value()) return absl::OkStatus();
  if (status.ok()) progress_(digest, false);
  return status;
}

void Scrub::Step() {
  if (options_.cancel.cancelled()) return done_(options_.cancel.status());
  absl::StatusOr<std::optional<Digest>> digest = NextDigest();
  if (!digest.ok()) return done_(digest.status());
  if (!digest->has_value()) return done_(absl::OkStatus());
  if (absl::Status status = CheckOne(**digest); !status.ok()) return done_(status);
  absl::Duration wait = absl::ZeroDuration();
  if (options_.rate_bytes > 0) {
    wait = limiter_.Take(static_cast<double>((*digest)->size_bytes), world_.clock.Monotonic());
  }
  Later(wait);
}

void Scrub::Later(absl::Duration wait) {
  // A full pool is asked again in a moment.
  constexpr absl::Duration kAgain = absl::Milliseconds(50);
  auto self = shared_from_this();
  if (wait <= absl::ZeroDuration()) {
    if (world_.pool.Submit([self] { self->Step(); }).ok()) return;
    wait = kAgain;
  }
  world_.loop.Post([self, wait] {
    self->world_.loop.After(wait, [self] { self->Later(absl::ZeroDuration()); });
  });
}

}  // namespace slipway::cas
