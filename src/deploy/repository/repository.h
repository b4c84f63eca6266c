// Where published packages lie: objects under keys (D17). What the spec calls a store.
// Thread-safe; calls block: not on a loop.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/codec/codec.h"
#include "base/files.h"
#include "deploy/model/manifest.h"

namespace slipway::deploy {

struct Object {
  std::string key;
  uint64_t size_bytes = 0;
  absl::Time modified;
};

struct Page {
  std::vector<Object> objects;  // by key, bytewise
  std::string next_token;       // empty: the last page
};

struct Range {
  uint64_t offset_bytes = 0;
  std::optional<uint64_t> size_bytes;  // absent: to the end
};

enum class If : uint8_t { kAny, kAbsent };  // kAbsent: create once, AlreadyExists otherwise

// Receives the bytes of a Get in order; an error stops it and is returned by Get.
using Sink = absl::FunctionRef<absl::Status(base::BytesView)>;
using CopyProgress = absl::FunctionRef<absl::Status(uint64_t bytes_done)>;

// Keys: "a/b/c", at most 1024 bytes, components of at most 200 that do not begin with a dot.
class Repository {
 public:
  virtual ~Repository() = default;
  // Stores all bytes of `source`, which are `size_bytes` long, under `key`; durable and visible at
  // once after OK. After an error a new object is not visible, an old one is still there whole (or,
  // where only the last sync failed, the new one is in its place). Codes: AlreadyExists;
  // PermissionDenied; ResourceExhausted (space, quota); Unavailable (cannot be reached);
  // InvalidArgument (key); OutOfRange (`source` is shorter or longer than `size_bytes`).
  virtual absl::StatusOr<Object> Put(absl::string_view key, base::ByteSource& source,
                                     uint64_t size_bytes, If condition) = 0;
  // The same from the first `size_bytes` of a file, copied in the kernel where that is possible.
  // `progress` gets the number of bytes taken so far, now and then and always at the end, before
  // anything is visible; an error of it stops the copy and is returned.
  virtual absl::StatusOr<Object> PutFile(absl::string_view key, base::File& source,
                                         uint64_t size_bytes, If condition, CopyProgress progress);
  // NotFound; OutOfRange (`range` reaches past the end); Unavailable.
  virtual absl::Status Get(absl::string_view key, Range range, Sink sink) = 0;
  virtual absl::StatusOr<Object> Stat(absl::string_view key) = 0;
  // Objects whose key begins with `prefix`, at most 1000 a page, after `token` of the page before.
  virtual absl::StatusOr<Page> List(absl::string_view prefix, absl::string_view token) = 0;
  // NotFound is OK. Durable after OK.
  virtual absl::Status Remove(absl::string_view key) = 0;
  // The location that a publish record states for a version's package object.
  virtual Location LocationOf(const Component& component, absl::string_view package_file) = 0;
};

inline constexpr size_t kPageObjectsMax = 1000;

// A directory as a repository: the object a/b is the file a/b beneath it. It is created when
// missing. `file_mode` of objects (D51), exactly; directories that are made get it too, and may be
// searched by whoever may read. They stay when their objects go, and lose what a killed publish
// left in them when the next object comes.
base::Owned<Repository> OpenFilesystemRepository(base::Files& files, std::string name,
                                                 const std::string& path,
                                                 uint32_t file_mode = 0644);

// Opens the directory `path`, made with `mode` when it is missing, as are missing parents.
base::Owned<base::Dir> MakeRootWithMode(base::Files& files, const std::string& path, uint32_t mode);

// Keeps objects in memory: for tests; the second implementation of the contract.
std::unique_ptr<Repository> MakeMemoryRepository(std::string name, base::Clock& clock);

// ---- Helpers over any repository ----
// ResourceExhausted when the object is larger than `limit_bytes`; what comes first goes to `sink`.
absl::Status GetAtMost(Repository& repository, absl::string_view key, uint64_t limit_bytes,
                       Sink sink);
// The same as one text.
absl::StatusOr<std::string> GetText(Repository& repository, absl::string_view key,
                                    uint64_t limit_bytes);
absl::Status PutText(Repository& repository, absl::string_view key, absl::string_view text,
                     If condition);
// InvalidArgument with the reason; for implementations.
absl::Status CheckKey(absl::string_view key);

}  // namespace slipway::deploy
