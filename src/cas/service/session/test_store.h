// A store in memory for the tests of this folder: one that can be told to fail, and that counts.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/sync/mutex.h"
#include "cas/blob_store.h"
#include "cas/errors.h"

namespace slipway::cas {

class TestStore : public BlobStore {
 public:
  // Every call from now on fails so; OK: none does.
  void Fail(absl::Status status) {
    base::MutexLock lock(mutex_);
    failure_ = std::move(status);
  }
  bool Has(const Digest& digest) {
    base::MutexLock lock(mutex_);
    return blobs_.count(digest) > 0;
  }
  size_t size() {
    base::MutexLock lock(mutex_);
    return blobs_.size();
  }
  int writers() {
    base::MutexLock lock(mutex_);
    return writers_;
  }
  int lookups() {
    base::MutexLock lock(mutex_);
    return lookups_;
  }
  std::vector<Digest> digests() {
    base::MutexLock lock(mutex_);
    std::vector<Digest> out;
    for (const auto& [digest, text] : blobs_) out.push_back(digest);
    return out;
  }
  // What readers find of the blob from now on, whatever its digest says.
  void Damage(const Digest& digest, absl::string_view text) {
    base::MutexLock lock(mutex_);
    blobs_[digest] = std::string(text);
  }
  bool Remove(const Digest& digest) {
    base::MutexLock lock(mutex_);
    return blobs_.erase(digest) > 0;
  }
  Digest Add(absl::string_view text) {
    const Digest digest = DigestOf(base::AsBytes(text));
    base::MutexLock lock(mutex_);
    blobs_[digest] = std::string(text);
    return digest;
  }

  absl::StatusOr<std::optional<uint64_t>> Check(const Digest& digest) override {
    base::MutexLock lock(mutex_);
    ++lookups_;
    if (!failure_.ok()) return failure_;
    if (blobs_.count(digest) == 0) return std::optional<uint64_t>();
    return std::optional<uint64_t>(digest.size_bytes);
  }
  absl::StatusOr<bool> Contains(const Digest& digest) override {
    SLIPWAY_ASSIGN_OR_RETURN(const auto size, Check(digest));
    return size.has_value();
  }
  base::Owned<BlobWriter> Store(const Digest& digest) override {
    base::MutexLock lock(mutex_);
    if (!failure_.ok()) return failure_;
    if (blobs_.count(digest) > 0) return AlreadyExistsError(digest);
    ++writers_;
    return std::unique_ptr<BlobWriter>(new Writer(*this, digest));
  }
  base::Owned<BlobReader> Fetch(const Digest& digest, BlobRange range) override {
    base::MutexLock lock(mutex_);
    if (!failure_.ok()) return failure_;
    const auto found = blobs_.find(digest);
    if (found == blobs_.end()) return NotFoundError(digest);
    SLIPWAY_ASSIGN_OR_RETURN(const Extent extent, Resolve(range, digest));
    return std::unique_ptr<BlobReader>(new Reader(
        *this, found->second.substr(std::min<size_t>(extent.offset_bytes, found->second.size()),
                                    extent.size_bytes)));
  }
  std::optional<std::string> GetLocalPath(const Digest&) override { return std::nullopt; }

 private:
  class Writer : public BlobWriter {
   public:
    Writer(TestStore& store, const Digest& digest) : store_(store), digest_(digest) {}
    ~Writer() override {
      base::MutexLock lock(store_.mutex_);
      --store_.writers_;
    }
    absl::Status Append(base::BytesView data) override {
      base::MutexLock lock(store_.mutex_);
      if (!store_.failure_.ok()) return store_.failure_;
      text_.append(base::AsText(data).data(), data.size());
      return text_.size() > digest_.size_bytes ? SizeMismatchError(digest_, text_.size())
                                               : absl::OkStatus();
    }
    absl::Status Commit() override {
      base::MutexLock lock(store_.mutex_);
      if (!store_.failure_.ok()) return store_.failure_;
      if (text_.size() != digest_.size_bytes) return SizeMismatchError(digest_, text_.size());
      const Digest got = DigestOf(base::AsBytes(text_));
      if (!(got == digest_)) return DigestMismatchError(digest_, got);
      store_.blobs_[digest_] = text_;
      return absl::OkStatus();
    }

   private:
    TestStore& store_;
    const Digest digest_;
    std::string text_;
  };

  class Reader : public BlobReader {
   public:
    Reader(TestStore& store, std::string text) : store_(store), text_(std::move(text)) {}
    absl::StatusOr<size_t> Read(absl::Span<uint8_t> out) override {
      base::MutexLock lock(store_.mutex_);
      if (!store_.failure_.ok()) return store_.failure_;
      const size_t size = std::min(out.size(), text_.size() - offset_);
      std::copy_n(text_.begin() + static_cast<ptrdiff_t>(offset_), size, out.begin());
      offset_ += size;
      return size;
    }

   private:
    TestStore& store_;
    const std::string text_;
    size_t offset_ = 0;
  };

  base::Mutex mutex_;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  std::map<Digest, std::string> blobs_ ABSL_GUARDED_BY(mutex_);
  int writers_ ABSL_GUARDED_BY(mutex_) = 0;
  int lookups_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace slipway::cas
