// One target of one publish: what is there, what this run put there, and how to take it away again.
// Private to this folder. Thread-compatible: one job at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "deploy/repository/local_package.h"
#include "deploy/repository/publisher.h"

namespace slipway::deploy {

// A version in a target.
class TargetItem {
 public:
  TargetItem(const PublishRequest& request, const PublishTarget& target,
             const LocalPackage& package)
      : request_(request), target_(target), package_(package) {}

  const LocalPackage& package() const { return package_; }
  bool already_published() const { return already_; }
  bool changed() const { return changed_; }  // this run wrote something here
  bool visible() const { return visible_; }
  uint64_t bytes_uploaded() const { return bytes_uploaded_; }

  // Finds out whether the version is published here. DT012 when with other content and not forced;
  // DT007 when the manifest there cannot be read and not forced.
  absl::Status Probe();
  // Package and side files that are not there yet. `done` counts on from the item before.
  absl::Status Upload(uint64_t& done, uint64_t total);
  // The manifest: with it the version becomes visible.
  absl::Status ShowManifest();
  // Merges `record` into the one beside the package.
  absl::Status PutRecord(const PublishRecord& record);
  // Removes what this run put here, the manifest first. Goes on after an error and returns the
  // first.
  absl::Status Undo();

 private:
  std::string Key(absl::string_view file) const { return ObjectKey(package_.component(), file); }
  absl::Status Adopt(const Manifest& published);
  absl::Status UploadObject(const LocalObject& object, uint64_t& done, uint64_t total);
  absl::Status Copy(const LocalObject& object, If condition, uint64_t done, uint64_t total);
  absl::StatusOr<bool> HasSameContent(const LocalObject& object);
  void Report(const LocalObject& object, uint64_t done, uint64_t total) const;

  const PublishRequest& request_;
  const PublishTarget& target_;
  const LocalPackage& package_;
  bool already_ = false;
  bool replaced_ = false;  // other content is there and is to be replaced
  bool changed_ = false;
  bool visible_ = false;
  uint64_t bytes_uploaded_ = 0;
  std::vector<LocalObject> wanted_;    // objects that must be there before the manifest
  std::vector<std::string> new_keys_;  // but the record, in the order in which they were put
  bool record_is_new_ = false;
  std::optional<std::string> old_record_;
};

// `status` of a repository call under the id that fits it (D19), "`what`: " before its text.
absl::Status TargetError(const absl::Status& status, absl::string_view what);

}  // namespace slipway::deploy
