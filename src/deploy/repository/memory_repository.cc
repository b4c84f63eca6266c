#include <algorithm>
#include <map>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/sync/mutex.h"
#include "base/units.h"
#include "deploy/repository/repository.h"

namespace slipway::deploy {
namespace {

constexpr size_t kBlockBytes = 64 * base::kKiB;

class MemoryRepository : public Repository {
 public:
  MemoryRepository(std::string name, base::Clock& clock) : name_(std::move(name)), clock_(clock) {}

  absl::StatusOr<Object> Put(absl::string_view key, base::ByteSource& source, uint64_t size_bytes,
                             If condition) override {
    SLIPWAY_RETURN_IF_ERROR(CheckKey(key));
    if (condition == If::kAbsent && Stat(key).ok()) return Exists(key);
    std::string bytes;
    base::Bytes block(kBlockBytes);
    for (;;) {
      SLIPWAY_ASSIGN_OR_RETURN(const size_t got, source.Read(absl::MakeSpan(block)));
      if (got == 0) break;
      bytes.append(reinterpret_cast<const char*>(block.data()), got);
      if (bytes.size() > size_bytes) break;
    }
    if (bytes.size() != size_bytes) {
      return absl::OutOfRangeError(absl::StrCat("write ", key, ": the source is ",
                                                bytes.size() < size_bytes ? "shorter" : "longer",
                                                " than the ", size_bytes, " bytes announced"));
    }
    const base::MutexLock lock(mutex_);
    const auto at = objects_.find(std::string(key));
    if (condition == If::kAbsent && at != objects_.end()) return Exists(key);
    Stored& stored = objects_[std::string(key)];
    stored = {std::make_shared<const std::string>(std::move(bytes)), clock_.Wall()};
    return Describe(std::string(key), stored);
  }

  absl::Status Get(absl::string_view key, Range range, Sink sink) override {
    SLIPWAY_RETURN_IF_ERROR(CheckKey(key));
    SLIPWAY_ASSIGN_OR_RETURN(const Stored stored, Find(key));
    absl::string_view bytes = *stored.bytes;
    if (range.offset_bytes > bytes.size() ||
        range.size_bytes.value_or(0) > bytes.size() - range.offset_bytes) {
      return absl::OutOfRangeError(
          absl::StrCat("read ", key, ": the range reaches past the end at byte ", bytes.size()));
    }
    bytes = bytes.substr(static_cast<size_t>(range.offset_bytes),
                         static_cast<size_t>(range.size_bytes.value_or(bytes.size())));
    while (!bytes.empty()) {
      const absl::string_view block = bytes.substr(0, kBlockBytes);
      SLIPWAY_RETURN_IF_ERROR(sink(base::AsBytes(block)));
      bytes.remove_prefix(block.size());
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Object> Stat(absl::string_view key) override {
    SLIPWAY_RETURN_IF_ERROR(CheckKey(key));
    SLIPWAY_ASSIGN_OR_RETURN(const Stored stored, Find(key));
    return Describe(std::string(key), stored);
  }

  absl::StatusOr<Page> List(absl::string_view prefix, absl::string_view token) override {
    const base::MutexLock lock(mutex_);
    Page page;
    for (auto at = objects_.upper_bound(std::string(token)); at != objects_.end(); ++at) {
      if (!absl::StartsWith(at->first, prefix)) continue;
      if (page.objects.size() == kPageObjectsMax) {
        page.next_token = page.objects.back().key;
        break;
      }
      page.objects.push_back(Describe(at->first, at->second));
    }
    return page;
  }

  absl::Status Remove(absl::string_view key) override {
    SLIPWAY_RETURN_IF_ERROR(CheckKey(key));
    const base::MutexLock lock(mutex_);
    objects_.erase(std::string(key));
    return absl::OkStatus();
  }

  Location LocationOf(const Component& component, absl::string_view package_file) override {
    Location location;
    location.name = name_;
    location.type = "memory";
    location.fields = {{"object_key", ObjectKey(component, package_file)}};
    return location;
  }

 private:
  struct Stored {
    std::shared_ptr<const std::string> bytes;  // a reader goes on with what it began to read
    absl::Time modified;
  };

  static Object Describe(std::string key, const Stored& stored) {
    return {std::move(key), stored.bytes->size(), stored.modified};
  }

  static absl::Status Exists(absl::string_view key) {
    return absl::AlreadyExistsError(absl::StrCat("write ", key, ": exists"));
  }

  absl::StatusOr<Stored> Find(absl::string_view key) {
    const base::MutexLock lock(mutex_);
    const auto at = objects_.find(std::string(key));
    if (at != objects_.end()) return at->second;
    return absl::NotFoundError(absl::StrCat("read ", key, ": no object"));
  }

  const std::string name_;
  base::Clock& clock_;
  base::Mutex mutex_;
  std::map<std::string, Stored> objects_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<Repository> MakeMemoryRepository(std::string name, base::Clock& clock) {
  return std::make_unique<MemoryRepository>(std::move(name), clock);
}

}  // namespace slipway::deploy
