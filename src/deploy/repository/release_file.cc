#include "deploy/repository/release_file.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/civil_time.h"
#include "base/failpoint.h"
#include "base/semver/semver.h"
#include "base/status.h"
#include "deploy/model/errors.h"
#include "deploy/repository/codec.h"
#include "deploy/repository/target_run.h"

namespace slipway::deploy {
namespace {

constexpr int kReleasesOfADayMax = 10'000;

bool SameComponents(const Release& a, const Release& b) {
  return std::equal(a.components.begin(), a.components.end(), b.components.begin(),
                    b.components.end(), [](const ReleaseComponent& x, const ReleaseComponent& y) {
                      return x.component == y.component && x.sha256 == y.sha256;
                    });
}

// Whether `text` is YYYY.MM.DD with an optional ".N"; `valid`: and such a day exists.
bool HasFormOfDate(absl::string_view text, bool& valid) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '.');
  if (parts.size() != 3 && parts.size() != 4) return false;
  std::vector<int> numbers;
  for (const absl::string_view part : parts) {
    int number = 0;
    const bool digits = std::all_of(part.begin(), part.end(), absl::ascii_isdigit);
    if (part.empty() || !digits || !absl::SimpleAtoi(part, &number)) return false;
    numbers.push_back(number);
  }
  if (parts[0].size() != 4 || parts[1].size() != 2 || parts[2].size() != 2) return false;
  // CivilDay turns February 30 into March 1: a day that is not the same does not exist.
  const absl::CivilDay day(numbers[0], numbers[1], numbers[2]);
  valid = day.year() == numbers[0] && day.month() == numbers[1] && day.day() == numbers[2];
  return true;
}

absl::StatusOr<std::optional<Release>> ReadLocal(const PublishRequest& request,
                                                 absl::string_view version) {
  const std::string name = ReleaseFileName(version);
  const absl::StatusOr<std::string> text =
      base::ReadFile(request.folders.releases, name, kRecordBytesMax);
  if (absl::IsNotFound(text.status())) return std::optional<Release>();
  if (!text.ok()) return Wrap(text.status(), FileErrorCode(text.status(), Dt::kStorage), name);
  absl::StatusOr<Release> release = ParseRelease(*text);
  if (!release.ok()) return Wrap(release.status(), Dt::kChecksum, name);
  return std::optional<Release>(*std::move(release));
}

// "2024.01.20.1", or with the first number that neither the project nor a target has.
absl::StatusOr<std::string> FreeVersion(const PublishRequest& request) {
  const std::string day = absl::FormatTime("%Y.%m.%d", request.clock.Wall(), absl::UTCTimeZone());
  for (int number = 1; number <= kReleasesOfADayMax; ++number) {
    const std::string version = absl::StrCat(day, ".", number);
    bool taken = request.folders.releases.Stat(ReleaseFileName(version)).ok();
    for (const PublishTarget& target : request.targets) {
      taken = taken || target.repository->Stat(ReleaseKey(version)).ok();
    }
    if (!taken) return version;
  }
  return Error(Dt::kExists,
               absl::StrCat("choose a release version: ", day, " has ", kReleasesOfADayMax),
               "name one with --release-version");
}

absl::Status OtherRelease(absl::string_view version, absl::string_view where) {
  return Error(
      Dt::kExists,
      absl::StrCat("write release ", version, ": another one of that version is in ", where),
      "choose another --release-version");
}

// One target; `put`: it was not there before.
absl::Status PutInTarget(const PublishRequest& request, const PublishTarget& target,
                         const Release& release, const std::string& text, bool& put) {
  const std::string key = ReleaseKey(release.version);
  const absl::Status status =
      PutText(*target.repository, key, text, request.options.force ? If::kAny : If::kAbsent);
  put = status.ok() && !request.options.force;
  if (!absl::IsAlreadyExists(status)) {
    return status.ok() ? status
                       : TargetError(status, absl::StrCat("write release to ", target.name));
  }
  const absl::StatusOr<std::string> there = GetText(*target.repository, key, kRecordBytesMax);
  if (!there.ok())
    return TargetError(there.status(), absl::StrCat("read release in ", target.name));
  const absl::StatusOr<Release> other = ParseRelease(*there);
  if (other.ok() && SameComponents(*other, release)) return absl::OkStatus();
  return OtherRelease(release.version, target.name);
}

}  // namespace

std::string ReleaseFileName(absl::string_view version) {
  return absl::StrCat(version, ".release.json");
}

std::string ReleaseKey(absl::string_view version) {
  return absl::StrCat("releases/", ReleaseFileName(version));
}

absl::StatusOr<std::optional<std::string>> CheckReleaseVersion(absl::string_view version) {
  SLIPWAY_RETURN_IF_ERROR(CheckVersion(version, VersionScheme::kAny));
  bool valid = false;
  if (HasFormOfDate(version, valid)) {
    if (valid) return std::optional<std::string>();
    return Error(Dt::kVersionFormat,
                 absl::StrCat("check release version ", version, ": there is no such day"),
                 "use a day as YYYY.MM.DD, MAJOR.MINOR.PATCH or a name");
  }
  if (base::SemVer::Parse(version).ok()) return std::optional<std::string>();
  return std::optional<std::string>(absl::StrCat(
      "release version ", version,
      " is neither a date (YYYY.MM.DD or YYYY.MM.DD.N) nor a semantic version: releases "
      "will not sort by age"));
}

absl::StatusOr<std::optional<Release>> PlanRelease(const PublishRequest& request,
                                                   const std::vector<LocalPackage>& packages) {
  if (!request.options.release_version) return std::optional<Release>();
  Release release;
  release.name = request.options.release_name;
  release.created_at = request.clock.Wall();
  std::set<std::string> types;
  for (const LocalPackage& package : packages) {
    if (!types.insert(package.component().type).second) {
      return Error(
          Dt::kConfig,
          absl::StrCat("write release: two versions of ", package.component().type, " are named"),
          "a release has one version of a type");
    }
    const std::string manifest =
        base::JoinPath(request.folders.manifests_path, ManifestFileName(package.component()));
    release.components.push_back({package.component(), manifest, package.manifest.package.sha256});
    release.total_size_bytes += package.manifest.package.size_bytes;
  }
  release.version = *request.options.release_version;
  if (release.version.empty()) {
    SLIPWAY_ASSIGN_OR_RETURN(release.version, FreeVersion(request));
    return std::optional<Release>(std::move(release));
  }
  SLIPWAY_ASSIGN_OR_RETURN(const std::optional<Release> there, ReadLocal(request, release.version));
  if (there && !SameComponents(*there, release) && !request.options.force) {
    return OtherRelease(release.version, "the project");
  }
  // A repeated publish writes what it wrote before.
  if (there && SameComponents(*there, release)) return std::optional<Release>(*there);
  return std::optional<Release>(std::move(release));
}

absl::Status WriteReleaseFiles(const PublishRequest& request, const Release& release) {
  const std::string text = WriteRelease(release);
  SLIPWAY_RETURN_IF_ERROR(ScrubCheck(text, request.options.secrets));
  std::vector<const PublishTarget*> done;
  const auto undo = [&](const absl::Status& status) {
    for (const PublishTarget* target : done) {
      target->repository->Remove(ReleaseKey(release.version)).IgnoreError();
    }
    return status;
  };
  SLIPWAY_FAILPOINT("publish.release.before");
  for (const PublishTarget& target : request.targets) {
    bool put = false;
    const absl::Status status = PutInTarget(request, target, release, text, put);
    if (put) done.push_back(&target);
    if (!status.ok()) return undo(status);
  }
  SLIPWAY_ASSIGN_OR_RETURN(const std::optional<Release> there, ReadLocal(request, release.version));
  if (there && SameComponents(*there, release)) return absl::OkStatus();
  const absl::Status written = base::WriteFileDurably(
      request.folders.releases, ReleaseFileName(release.version), text, request.file_mode,
      request.options.force ? base::RenameMode::kReplace : base::RenameMode::kNoReplace);
  if (absl::IsAlreadyExists(written)) return undo(OtherRelease(release.version, "the project"));
  if (!written.ok()) {
    return undo(Wrap(written, FileErrorCode(written, Dt::kStorage), "write release"));
  }
  SLIPWAY_FAILPOINT("publish.release.after");
  return absl::OkStatus();
}

}  // namespace slipway::deploy
