#include "platform/deploy_on_cas.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/digest/blake3.h"
#include "base/status.h"
#include "base/sync/mutex.h"
#include "base/units.h"
#include "cas/digest.h"
#include "deploy/model/errors.h"

namespace slipway::platform {
namespace {

using deploy::Dt;

constexpr char kType[] = "cas";
constexpr char kPackage[] = "package_digest";
constexpr char kIndex[] = "index_digest";
constexpr char kPieces[] = "pieces_digest";
constexpr char kManifest[] = "manifest_digest";
constexpr size_t kBlockBytes = base::kMiB;

// What a key is of, by the names of D17.
struct KeyParts {
  deploy::Component component;
  std::string file;
  const char* field = nullptr;  // of the location; null: a name (record, release), not content
};

KeyParts Split(absl::string_view key) {
  KeyParts parts;
  const std::vector<absl::string_view> words = absl::StrSplit(key, '/');
  if (words.size() != 3) return parts;
  parts.component = {std::string(words[0]), std::string(words[1])};
  parts.file = std::string(words[2]);
  if (parts.file == deploy::RecordFileName(parts.component)) return parts;
  if (parts.file == deploy::ManifestFileName(parts.component)) {
    parts.field = kManifest;
  } else if (parts.file == deploy::IndexFileName(parts.component)) {
    parts.field = kIndex;
  } else if (parts.file == deploy::PiecesFileName(parts.component)) {
    parts.field = kPieces;
  } else {
    parts.field = kPackage;
  }
  return parts;
}

// Reads `source` from its beginning in blocks.
absl::Status ForEachBlock(base::File& source, uint64_t size_bytes,
                          absl::FunctionRef<absl::Status(base::BytesView, uint64_t end)> visit) {
  base::Bytes block(static_cast<size_t>(std::min<uint64_t>(kBlockBytes, size_bytes)));
  for (uint64_t at = 0; at < size_bytes;) {
    const auto wanted = static_cast<size_t>(std::min<uint64_t>(block.size(), size_bytes - at));
    SLIPWAY_ASSIGN_OR_RETURN(const size_t got,
                             source.ReadAt(at, absl::MakeSpan(block.data(), wanted)));
    if (got == 0) {
      return absl::OutOfRangeError(
          absl::StrCat("the source is shorter than the ", size_bytes, " bytes announced"));
    }
    at += got;
    SLIPWAY_RETURN_IF_ERROR(visit(base::BytesView(block.data(), got), at));
  }
  return absl::OkStatus();
}

// Errors of the store in the words of deploy, which goes by its own ids; those that have one
// already (of a callback) keep it.
absl::Status FromCas(const absl::Status& status, absl::string_view what) {
  const base::ErrorInfo info = base::GetErrorInfo(status);
  if (status.ok() || absl::StartsWith(info.code, "DT")) return base::Annotate(status, what);
  const std::string text = absl::StrCat(what, ": ", status.message());
  if (absl::IsDataLoss(status)) {
    return deploy::Error(Dt::kChecksum, text,
                         "publish the version again, or deploy it from another store");
  }
  return base::MakeError(status.code(), text, {"", info.hint});
}

class CasRepository : public deploy::Repository {
 public:
  CasRepository(std::unique_ptr<cas::BlobStore> store, CasRepositoryOptions options,
                base::Clock& clock)
      : store_(std::move(store)), options_(std::move(options)), clock_(clock) {}

  absl::StatusOr<deploy::Object> Put(absl::string_view key, base::ByteSource& source,
                                     uint64_t size_bytes, deploy::If condition) override {
    SLIPWAY_RETURN_IF_ERROR(deploy::CheckKey(key));
    SLIPWAY_RETURN_IF_ERROR(CheckCondition(key, condition));
    if (size_bytes > kStreamBytesMax) {
      return absl::ResourceExhaustedError(absl::StrCat("write ", key, ": a stream of ", size_bytes,
                                                       " bytes is over the limit of ",
                                                       kStreamBytesMax, "; write it from a file"));
    }
    SLIPWAY_ASSIGN_OR_RETURN(base::Bytes bytes, ReadAll(key, source, size_bytes));
    if (Split(key).field == nullptr) return Remember(key, NameOnly(std::move(bytes)));
    const cas::Digest digest = cas::DigestOf(bytes);
    SLIPWAY_RETURN_IF_ERROR(
        FromCas(cas::PutBytes(*store_, digest, bytes), absl::StrCat("write ", key)));
    return Remember(key, Blob(digest));
  }

  absl::StatusOr<deploy::Object> PutFile(absl::string_view key, base::File& source,
                                         uint64_t size_bytes, deploy::If condition,
                                         deploy::CopyProgress progress) override {
    SLIPWAY_RETURN_IF_ERROR(deploy::CheckKey(key));
    SLIPWAY_RETURN_IF_ERROR(CheckCondition(key, condition));
    if (Split(key).field == nullptr) {
      return Repository::PutFile(key, source, size_bytes, condition, progress);
    }
    const std::string what = absl::StrCat("write ", key);
    base::Blake3 hash;
    SLIPWAY_RETURN_IF_ERROR(base::Annotate(ForEachBlock(source, size_bytes,
                                                        [&](base::BytesView bytes, uint64_t) {
                                                          hash.Update(bytes);
                                                          return progress(0);  // a chance to cancel
                                                        }),
                                           what));
    const cas::Digest digest{hash.Finish(), size_bytes};
    base::Owned<cas::BlobWriter> writer = store_->Store(digest);
    if (absl::IsAlreadyExists(writer.status())) {
      SLIPWAY_RETURN_IF_ERROR(progress(size_bytes));
      return Remember(key, Blob(digest));
    }
    if (!writer.ok()) return FromCas(writer.status(), what);
    const absl::Status sent =
        ForEachBlock(source, size_bytes, [&](base::BytesView bytes, uint64_t end) {
          SLIPWAY_RETURN_IF_ERROR((*writer)->Append(bytes));
          return end == size_bytes ? absl::OkStatus() : progress(end);
        });
    SLIPWAY_RETURN_IF_ERROR(FromCas(sent, what));
    SLIPWAY_RETURN_IF_ERROR(progress(size_bytes));
    SLIPWAY_RETURN_IF_ERROR(FromCas((*writer)->Commit(), what));
    return Remember(key, Blob(digest));
  }

  absl::Status Get(absl::string_view key, deploy::Range range, deploy::Sink sink) override {
    SLIPWAY_RETURN_IF_ERROR(deploy::CheckKey(key));
    SLIPWAY_ASSIGN_OR_RETURN(const Entry entry, Find(key));
    const uint64_t size = entry.digest.size_bytes;
    if (range.offset_bytes > size || range.size_bytes.value_or(0) > size - range.offset_bytes) {
      return absl::OutOfRangeError(
          absl::StrCat("read ", key, ": the range reaches past the end at byte ", size));
    }
    const uint64_t count = range.size_bytes.value_or(size - range.offset_bytes);
    const std::string what = absl::StrCat("read ", key);
    if (entry.text != nullptr) {
      const auto bytes =
          base::BytesView(*entry.text)
              .subspan(static_cast<size_t>(range.offset_bytes), static_cast<size_t>(count));
      return bytes.empty() ? absl::OkStatus() : sink(bytes);
    }
    if (count == 0) {
      const auto there = store_->Check(entry.digest);
      if (!there.ok()) return FromCas(there.status(), what);
      return *there ? absl::OkStatus() : NotThere(key, entry.digest);
    }
    cas::BlobRange part{range.offset_bytes, {}};
    if (count < size - range.offset_bytes) part.length = count;
    auto reader = store_->Fetch(entry.digest, part);
    if (absl::IsNotFound(reader.status())) return NotThere(key, entry.digest);
    if (!reader.ok()) return FromCas(reader.status(), what);
    base::Bytes block(static_cast<size_t>(std::min<uint64_t>(kBlockBytes, count)));
    for (;;) {
      const auto got = (*reader)->Read(absl::MakeSpan(block));
      if (!got.ok()) return FromCas(got.status(), what);
      if (*got == 0) return absl::OkStatus();
      SLIPWAY_RETURN_IF_ERROR(sink(base::BytesView(block.data(), *got)));
    }
  }

  absl::StatusOr<deploy::Object> Stat(absl::string_view key) override {
    SLIPWAY_RETURN_IF_ERROR(deploy::CheckKey(key));
    SLIPWAY_ASSIGN_OR_RETURN(const Entry entry, Find(key));
    if (entry.text == nullptr) {
      const auto there = store_->Check(entry.digest);
      if (!there.ok()) return FromCas(there.status(), absl::StrCat("look for ", key));
      if (!*there) return NotThere(key, entry.digest);
    }
    return deploy::Object{std::string(key), entry.digest.size_bytes, entry.modified};
  }

  absl::StatusOr<deploy::Page> List(absl::string_view prefix, absl::string_view) override {
    return base::MakeError(
        absl::StatusCode::kUnimplemented,
        absl::StrCat("list ", prefix, " in ", options_.name,
                     ": a content-addressed store has no names to list"),
        {deploy::DtName(Dt::kStorage), "name the version: type:1.0.0 instead of type:latest"});
  }

  absl::Status Remove(absl::string_view key) override {
    SLIPWAY_RETURN_IF_ERROR(deploy::CheckKey(key));
    const base::MutexLock lock(mutex_);
    entries_[std::string(key)] = std::nullopt;
    return absl::OkStatus();
  }

  deploy::Location LocationOf(const deploy::Component& component,
                              absl::string_view package_file) override {
    deploy::Location location;
    location.name = options_.name;
    location.type = kType;
    location.fields = {{"endpoint", options_.endpoint}};
    const std::pair<const char*, std::string> files[] = {
        {kPackage, std::string(package_file)},
        {kIndex, deploy::IndexFileName(component)},
        {kPieces, deploy::PiecesFileName(component)},
        {kManifest, deploy::ManifestFileName(component)}};
    for (const auto& [field, file] : files) {
      const absl::StatusOr<Entry> entry = Find(deploy::ObjectKey(component, file));
      if (entry.ok()) location.fields.emplace_back(field, entry->digest.ToString());
    }
    return location;
  }

 private:
  struct Entry {
    cas::Digest digest;
    absl::Time modified;
    std::shared_ptr<const base::Bytes> text;  // of a name; null: the bytes are in the store
  };

  Entry Blob(const cas::Digest& digest) { return {digest, clock_.Wall(), nullptr}; }
  Entry NameOnly(base::Bytes bytes) {
    const cas::Digest digest = cas::DigestOf(bytes);
    return {digest, clock_.Wall(), std::make_shared<const base::Bytes>(std::move(bytes))};
  }

  deploy::Object Remember(absl::string_view key, Entry entry) {
    deploy::Object object{std::string(key), entry.digest.size_bytes, entry.modified};
    const base::MutexLock lock(mutex_);
    entries_[object.key] = std::move(entry);
    return object;
  }

  absl::Status CheckCondition(absl::string_view key, deploy::If condition) {
    if (condition == deploy::If::kAny) return absl::OkStatus();
    const absl::StatusOr<deploy::Object> there = Stat(key);
    if (absl::IsNotFound(there.status())) return absl::OkStatus();
    if (!there.ok()) return there.status();
    return absl::AlreadyExistsError(absl::StrCat("write ", key, ": exists"));
  }

  static absl::StatusOr<base::Bytes> ReadAll(absl::string_view key, base::ByteSource& source,
                                             uint64_t size_bytes) {
    base::Bytes bytes(static_cast<size_t>(size_bytes) + 1);  // room to see that there is more
    size_t filled = 0;
    while (filled < bytes.size()) {
      SLIPWAY_ASSIGN_OR_RETURN(const size_t got,
                               source.Read(absl::MakeSpan(bytes).subspan(filled)));
      if (got == 0) break;
      filled += got;
    }
    if (filled != size_bytes) {
      return absl::OutOfRangeError(absl::StrCat("write ", key, ": the source is ",
                                                filled < size_bytes ? "shorter" : "longer",
                                                " than the ", size_bytes, " bytes announced"));
    }
    bytes.resize(filled);
    return bytes;
  }

  // The digest of `key`. NotFound; DT007: the record, or its digest, cannot be read.
  absl::StatusOr<Entry> Find(absl::string_view key) {
    {
      const base::MutexLock lock(mutex_);
      if (const auto at = entries_.find(std::string(key)); at != entries_.end()) {
        if (at->second) return *at->second;
        return absl::NotFoundError(absl::StrCat("read ", key, ": no object"));
      }
    }
    const KeyParts parts = Split(key);
    if (parts.field == nullptr || !options_.record) return NoName(key);
    SLIPWAY_ASSIGN_OR_RETURN(const auto record, options_.record(parts.component));
    if (!record) return NoName(key);
    const std::string* text = FieldOf(*record, parts.field);
    if (text == nullptr) return NoName(key);
    const absl::StatusOr<cas::Digest> digest = cas::ParseDigest(*text);
    if (digest.ok()) return Entry{*digest, record->published_at, nullptr};
    return deploy::Error(Dt::kChecksum,
                         absl::StrCat("read ", key, ": ", parts.field,
                                      " of its publish record: ", digest.status().message()),
                         "restore the record, or publish the version again");
  }

  const std::string* FieldOf(const deploy::PublishRecord& record, absl::string_view field) const {
    const std::string* any = nullptr;
    for (const deploy::Location& location : record.locations) {
      if (location.type != kType) continue;
      for (const auto& [key, value] : location.fields) {
        if (key != field) continue;
        if (location.name == options_.name) return &value;
        if (any == nullptr) any = &value;
      }
    }
    return any;
  }

  absl::Status NoName(absl::string_view key) const {
    return absl::NotFoundError(absl::StrCat("read ", key, " from ", options_.name,
                                            ": no publish record of the project names its digest"));
  }
  absl::Status NotThere(absl::string_view key, const cas::Digest& digest) const {
    // With an id: that something is lost is more than that nobody published it.
    return deploy::Error(Dt::kNotFound,
                         absl::StrCat("read ", key, " from ", options_.name, ": blob ",
                                      digest.ToString(), " is not there"),
                         "publish the version again, or deploy it from another store");
  }

  const std::unique_ptr<cas::BlobStore> store_;
  const CasRepositoryOptions options_;
  base::Clock& clock_;
  base::Mutex mutex_;
  // By key; absent value: removed, whatever a record says.
  std::map<std::string, std::optional<Entry>> entries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<deploy::Repository> RepositoryOnCas(std::unique_ptr<cas::BlobStore> store,
                                                    CasRepositoryOptions options,
                                                    base::Clock& clock) {
  return std::make_unique<CasRepository>(std::move(store), std::move(options), clock);
}

}  // namespace slipway::platform
