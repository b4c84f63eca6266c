#include "deploy/repository/target_run.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/digest/sha256.h"
#include "base/failpoint.h"
#include "base/mutant.h"
#include "base/status.h"
#include "deploy/model/errors.h"
#include "deploy/repository/codec.h"

namespace slipway::deploy {
namespace {

// Says that a version is being replaced by force. While it is there without a manifest, whatever
// else lies there is of no use to anybody, and any publish may go on.
std::string ReplaceMarkName(const Component& component) {
  return absl::StrCat(component.type, "-", component.version, ".replacing");
}

bool Names(const std::optional<SideFile>& side, const LocalObject& object) {
  return side && side->file == object.file && side->sha256 == object.sha256;
}

}  // namespace

absl::Status TargetError(const absl::Status& status, absl::string_view what) {
  Dt code = Dt::kStorage;
  switch (status.code()) {
    case absl::StatusCode::kAlreadyExists:
      code = Dt::kExists;
      break;
    case absl::StatusCode::kPermissionDenied:
      code = Dt::kPermission;
      break;
    case absl::StatusCode::kResourceExhausted:
      if (IsOutOfSpace(status)) code = Dt::kDiskSpace;
      break;
    case absl::StatusCode::kCancelled:
      code = Dt::kCancelled;
      break;
    case absl::StatusCode::kDeadlineExceeded:
      code = Dt::kTimeout;
      break;
    default:
      break;
  }
  return Wrap(status, code, what);
}

absl::Status TargetItem::Probe() {
  wanted_ = package_.objects;
  const absl::StatusOr<std::string> text =
      GetText(*target_.repository, Key(ManifestFileName(package_.component())), kManifestBytesMax);
  if (absl::IsNotFound(text.status())) {
    const auto mark = target_.repository->Stat(Key(ReplaceMarkName(package_.component())));
    replaced_ = mark.ok();
    const bool known = mark.ok() || absl::IsNotFound(mark.status());
    return known ? absl::OkStatus() : TargetError(mark.status(), "look for the version");
  }
  if (!text.ok()) return TargetError(text.status(), "look for the version");
  const absl::StatusOr<Manifest> published = ParseManifest(*text);
  if (published.ok() && published->package.sha256 == package_.manifest.package.sha256) {
    return Adopt(*published);
  }
  replaced_ = request_.options.force;
  if (replaced_) return absl::OkStatus();
  if (!published.ok()) return Wrap(published.status(), Dt::kChecksum, "read what is published");
  return Error(
      Dt::kExists,
      absl::StrCat("other content is published as ", package_.component().ToString(), ": sha256 ",
                   published->package.sha256, ", here ", package_.manifest.package.sha256),
      "published versions do not change: pack under a new version");
}

// The same package is there; its manifest there stays, and of our files only those count that it
// names. They are looked at, so that a store which lost one is made whole.
absl::Status TargetItem::Adopt(const Manifest& published) {
  already_ = true;
  const Manifest::Package& stated = published.package;
  const auto unknown = [&](const LocalObject& object) {
    const bool package = object.file == stated.file && object.sha256 == stated.sha256;
    return !package && !Names(stated.pieces, object) && !Names(stated.index, object);
  };
  wanted_.erase(std::remove_if(wanted_.begin(), wanted_.end(), unknown), wanted_.end());
  std::vector<LocalObject> missing;
  for (const LocalObject& object : wanted_) {
    const absl::StatusOr<Object> found = target_.repository->Stat(Key(object.file));
    if (absl::IsNotFound(found.status())) {
      missing.push_back(object);
    } else if (!found.ok()) {
      return TargetError(found.status(), absl::StrCat("look for ", object.file));
    } else if (found->size_bytes != object.meta.size_bytes) {
      replaced_ = request_.options.force;
      already_ = !replaced_;
      if (replaced_) {
        wanted_ = package_.objects;
        return absl::OkStatus();
      }
      return Error(Dt::kChecksum,
                   absl::StrCat("check ", object.file, ": it has ", found->size_bytes,
                                " bytes there, ", object.meta.size_bytes, " here"),
                   "write it again with --force");
    }
  }
  wanted_ = std::move(missing);
  return absl::OkStatus();
}

absl::Status TargetItem::Upload(uint64_t& done, uint64_t total) {
  if (replaced_) {
    // Nobody may see the new package under the old manifest. Whoever is cut off from here on leaves
    // no version, but one that the next publish makes whole (D18).
    changed_ = true;
    const absl::Status marked =
        PutText(*target_.repository, Key(ReplaceMarkName(package_.component())), "", If::kAny);
    SLIPWAY_RETURN_IF_ERROR(TargetError(marked, "say that the version is being replaced"));
    SLIPWAY_FAILPOINT("publish.replace.before");
    const std::string key = Key(ManifestFileName(package_.component()));
    if (!SLIPWAY_MUTANT("old-manifest-stays")) {
      SLIPWAY_RETURN_IF_ERROR(
          TargetError(target_.repository->Remove(key), "remove the old manifest"));
    }
    SLIPWAY_FAILPOINT("publish.replace.after");
  }
  // What is there already counts as done.
  uint64_t wanted_bytes = 0;
  for (const LocalObject& object : wanted_) wanted_bytes += object.meta.size_bytes;
  done += package_.bytes_total - wanted_bytes;
  if (wanted_.empty()) Report(package_.objects.front(), done, total);
  for (const LocalObject& object : wanted_) {
    SLIPWAY_RETURN_IF_ERROR(CancelError(request_.cancel));
    SLIPWAY_FAILPOINT("publish.object.before");
    SLIPWAY_RETURN_IF_ERROR(UploadObject(object, done, total));
    SLIPWAY_FAILPOINT("publish.object.after");
  }
  return absl::OkStatus();
}

absl::Status TargetItem::UploadObject(const LocalObject& object, uint64_t& done, uint64_t total) {
  const std::string what = absl::StrCat("write ", object.file);
  absl::Status status = Copy(object, replaced_ ? If::kAny : If::kAbsent, done, total);
  if (absl::IsAlreadyExists(status)) {
    // Without a manifest it is what an interrupted publish left, or another one is at work.
    const absl::StatusOr<bool> same = HasSameContent(object);
    if (!same.ok()) return TargetError(same.status(), absl::StrCat("read ", object.file));
    if (!*same && !request_.options.force) {
      return Error(Dt::kExists,
                   absl::StrCat(what, ": an unfinished publish left other content there"),
                   "replace it with --force if no other publish is running");
    }
    if (!*same) {
      replaced_ = true;
      status = Copy(object, If::kAny, done, total);
    } else {
      status = absl::OkStatus();
    }
  } else if (status.ok() && !replaced_) {
    new_keys_.push_back(Key(object.file));
  }
  if (!status.ok()) return TargetError(status, what);
  done += object.meta.size_bytes;
  Report(object, done, total);
  return absl::OkStatus();
}

absl::Status TargetItem::Copy(const LocalObject& object, If condition, uint64_t done,
                              uint64_t total) {
  // Each target reads through its own handle; the bytes come from the page cache (D13).
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::File> file,
                           request_.folders.dist.Open(object.file, base::OpenOptions()));
  SLIPWAY_RETURN_IF_ERROR(CheckUnchanged(*file, object));
  const uint64_t size = object.meta.size_bytes;
  const auto progress = [&](uint64_t bytes) -> absl::Status {
    SLIPWAY_RETURN_IF_ERROR(CancelError(request_.cancel));
    Report(object, done + bytes, total);
    // All is copied and nothing is visible: the last moment to see that other bytes were copied
    // than those that were checked.
    return bytes == size ? CheckUnchanged(*file, object) : absl::OkStatus();
  };
  SLIPWAY_RETURN_IF_ERROR(
      target_.repository->PutFile(Key(object.file), *file, size, condition, progress).status());
  bytes_uploaded_ += size;
  changed_ = true;
  return absl::OkStatus();
}

absl::StatusOr<bool> TargetItem::HasSameContent(const LocalObject& object) {
  const std::string key = Key(object.file);
  SLIPWAY_ASSIGN_OR_RETURN(const Object found, target_.repository->Stat(key));
  if (found.size_bytes != object.meta.size_bytes) return false;
  base::Sha256 hash;
  SLIPWAY_RETURN_IF_ERROR(target_.repository->Get(key, Range(), [&](base::BytesView bytes) {
    hash.Update(bytes);
    return CancelError(request_.cancel);
  }));
  return base::ToHex(hash.Finish()) == object.sha256;
}

absl::Status TargetItem::ShowManifest() {
  visible_ = already_;
  if (already_) {
    // Left by one that died behind its manifest.
    if (request_.options.force) {
      target_.repository->Remove(Key(ReplaceMarkName(package_.component()))).IgnoreError();
    }
    return absl::OkStatus();
  }
  SLIPWAY_RETURN_IF_ERROR(CancelError(request_.cancel));
  SLIPWAY_FAILPOINT("publish.manifest.before");
  const std::string key = Key(ManifestFileName(package_.component()));
  const absl::Status put =
      PutText(*target_.repository, key, package_.manifest_text, replaced_ ? If::kAny : If::kAbsent);
  if (absl::IsAlreadyExists(put)) {
    // Another publisher was faster; that is as good if it brought the same package.
    SLIPWAY_RETURN_IF_ERROR(Probe());
    visible_ = already_;
    return already_ ? absl::OkStatus() : TargetError(put, "write the manifest");
  }
  if (!put.ok()) return TargetError(put, "write the manifest");
  new_keys_.push_back(key);
  changed_ = visible_ = true;
  if (replaced_) {
    // One that stays is of no harm: it counts only where there is no manifest.
    target_.repository->Remove(Key(ReplaceMarkName(package_.component()))).IgnoreError();
  }
  SLIPWAY_FAILPOINT("publish.manifest.after");
  return absl::OkStatus();
}

absl::Status TargetItem::PutRecord(const PublishRecord& record) {
  const std::string key = Key(RecordFileName(package_.component()));
  const absl::StatusOr<std::string> text = GetText(*target_.repository, key, kRecordBytesMax);
  if (!text.ok() && !absl::IsNotFound(text.status())) {
    return TargetError(text.status(), "read the publish record");
  }
  PublishRecord merged = record;
  std::optional<base::Json> previous;
  if (text.ok()) {
    // A record there that cannot be read is replaced: all that counts is in the project's.
    const absl::StatusOr<PublishRecord> old = ParseRecord(*text);
    if (old.ok() && old->component == record.component) {
      merged = *old;
      MergeRecord(merged, record);
      previous = *base::ParseJson(*text);
    }
  }
  const std::string written = WriteRecord(merged, previous ? &*previous : nullptr);
  if (text.ok() && written == *text) return absl::OkStatus();
  SLIPWAY_RETURN_IF_ERROR(ScrubCheck(written, request_.options.secrets));
  SLIPWAY_FAILPOINT("publish.target-record.before");
  const absl::Status put = PutText(*target_.repository, key, written, If::kAny);
  if (!put.ok()) return TargetError(put, "write the publish record");
  if (text.ok()) {
    old_record_ = *text;
  } else {
    record_is_new_ = true;
  }
  changed_ = true;
  SLIPWAY_FAILPOINT("publish.target-record.after");
  return absl::OkStatus();
}

absl::Status TargetItem::Undo() {
  absl::Status first;
  const auto note = [&](const absl::Status& status) { first.Update(status); };
  const std::string manifest = Key(ManifestFileName(package_.component()));
  const std::string record = Key(RecordFileName(package_.component()));
  SLIPWAY_FAILPOINT("publish.undo.before");
  if (const auto own = std::find(new_keys_.begin(), new_keys_.end(), manifest);
      own != new_keys_.end()) {
    note(target_.repository->Remove(manifest));
    new_keys_.erase(own);
  }
  if (record_is_new_) note(target_.repository->Remove(record));
  if (old_record_) note(PutText(*target_.repository, record, *old_record_, If::kAny));
  // If somebody shows the version all the same, the objects that this run brought are in use.
  if (!new_keys_.empty() && absl::IsNotFound(target_.repository->Stat(manifest).status())) {
    for (auto key = new_keys_.rbegin(); key != new_keys_.rend(); ++key) {
      note(target_.repository->Remove(*key));
    }
  }
  SLIPWAY_FAILPOINT("publish.undo.after");
  return first;
}

void TargetItem::Report(const LocalObject& object, uint64_t done, uint64_t total) const {
  if (!request_.progress) return;
  request_.progress({target_.name, package_.component(), object.file, done, total});
}

}  // namespace slipway::deploy
