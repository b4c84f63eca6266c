// The publish record of a version in the project's folder. Private to this folder.
// Thread-compatible.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/files.h"
#include "base/json/json.h"
#include "deploy/model/manifest.h"
#include "deploy/repository/publisher.h"

namespace slipway::deploy {

// Keeps other publishers of the project away from the records until it is destroyed. DT021 after
// `lock_wait`; DT026.
base::Owned<base::File> LockRecords(const PublishRequest& request);

class RecordFile {
 public:
  // What is there, or an empty record. DT007 when it cannot be read: it is not overwritten.
  static absl::StatusOr<RecordFile> Read(const PublishRequest& request, const Component& component);

  // Adds or replaces the location of its name. `uploaded`: by an upload of this run.
  void Add(Location location, bool uploaded);
  const PublishRecord& record() const { return record_; }
  // DT019
  absl::Status Check() const;
  // Durable after OK; false when nothing had to be written.
  absl::StatusOr<bool> Write() const;
  // What was there before Write, which may have failed half-way. Under the same lock.
  absl::Status PutBack() const;

 private:
  explicit RecordFile(const PublishRequest& request) : request_(&request) {}
  std::string Text() const;

  const PublishRequest* request_;
  PublishRecord record_;
  std::optional<std::string> previous_text_;
  std::optional<base::Json> previous_;
  bool changed_ = false;
};

}  // namespace slipway::deploy
