#include "deploy/repository/publisher.h"

#include <algorithm>
#include <memory>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/failpoint.h"
#include "base/status.h"
#include "base/sync/wait.h"
#include "deploy/model/errors.h"
#include "deploy/repository/codec.h"
#include "deploy/repository/local_package.h"
#include "deploy/repository/record_file.h"
#include "deploy/repository/release_file.h"
#include "deploy/repository/target_run.h"

namespace slipway::deploy {
namespace {

// Everything this run knows about one target.
struct Target {
  const PublishTarget* target = nullptr;
  std::vector<TargetItem> items;  // by component
  absl::Status status;
  bool undone = false;
};

class Run {
 public:
  explicit Run(const PublishRequest& request) : request_(request) {}

  PublishReport Execute() {
    report_.status = Steps();
    Fill();
    return std::move(report_);
  }

 private:
  absl::Status Steps() {
    SLIPWAY_RETURN_IF_ERROR(CheckRequest());
    SLIPWAY_RETURN_IF_ERROR(LoadPackages());
    SLIPWAY_ASSIGN_OR_RETURN(release_, PlanRelease(request_, packages_));
    MakeTargets();
    // A record that cannot be read or must not be written stops all before the first upload.
    SLIPWAY_RETURN_IF_ERROR(CheckRecords());
    // Conflicts are found before anything is uploaded anywhere.
    OnAll([](Target&, TargetItem& item) { return item.Probe(); });
    if (request_.options.dry_run) {
      if (release_) report_.release = release_->version;
      return FirstFailure();
    }
    if (MustStop()) return Undo(FirstFailure());
    UploadAll();
    if (MustStop()) return Undo(FirstFailure());
    OnAll([](Target&, TargetItem& item) { return item.ShowManifest(); });
    if (MustStop()) return Undo(FirstFailure());
    const absl::Status recorded = WriteRecords();
    if (!recorded.ok()) return request_.options.atomic ? Undo(recorded) : recorded;
    if (!FirstFailure().ok()) return PartFailure();
    return WriteRelease();
  }

  absl::Status CheckRequest() {
    if (request_.components.empty()) {
      return Error(Dt::kMissing, "publish: no component named", "deploy-tool publish type:version");
    }
    if (request_.targets.empty()) {
      return Error(Dt::kMissing, "publish: no target is configured",
                   "add one under publish.targets in .deploy-tool.yaml");
    }
    std::set<std::string> names;
    for (const PublishTarget& target : request_.targets) {
      if (!names.insert(target.name).second) {
        return Error(Dt::kConfig, absl::StrCat("publish: target ", target.name, " is named twice"));
      }
    }
    std::set<Component> components;
    for (const Component& component : request_.components) {
      if (!components.insert(component).second) {
        return Error(Dt::kConfig,
                     absl::StrCat("publish: component ", component.ToString(), " is named twice"));
      }
    }
    if (!request_.options.release_version || request_.options.release_version->empty()) {
      return absl::OkStatus();
    }
    SLIPWAY_ASSIGN_OR_RETURN(const std::optional<std::string> warning,
                             CheckReleaseVersion(*request_.options.release_version));
    if (warning) report_.warnings.push_back(*warning);
    return absl::OkStatus();
  }

  absl::Status LoadPackages() {
    packages_.resize(request_.components.size());
    SLIPWAY_RETURN_IF_ERROR(
        base::ParallelFor(request_.pool, packages_.size(), [&](size_t i) -> absl::Status {
          SLIPWAY_ASSIGN_OR_RETURN(
              packages_[i], LoadLocalPackage(request_.folders.manifests, request_.folders.dist,
                                             request_.components[i], request_.cancel));
          return ScrubCheck(packages_[i].manifest_text, request_.options.secrets);
        }));
    for (const LocalPackage& package : packages_) bytes_total_ += package.bytes_total;
    return absl::OkStatus();
  }

  void MakeTargets() {
    targets_.resize(request_.targets.size());
    for (size_t i = 0; i < targets_.size(); ++i) {
      targets_[i].target = &request_.targets[i];
      for (const LocalPackage& package : packages_) {
        targets_[i].items.emplace_back(request_, request_.targets[i], package);
      }
    }
  }

  // Runs `step` for each item of each target that has not failed: targets side by side, the items
  // of one in order.
  template <class Step>
  void OnAll(Step step) {
    const absl::Status done =
        base::ParallelFor(request_.pool, targets_.size(), [&](size_t i) -> absl::Status {
          Target& target = targets_[i];
          for (TargetItem& item : target.items) {
            if (!target.status.ok()) break;
            target.status = Named(step(target, item), item, target);
          }
          return absl::OkStatus();
        });
    done.IgnoreError();  // each target keeps its own
  }

  void UploadAll() {
    std::vector<uint64_t> done(targets_.size(), 0);
    OnAll([&](Target& target, TargetItem& item) {
      uint64_t& bytes = done[static_cast<size_t>(&target - targets_.data())];
      return item.Upload(bytes, bytes_total_);
    });
  }

  static absl::Status Named(const absl::Status& status, const TargetItem& item,
                            const Target& target) {
    return base::Annotate(status, absl::StrCat("publish ", item.package().component().ToString(),
                                               " to ", target.target->name));
  }

  absl::Status FirstFailure() const {
    for (const Target& target : targets_) {
      if (!target.status.ok()) return target.status;
    }
    return absl::OkStatus();
  }

  size_t GoodCount() const {
    return static_cast<size_t>(std::count_if(targets_.begin(), targets_.end(),
                                             [](const Target& t) { return t.status.ok(); }));
  }
  bool AllFailed() const { return GoodCount() == 0; }

  bool MustStop() const { return !FirstFailure().ok() && (request_.options.atomic || AllFailed()); }

  // Takes away what is new in this run; `cause` says why. With --no-atomic it comes here only when
  // every target failed.
  absl::Status Undo(const absl::Status& cause) {
    std::vector<std::string> left;
    for (Target& target : targets_) {
      bool changed = false;
      absl::Status status;
      for (auto item = target.items.rbegin(); item != target.items.rend(); ++item) {
        changed = changed || item->changed();
        status.Update(item->Undo());
      }
      target.undone = changed && target.status.ok();
      if (!status.ok())
        left.push_back(absl::StrCat(target.target->name, " (", status.message(), ")"));
    }
    if (!left.empty()) {
      report_.warnings.push_back(absl::StrCat("objects of this run could not be removed from ",
                                              absl::StrJoin(left, ", ")));
    }
    const bool others = targets_.size() > 1 && !AllFailed();
    return base::WithInfo(cause,
                          {"", others ? "nothing was published; with --no-atomic the targets "
                                        "that work keep the version"
                                      : "nothing was published"});
  }

  // The record of a version as it would be with all targets that have not failed.
  absl::StatusOr<RecordFile> PlanRecord(size_t component) const {
    const LocalPackage& package = packages_[component];
    SLIPWAY_ASSIGN_OR_RETURN(RecordFile record, RecordFile::Read(request_, package.component()));
    for (const Target& target : targets_) {
      if (!target.status.ok()) continue;
      Location location =
          target.target->repository->LocationOf(package.component(), package.manifest.package.file);
      location.name = target.target->name;
      record.Add(std::move(location), target.items[component].changed());
    }
    SLIPWAY_RETURN_IF_ERROR(record.Check());
    return record;
  }

  absl::Status CheckRecords() const {
    for (size_t i = 0; i < packages_.size(); ++i) SLIPWAY_RETURN_IF_ERROR(PlanRecord(i).status());
    return absl::OkStatus();
  }

  // The record of each version, in the good targets and in the project, under the project's lock:
  // two publishers that add their targets at once both end up in it (D15).
  absl::Status WriteRecords() {
    SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::File> lock, LockRecords(request_));
    std::vector<RecordFile> records;
    const absl::Status written = WriteEach(records);
    if (written.ok() || !request_.options.atomic) return written;
    // The targets lose the versions again, so no record may name them.
    for (const RecordFile& record : records) {
      const absl::Status back = record.PutBack();
      if (back.ok()) continue;
      report_.warnings.push_back(absl::StrCat("the publish record of ",
                                              record.record().component.ToString(),
                                              " could not be put back (", back.message(), ")"));
    }
    report_.records.clear();
    return written;
  }

  absl::Status WriteEach(std::vector<RecordFile>& records) {
    for (size_t i = 0; i < packages_.size(); ++i) {
      SLIPWAY_ASSIGN_OR_RETURN(RecordFile record, PlanRecord(i));
      const size_t good = GoodCount();
      PutRecords(i, record.record());
      if (MustStop()) return FirstFailure();
      if (GoodCount() != good) {
        SLIPWAY_ASSIGN_OR_RETURN(record, PlanRecord(i));
      }
      records.push_back(record);
      SLIPWAY_ASSIGN_OR_RETURN(const bool written, record.Write());
      if (written) report_.records.push_back(RecordFileName(packages_[i].component()));
    }
    return absl::OkStatus();
  }

  void PutRecords(size_t component, const PublishRecord& record) {
    const absl::Status done =
        base::ParallelFor(request_.pool, targets_.size(), [&](size_t i) -> absl::Status {
          Target& target = targets_[i];
          TargetItem& item = target.items[component];
          if (target.status.ok()) target.status = Named(item.PutRecord(record), item, target);
          return absl::OkStatus();
        });
    done.IgnoreError();  // each target keeps its own
  }

  // Without atomic: some targets have it, others not.
  absl::Status PartFailure() const {
    std::vector<std::string> failed;
    std::string command = "complete with: deploy-tool publish";
    for (const Component& component : request_.components) {
      absl::StrAppend(&command, " ", component.ToString());
    }
    for (const Target& target : targets_) {
      if (target.status.ok()) continue;
      if (absl::IsCancelled(target.status)) return target.status;
      failed.push_back(std::string(target.status.message()));
      absl::StrAppend(&command, " --to ", target.target->name);
    }
    return Error(Dt::kStorage,
                 absl::StrCat("publish: ", failed.size(), " of ", targets_.size(),
                              " targets failed: ", absl::StrJoin(failed, "; ")),
                 command);
  }

  absl::Status WriteRelease() {
    if (!release_) return absl::OkStatus();
    SLIPWAY_RETURN_IF_ERROR(WriteReleaseFiles(request_, *release_));
    report_.release = release_->version;
    return absl::OkStatus();
  }

  void Fill() {
    for (size_t i = 0; i < packages_.size() && !targets_.empty(); ++i) {
      for (const Target& target : targets_) {
        const TargetItem& item = target.items[i];
        PublishedTo& to = report_.targets.emplace_back();
        to.component = packages_[i].component();
        to.target = target.target->name;
        to.bytes_uploaded = item.bytes_uploaded();
        to.outcome = Outcome(target, item);
        if (to.outcome == PublishOutcome::kFailed) to.status = target.status;
      }
    }
  }

  PublishOutcome Outcome(const Target& target, const TargetItem& item) const {
    if (!target.status.ok()) return PublishOutcome::kFailed;
    if (target.undone && item.changed()) return PublishOutcome::kUndone;
    if (item.already_published()) {
      return item.bytes_uploaded() > 0 ? PublishOutcome::kPublished
                                       : PublishOutcome::kAlreadyPublished;
    }
    if (request_.options.dry_run) return PublishOutcome::kPlanned;
    return item.visible() ? PublishOutcome::kPublished : PublishOutcome::kNotTried;
  }

  const PublishRequest& request_;
  PublishReport report_;
  std::vector<LocalPackage> packages_;
  std::vector<Target> targets_;
  std::optional<Release> release_;
  uint64_t bytes_total_ = 0;
};

}  // namespace

absl::string_view PublishOutcomeName(PublishOutcome outcome) {
  switch (outcome) {
    case PublishOutcome::kPublished:
      return "published";
    case PublishOutcome::kAlreadyPublished:
      return "already-published";
    case PublishOutcome::kFailed:
      return "failed";
    case PublishOutcome::kUndone:
      return "undone";
    case PublishOutcome::kNotTried:
      return "not-tried";
    case PublishOutcome::kPlanned:
      return "planned";
  }
  return "";
}

PublishReport Publish(const PublishRequest& request) { return Run(request).Execute(); }

}  // namespace slipway::deploy
