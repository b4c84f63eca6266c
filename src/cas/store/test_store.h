// A disk store on a simulated machine, for the tests of this folder.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/metrics/metrics.h"
#include "base/sim/clock.h"
#include "base/sim/files.h"
#include "base/sim/pool.h"
#include "base/testing/status_matchers.h"
#include "cas/blob_store_contract.h"
#include "cas/store/format.h"
#include "cas/store/stores.h"

namespace slipway::cas {

inline constexpr char kTestRoot[] = "/store";

// An index that outlives its holder, as a file does.
class KeptIndex : public Index {
 public:
  explicit KeptIndex(std::shared_ptr<Index> kept) : kept_(std::move(kept)) {}
  absl::StatusOr<std::optional<IndexRecord>> Find(const Hash& hash) override {
    return kept_->Find(hash);
  }
  absl::Status Apply(absl::Span<const Entry> put, absl::Span<const Hash> erase,
                     bool durable) override {
    return kept_->Apply(put, erase, durable);
  }
  absl::Status Scan(const Hash& from,
                    absl::FunctionRef<bool(const Hash&, const IndexRecord&)> visit) override {
    return kept_->Scan(from, visit);
  }
  absl::StatusOr<IndexStats> Stats() override { return kept_->Stats(); }
  absl::Status Clear() override { return kept_->Clear(); }
  absl::StatusOr<bool> TakeCleanMark(uint64_t token) override {
    return kept_->TakeCleanMark(token);
  }
  absl::Status PutCleanMark(uint64_t token) override { return kept_->PutCleanMark(token); }

 private:
  const std::shared_ptr<Index> kept_;
};

inline MakeIndex FreshIndex() {
  return [](const std::string&) -> base::Owned<Index> { return MakeMemoryIndex(); };
}
inline MakeIndex KeepIndex(std::shared_ptr<Index> index) {
  return [index](const std::string&) -> base::Owned<Index> {
    return std::make_unique<KeptIndex>(index);
  };
}

// One machine; members may be changed before Open.
class StoreScene {
 public:
  explicit StoreScene(base::sim::Files f = base::sim::Files(7)) : files(std::move(f)) {}

  absl::Status Open() {
    store.reset();
    base::Owned<DiskStore> opened =
        OpenDiskStore(kTestRoot, options, files, clock, pool, metrics, make_index);
    SLIPWAY_RETURN_IF_ERROR(opened.status());
    store = *std::move(opened);
    return absl::OkStatus();
  }
  DiskStore& operator*() { return *store; }
  DiskStore* operator->() { return store.get(); }

  absl::Status Put(absl::string_view text) {
    return PutBytes(*store, DigestOf(base::AsBytes(text)), base::AsBytes(text));
  }
  absl::StatusOr<std::string> Get(const Digest& digest) {
    SLIPWAY_ASSIGN_OR_RETURN(const base::Bytes bytes, GetBytes(*store, digest, 1 << 24));
    return std::string(base::AsText(bytes));
  }

  std::string ObjectFile(const Digest& digest) {
    return absl::StrCat(kTestRoot, "/objects/", ObjectPath(digest.blake3));
  }
  // Somebody writes into the object's file, as a broken disk does.
  void Damage(const Digest& digest, uint64_t at, absl::string_view bytes) {
    ASSERT_OK_AND_ASSIGN(auto root, files.OpenRoot(kTestRoot));
    ASSERT_OK_AND_ASSIGN(auto file, root->Open(absl::StrCat("objects/", ObjectPath(digest.blake3)),
                                               {.write = true}));
    ASSERT_OK(file->WriteAt(at, base::AsBytes(bytes)));
  }
  // The value of a metric with its labels as Prometheus's text has them.
  double Metric(const std::string& series) {
    const std::string text = "\n" + metrics.Text();
    const size_t at = text.find(absl::StrCat("\n", series, " "));
    if (at == std::string::npos) return -1;
    return std::stod(text.substr(at + series.size() + 2));
  }

  base::sim::Files files;
  base::sim::Clock clock;
  base::sim::Pool pool{/*seed=*/3};
  base::Metrics metrics;
  DiskStoreOptions options;
  MakeIndex make_index = FreshIndex();
  std::unique_ptr<DiskStore> store;
};

}  // namespace slipway::cas
