// Publishing component versions to several repositories in one command (D13-D19).
//
// Order in every target: package and side files, manifest, publish record; a version is visible
// when its manifest is there (D18). What lies in `dist` is checked against the manifest before
// anything is uploaded. Publish blocks: not from a job of the pool, not on a loop.
//
// Limit: two publishers of different projects that race for one version in one target are kept
// apart by create-once objects; but one of them that then undoes an atomic publish may take away an
// object that the other has just found to be its own. Nothing protects repositories without locks
// from that.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/pool.h"
#include "base/sync/cancel.h"
#include "deploy/model/component.h"
#include "deploy/repository/repository.h"

namespace slipway::deploy {

// The project's folders, borrowed. `records` also gets a lock file, ".lock".
struct PublishFolders {
  base::Dir& dist;
  base::Dir& manifests;
  base::Dir& records;
  base::Dir& releases;
  std::string manifests_path;  // project-relative, as a release states it
};

struct PublishTarget {
  PublishTarget(std::string location, Repository& store)
      : name(std::move(location)), repository(&store) {}
  std::string name;        // of the location in the record
  Repository* repository;  // borrowed, never null
};

struct PublishOptions {
  // True: all targets or none; what is new in this run is removed again after a failure.
  bool atomic = true;
  // Replaces other content of the same version. While that goes on, and after a failure, the
  // version is not there; the next publish of it, with or without force, makes it whole.
  bool force = false;
  bool dry_run = false;  // checks everything, writes nothing
  // Absent: no release. Empty: UTC date and ".N". Else YYYY.MM.DD[.N], SemVer or, with a warning,
  // any name of letters, digits and "._+-" (D102).
  std::optional<std::string> release_version;
  std::string release_name;
  std::vector<std::string> secrets;              // for ScrubCheck
  absl::Duration lock_wait = absl::Seconds(30);  // for another publisher's record
};

// What a target has done so far. `bytes_total` is that of all objects of this run.
struct PublishProgress {
  std::string target;
  Component component;
  std::string object;
  uint64_t bytes_done = 0;
  uint64_t bytes_total = 0;
};

enum class PublishOutcome : uint8_t {
  kPublished,
  kAlreadyPublished,  // the same package was there
  kFailed,
  kUndone,    // was published, but another target failed
  kNotTried,  // something failed before
  kPlanned,   // dry run: would be published
};
absl::string_view PublishOutcomeName(
    PublishOutcome outcome);  // "published", "already-published", …

struct PublishedTo {
  Component component;
  std::string target;
  PublishOutcome outcome = PublishOutcome::kNotTried;
  uint64_t bytes_uploaded = 0;
  absl::Status status;  // of kFailed
};

struct PublishReport {
  // OK, or why not all is published. DT010 no manifest; DT002 no package; DT007 package or side
  // file does not match; DT012 other content is published; DT004, DT005, DT006 a target; DT016 the
  // package changed meanwhile; DT019 a secret; DT021 another publisher; DT026. Without `atomic` and
  // with some good targets: DT004 that lists the failed ones.
  absl::Status status;
  std::vector<PublishedTo> targets;  // by component, then target, as given
  std::vector<std::string> records;  // file names written in `records`
  std::string release;               // version; empty: none written
  std::vector<std::string> warnings;
};

struct PublishRequest {
  PublishFolders folders;
  std::vector<PublishTarget> targets;
  std::vector<Component> components;
  PublishOptions options;
  base::Clock& clock;
  base::Pool& pool;
  base::CancelToken cancel;
  // Called from several threads at once. May be null.
  std::function<void(const PublishProgress&)> progress;
  uint32_t file_mode = 0644;  // of records, releases and the lock file in `folders`
};

PublishReport Publish(const PublishRequest& request);

// DT003 unless `version` may name a release (see PublishOptions); a warning if it is free text.
absl::StatusOr<std::optional<std::string>> CheckReleaseVersion(absl::string_view version);
// "2024.01.20.release.json" and, in a repository, "releases/…".
std::string ReleaseFileName(absl::string_view version);
std::string ReleaseKey(absl::string_view version);

}  // namespace slipway::deploy
