// What cas/blob_store.h promises and every implementation must show (Z1, Z2, Z3), as a
// parameterised test suite.
//
//   std::unique_ptr<BlobStoreWorld> MakeWorld();  // an empty store, and what it needs
//   INSTANTIATE_TEST_SUITE_P(Memory, BlobStoreContract,
//                            ::testing::Values(BlobStoreContractOf(&MakeWorld)));
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "cas/blob_store.h"

namespace slipway::cas {

class BlobStoreWorld {
 public:
  virtual ~BlobStoreWorld() = default;
  virtual BlobStore& store() = 0;
  // False for a store that learns only while it sends that the blob is there: its writer is then
  // given, and its Commit is OK.
  virtual bool tells_existing_at_once() { return true; }
  // The file at a path of GetLocalPath; empty where the store has none.
  virtual absl::StatusOr<std::string> ReadLocal(const std::string& path) {
    return absl::UnimplementedError(path);
  }
};

using BlobStoreFactory = std::function<std::unique_ptr<BlobStoreWorld>()>;

// `factory` as the parameter of the suite. Naming it links the tests in.
BlobStoreFactory BlobStoreContractOf(BlobStoreFactory factory);

class BlobStoreContract : public ::testing::TestWithParam<BlobStoreFactory> {
 protected:
  void SetUp() override { world_ = GetParam()(); }
  BlobStore& store() { return world_->store(); }
  BlobStoreWorld& world() { return *world_; }

  // Stores it, and fails the test when it cannot.
  Digest Put(absl::string_view text);
  // What the range holds, read in pieces of `piece_bytes`, or the error.
  absl::StatusOr<std::string> Read(const Digest& digest, BlobRange range, size_t piece_bytes);
  // As for a blob that is not there.
  void ExpectAbsent(const Digest& digest);
  // As for the blob of these bytes.
  void ExpectThere(const Digest& digest, absl::string_view text);

 private:
  std::unique_ptr<BlobStoreWorld> world_;
};

// Bytes that look random and depend on both numbers: the content of a blob.
std::string BlobText(uint64_t seed, size_t size_bytes);

}  // namespace slipway::cas
