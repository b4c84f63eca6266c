#include "cas/service/session/negotiator.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "base/check.h"
#include "base/sync/mutex.h"
#include "cas/service/session/answer.h"

namespace slipway::cas {
namespace {

// A lookup takes microseconds, handing work to a thread about as much: below this it is not worth
// it.
constexpr size_t kDigestsPerJobMin = 8;

struct Batch {
  BlobStore& store;
  std::vector<Digest> digests;   // without duplicates
  std::vector<uint8_t> missing;  // by index; each is written by the one job that took the index
  absl::AnyInvocable<void(Missing)> done;
  std::atomic<size_t> next{0};
  std::atomic<int> running{1};
  base::Mutex mutex;
  absl::Status error ABSL_GUARDED_BY(mutex);

  explicit Batch(BlobStore& used) : store(used) {}

  void Look() {
    while (true) {
      const size_t index = next.fetch_add(1);
      if (index >= digests.size()) break;
      const absl::StatusOr<bool> present = store.Contains(digests[index]);
      if (present.ok()) {
        missing[index] = *present ? 0 : 1;
        continue;
      }
      base::MutexLock lock(mutex);
      if (error.ok()) error = present.status();
      next = digests.size();  // the others need not go on
    }
    Leave();
  }

  void Leave() {
    if (running.fetch_sub(1) != 1) return;
    absl::Status failed;
    {
      base::MutexLock lock(mutex);
      failed = std::move(error);
    }
    if (!failed.ok()) return done(AnswerOf(failed, "look up blobs"));
    std::vector<Digest> out;
    for (size_t i = 0; i < digests.size(); ++i) {
      if (missing[i] != 0) out.push_back(digests[i]);
    }
    done(std::move(out));
  }
};

}  // namespace

void Negotiate(BlobStore& store, base::Pool& pool, int parallel, const std::vector<Digest>& digests,
               absl::AnyInvocable<void(Missing)> done) {
  SLIPWAY_CHECK(parallel >= 1);
  auto batch = std::make_shared<Batch>(store);
  absl::flat_hash_set<Digest> seen;
  seen.reserve(digests.size());
  for (const Digest& digest : digests) {
    if (seen.insert(digest).second) batch->digests.push_back(digest);
  }
  batch->missing.resize(batch->digests.size());
  batch->done = std::move(done);
  const size_t jobs =
      std::min<size_t>(static_cast<size_t>(parallel), batch->digests.size() / kDigestsPerJobMin);
  for (size_t i = 1; i < jobs; ++i) {
    ++batch->running;
    if (!pool.Submit([batch] { batch->Look(); }).ok()) {
      --batch->running;  // a full pool: those that run do all of it
      break;
    }
  }
  batch->Look();
}

}  // namespace slipway::cas
