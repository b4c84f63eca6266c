// A repository that fails where a test tells it to. Thread-compatible while it is told.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "base/status.h"
#include "deploy/repository/repository.h"

namespace slipway::deploy {

// Passes everything on but fails where it is told to.
class FaultyRepository : public Repository {
 public:
  explicit FaultyRepository(Repository& inner) : inner_(inner) {}

  absl::Status put_status;  // of every Put whose key ends in `put_suffix`
  std::string put_suffix;
  absl::Status read_status;  // of every Get, Stat, List
  std::function<void(absl::string_view)> before_put;

  absl::StatusOr<Object> Put(absl::string_view key, base::ByteSource& source, uint64_t size_bytes,
                             If condition) override {
    if (before_put) before_put(key);
    if (!put_status.ok() && absl::EndsWith(key, put_suffix)) return put_status;
    return inner_.Put(key, source, size_bytes, condition);
  }
  absl::Status Get(absl::string_view key, Range range, Sink sink) override {
    SLIPWAY_RETURN_IF_ERROR(read_status);
    return inner_.Get(key, range, sink);
  }
  absl::StatusOr<Object> Stat(absl::string_view key) override {
    SLIPWAY_RETURN_IF_ERROR(read_status);
    return inner_.Stat(key);
  }
  absl::StatusOr<Page> List(absl::string_view prefix, absl::string_view token) override {
    SLIPWAY_RETURN_IF_ERROR(read_status);
    return inner_.List(prefix, token);
  }
  absl::Status Remove(absl::string_view key) override { return inner_.Remove(key); }
  Location LocationOf(const Component& component, absl::string_view file) override {
    return inner_.LocationOf(component, file);
  }

 private:
  Repository& inner_;
};

}  // namespace slipway::deploy
