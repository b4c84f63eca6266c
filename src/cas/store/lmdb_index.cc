#include "cas/store/lmdb_index.h"

#include <lmdb.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/digest/blake3.h"
#include "base/sync/mutex.h"
#include "base/units.h"
#include "cas/store/format.h"

namespace slipway::cas {
namespace {

// Address space, not memory. Smaller ones are tried where the process may not have so much.
constexpr uint64_t kMapBytes[] = {1 * base::kTiB, 64 * base::kGiB, 4 * base::kGiB};
constexpr unsigned kReadersMax = 1024;
constexpr size_t kScanPiece = 256;
constexpr size_t kHashPieceBytes = 1 * base::kMiB;
constexpr char kTotalsKey[] = "totals";  // in `meta`: logical and stored bytes, u64 each
constexpr size_t kTotalsBytes = 16;

absl::Status LmdbError(int code, absl::string_view what) {
  if (code > 0) return base::ErrnoError(code, absl::StrCat("index: ", what));
  const std::string text = absl::StrCat("index: ", what, ": ", mdb_strerror(code));
  if (code == MDB_MAP_FULL || code == MDB_READERS_FULL || code == MDB_TXN_FULL) {
    return absl::ResourceExhaustedError(text);
  }
  return absl::DataLossError(text);
}

absl::Status Check(int code, absl::string_view what) {
  return code == MDB_SUCCESS ? absl::OkStatus() : LmdbError(code, what);
}

MDB_val ValOf(base::BytesView bytes) {
  return {bytes.size(), const_cast<uint8_t*>(bytes.data())};  // LMDB writes to no key or value
}
base::BytesView ViewOf(const MDB_val& value) {
  return {static_cast<const uint8_t*>(value.mv_data), value.mv_size};
}

// Removes the file, which may be missing.
absl::Status RemoveIfThere(base::Dir& dir, const char* name) {
  const absl::Status status = dir.Remove(name);
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

absl::StatusOr<CleanMark> MarkOfFile(base::Dir& dir) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto file, dir.Open(kIndexFile, {}));
  base::Blake3 hash;
  base::Bytes piece(kHashPieceBytes);
  CleanMark mark;
  for (;;) {
    SLIPWAY_ASSIGN_OR_RETURN(const size_t got,
                             file->ReadAt(mark.index_bytes, absl::MakeSpan(piece)));
    if (got == 0) break;
    hash.Update(base::BytesView(piece.data(), got));
    mark.index_bytes += got;
  }
  mark.index_hash = hash.Finish();
  return mark;
}

absl::Status CheckFilesystem(const std::string& root) {
  struct statfs info {};
  if (statfs(root.c_str(), &info) != 0) {
    return base::ErrnoError(errno, absl::StrCat("index: statfs ", root));
  }
  if (!IsNetworkFilesystem(static_cast<uint64_t>(info.f_type))) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("index in ", root,
                   ": this is a network file system, on which neither locks nor "
                   "mapped files hold; put the store on a local disk"));
}

class LmdbIndex : public Index {
 public:
  LmdbIndex(std::unique_ptr<base::Dir> dir, std::optional<uint64_t> token)
      : dir_(std::move(dir)), token_(token) {}
  ~LmdbIndex() override { Close(); }

  absl::Status Open(const std::string& path);

  absl::StatusOr<std::optional<IndexRecord>> Find(const Hash& hash) override;
  absl::Status Apply(absl::Span<const Entry> put, absl::Span<const Hash> erase,
                     bool durable) override;
  absl::Status Scan(const Hash& from,
                    absl::FunctionRef<bool(const Hash&, const IndexRecord&)> visit) override;
  absl::StatusOr<IndexStats> Stats() override;
  absl::Status Clear() override;
  absl::StatusOr<bool> TakeCleanMark(uint64_t token) override;
  absl::Status PutCleanMark(uint64_t token) override;

 private:
  // A read transaction, short: it keeps pages from being used again. Reset ones are kept, since
  // beginning one anew takes a slot under a lock.
  class Reading {
   public:
    explicit Reading(LmdbIndex& index) : index_(index) {}
    ~Reading();
    absl::Status Begin();
    MDB_txn* txn() const { return txn_; }

   private:
    LmdbIndex& index_;
    MDB_txn* txn_ = nullptr;
  };
  struct Totals {
    uint64_t logical_bytes = 0;
    uint64_t stored_bytes = 0;
  };
  // Calls `body` in a write transaction and commits it when that is OK; with `durable`, to disk.
  absl::Status Write(bool durable, absl::FunctionRef<absl::Status(MDB_txn*, Totals&)> body);
  absl::StatusOr<std::optional<IndexRecord>> FindIn(MDB_txn* txn, const Hash& hash);
  absl::Status PutIn(MDB_txn* txn, const Hash& hash, const IndexRecord& record, Totals& totals);
  absl::Status EraseIn(MDB_txn* txn, const Hash& hash, Totals& totals);
  absl::StatusOr<Totals> TotalsIn(MDB_txn* txn);
  absl::Status ScanPiece(const Hash& from, std::vector<Entry>& piece);
  void Close();

  const std::unique_ptr<base::Dir> dir_;
  std::optional<uint64_t> token_;  // of the mark that was found
  MDB_env* env_ = nullptr;
  MDB_dbi blobs_ = 0;
  MDB_dbi meta_ = 0;
  base::Mutex mutex_;
  std::vector<MDB_txn*> resting_ ABSL_GUARDED_BY(mutex_);
};

LmdbIndex::Reading::~Reading() {
  if (txn_ == nullptr) return;
  mdb_txn_reset(txn_);
  const base::MutexLock lock(index_.mutex_);
  index_.resting_.push_back(txn_);
}

absl::Status LmdbIndex::Reading::Begin() {
  MDB_txn* resting = nullptr;
  {
    const base::MutexLock lock(index_.mutex_);
    if (!index_.resting_.empty()) {
      resting = index_.resting_.back();
      index_.resting_.pop_back();
    }
  }
  if (resting == nullptr) {
    SLIPWAY_RETURN_IF_ERROR(
        Check(mdb_txn_begin(index_.env_, nullptr, MDB_RDONLY, &resting), "begin a read"));
  } else if (const int code = mdb_txn_renew(resting); code != MDB_SUCCESS) {
    mdb_txn_abort(resting);
    return LmdbError(code, "renew a read");
  }
  txn_ = resting;
  return absl::OkStatus();
}

absl::Status LmdbIndex::Open(const std::string& path) {
  int code = MDB_SUCCESS;
  for (const uint64_t bytes : kMapBytes) {
    Close();
    SLIPWAY_RETURN_IF_ERROR(Check(mdb_env_create(&env_), "create"));
    mdb_env_set_mapsize(env_, bytes);
    mdb_env_set_maxdbs(env_, 8);
    mdb_env_set_maxreaders(env_, kReadersMax);
    // No read-ahead: what is mapped counts as memory of the process, and lookups are random.
    code = mdb_env_open(env_, path.c_str(), MDB_NOSUBDIR | MDB_NOTLS | MDB_NORDAHEAD, 0644);
    if (code != ENOMEM) break;
  }
  SLIPWAY_RETURN_IF_ERROR(Check(code, "open"));
  MDB_txn* txn = nullptr;
  SLIPWAY_RETURN_IF_ERROR(Check(mdb_txn_begin(env_, nullptr, 0, &txn), "begin"));
  code = mdb_dbi_open(txn, "blob", MDB_CREATE, &blobs_);
  if (code == MDB_SUCCESS) code = mdb_dbi_open(txn, "meta", MDB_CREATE, &meta_);
  if (code != MDB_SUCCESS) {
    mdb_txn_abort(txn);
    return LmdbError(code, "open the databases");
  }
  return Check(mdb_txn_commit(txn), "commit");
}

void LmdbIndex::Close() {
  if (env_ == nullptr) return;
  {
    const base::MutexLock lock(mutex_);
    for (MDB_txn* txn : resting_) mdb_txn_abort(txn);
    resting_.clear();
  }
  mdb_env_close(env_);
  env_ = nullptr;
}

absl::StatusOr<std::optional<IndexRecord>> LmdbIndex::FindIn(MDB_txn* txn, const Hash& hash) {
  MDB_val key = ValOf(hash);
  MDB_val value;
  const int code = mdb_get(txn, blobs_, &key, &value);
  if (code == MDB_NOTFOUND) return std::optional<IndexRecord>();
  SLIPWAY_RETURN_IF_ERROR(Check(code, "find"));
  SLIPWAY_ASSIGN_OR_RETURN(const IndexRecord record, DecodeRecord(ViewOf(value)));
  return std::optional<IndexRecord>(record);
}

absl::StatusOr<std::optional<IndexRecord>> LmdbIndex::Find(const Hash& hash) {
  Reading reading(*this);
  SLIPWAY_RETURN_IF_ERROR(reading.Begin());
  return FindIn(reading.txn(), hash);
}

absl::StatusOr<LmdbIndex::Totals> LmdbIndex::TotalsIn(MDB_txn* txn) {
  MDB_val key = ValOf(base::AsBytes(kTotalsKey));
  MDB_val value;
  const int code = mdb_get(txn, meta_, &key, &value);
  if (code == MDB_NOTFOUND) return Totals{};
  SLIPWAY_RETURN_IF_ERROR(Check(code, "read the totals"));
  if (value.mv_size != kTotalsBytes) return absl::DataLossError("index: totals of another length");
  const uint8_t* bytes = ViewOf(value).data();
  return Totals{base::LoadLittle<uint64_t>(bytes), base::LoadLittle<uint64_t>(bytes + 8)};
}

absl::Status LmdbIndex::EraseIn(MDB_txn* txn, const Hash& hash, Totals& totals) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::optional<IndexRecord> old, FindIn(txn, hash));
  if (!old) return absl::OkStatus();
  totals.logical_bytes -= old->size_bytes;
  totals.stored_bytes -= old->stored_bytes;
  MDB_val key = ValOf(hash);
  return Check(mdb_del(txn, blobs_, &key, nullptr), "erase");
}

absl::Status LmdbIndex::PutIn(MDB_txn* txn, const Hash& hash, const IndexRecord& record,
                              Totals& totals) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::optional<IndexRecord> old, FindIn(txn, hash));
  if (old) {
    totals.logical_bytes -= old->size_bytes;
    totals.stored_bytes -= old->stored_bytes;
  }
  totals.logical_bytes += record.size_bytes;
  totals.stored_bytes += record.stored_bytes;
  const RecordBytes bytes = EncodeRecord(record);
  MDB_val key = ValOf(hash);
  MDB_val value = ValOf(bytes);
  return Check(mdb_put(txn, blobs_, &key, &value, 0), "put");
}

absl::Status LmdbIndex::Write(bool durable,
                              absl::FunctionRef<absl::Status(MDB_txn*, Totals&)> body) {
  MDB_txn* txn = nullptr;
  const unsigned flags = durable ? 0 : MDB_NOSYNC;
  SLIPWAY_RETURN_IF_ERROR(Check(mdb_txn_begin(env_, nullptr, flags, &txn), "begin"));
  absl::StatusOr<Totals> totals = TotalsIn(txn);
  absl::Status status = totals.status();
  if (status.ok()) status = body(txn, *totals);
  if (status.ok()) {
    uint8_t bytes[kTotalsBytes];
    base::StoreLittle(bytes, totals->logical_bytes);
    base::StoreLittle(bytes + 8, totals->stored_bytes);
    MDB_val key = ValOf(base::AsBytes(kTotalsKey));
    MDB_val value = ValOf(bytes);
    status = Check(mdb_put(txn, meta_, &key, &value, 0), "put the totals");
  }
  if (!status.ok()) {
    mdb_txn_abort(txn);
    return status;
  }
  return Check(mdb_txn_commit(txn), "commit");
}

absl::Status LmdbIndex::Apply(absl::Span<const Entry> put, absl::Span<const Hash> erase,
                              bool durable) {
  return Write(durable, [&](MDB_txn* txn, Totals& totals) -> absl::Status {
    for (const auto& [hash, record] : put) {
      SLIPWAY_RETURN_IF_ERROR(PutIn(txn, hash, record, totals));
    }
    for (const Hash& hash : erase) SLIPWAY_RETURN_IF_ERROR(EraseIn(txn, hash, totals));
    return absl::OkStatus();
  });
}

absl::Status LmdbIndex::ScanPiece(const Hash& from, std::vector<Entry>& piece) {
  Reading reading(*this);
  SLIPWAY_RETURN_IF_ERROR(reading.Begin());
  MDB_cursor* cursor = nullptr;
  SLIPWAY_RETURN_IF_ERROR(Check(mdb_cursor_open(reading.txn(), blobs_, &cursor), "scan"));
  MDB_val key = ValOf(from);
  MDB_val value;
  absl::Status status;
  int code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
  while (code == MDB_SUCCESS && status.ok() && piece.size() < kScanPiece) {
    const absl::StatusOr<IndexRecord> record = DecodeRecord(ViewOf(value));
    if (!record.ok() || key.mv_size != kHashBytes) {
      status = absl::DataLossError("index: an entry is none");
      break;
    }
    Entry& entry = piece.emplace_back(Hash{}, *record);
    std::copy_n(ViewOf(key).data(), kHashBytes, entry.first.begin());
    code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
  }
  mdb_cursor_close(cursor);
  if (code != MDB_SUCCESS && code != MDB_NOTFOUND) status.Update(LmdbError(code, "scan"));
  return status;
}

absl::Status LmdbIndex::Scan(const Hash& from,
                             absl::FunctionRef<bool(const Hash&, const IndexRecord&)> visit) {
  Hash next = from;
  std::vector<Entry> piece;
  for (;;) {
    piece.clear();
    SLIPWAY_RETURN_IF_ERROR(ScanPiece(next, piece));
    for (const auto& [hash, record] : piece) {
      if (!visit(hash, record)) return absl::OkStatus();
    }
    if (piece.size() < kScanPiece) return absl::OkStatus();
    // The hash after the last one; there is none after the one of all ones.
    next = piece.back().first;
    size_t i = next.size();
    while (i > 0 && ++next[i - 1] == 0) --i;
    if (i == 0) return absl::OkStatus();
  }
}

absl::StatusOr<IndexStats> LmdbIndex::Stats() {
  Reading reading(*this);
  SLIPWAY_RETURN_IF_ERROR(reading.Begin());
  MDB_stat stat;
  SLIPWAY_RETURN_IF_ERROR(Check(mdb_stat(reading.txn(), blobs_, &stat), "count"));
  SLIPWAY_ASSIGN_OR_RETURN(const Totals totals, TotalsIn(reading.txn()));
  return IndexStats{stat.ms_entries, totals.logical_bytes, totals.stored_bytes};
}

absl::Status LmdbIndex::Clear() {
  return Write(/*durable=*/true, [&](MDB_txn* txn, Totals& totals) {
    totals = {};
    return Check(mdb_drop(txn, blobs_, 0), "clear");
  });
}

absl::StatusOr<bool> LmdbIndex::TakeCleanMark(uint64_t token) {
  SLIPWAY_RETURN_IF_ERROR(RemoveIfThere(*dir_, kIndexMarkFile));
  SLIPWAY_RETURN_IF_ERROR(dir_->Sync());
  return std::exchange(token_, std::nullopt) == token;
}

absl::Status LmdbIndex::PutCleanMark(uint64_t token) {
  SLIPWAY_RETURN_IF_ERROR(Check(mdb_env_sync(env_, /*force=*/1), "sync"));
  Close();  // from here on the file stays as it is
  SLIPWAY_ASSIGN_OR_RETURN(CleanMark mark, MarkOfFile(*dir_));
  mark.token = token;
  return base::WriteFileDurably(*dir_, kIndexMarkFile, EncodeMark(mark), 0644);
}

// The token of the mark, when the file is what the mark says. Else there is no file after it.
absl::StatusOr<std::optional<uint64_t>> CheckFile(base::Dir& dir) {
  const auto text = base::ReadFile(dir, kIndexMarkFile, 1 * base::kKiB);
  if (!text.ok() && !absl::IsNotFound(text.status())) return text.status();
  const absl::StatusOr<CleanMark> mark =
      text.ok() ? DecodeMark(base::AsBytes(*text)) : absl::StatusOr<CleanMark>(text.status());
  if (!mark.ok()) {
    SLIPWAY_RETURN_IF_ERROR(RemoveIfThere(dir, kIndexFile));
    return std::optional<uint64_t>();
  }
  absl::StatusOr<CleanMark> found = MarkOfFile(dir);
  if (absl::IsNotFound(found.status())) return std::optional<uint64_t>();
  SLIPWAY_RETURN_IF_ERROR(found.status());
  found->token = mark->token;
  if (*found != *mark) {
    return absl::DataLossError("index: the file is not what was closed; it can be rebuilt");
  }
  return std::optional<uint64_t>(mark->token);
}

}  // namespace

bool IsNetworkFilesystem(uint64_t magic) {
  // statfs(2). 9p is left out: sandboxes show local disks by it.
  constexpr uint64_t kMagics[] = {
      0x6969,      // NFS
      0x517b,      // SMB
      0xff534d42,  // CIFS
      0xfe534d42,  // SMB2
      0x00c36400,  // Ceph
      0x5346414f,  // AFS
      0x6b414653,  // kAFS
      0x73757245,  // Coda
      0x7461636f,  // OCFS2
      0x01161970,  // GFS2
      0x0bd00bd0,  // Lustre
      0x564c,      // NCP
  };
  // Some kernels sign-extend the 32 bits.
  return std::find(std::begin(kMagics), std::end(kMagics), magic & 0xffffffff) != std::end(kMagics);
}

base::Owned<Index> OpenLmdbIndex(base::Files& files, const std::string& root) {
  SLIPWAY_RETURN_IF_ERROR(CheckFilesystem(root));
  SLIPWAY_ASSIGN_OR_RETURN(std::unique_ptr<base::Dir> dir, files.OpenRoot(root));
  SLIPWAY_ASSIGN_OR_RETURN(const std::optional<uint64_t> token, CheckFile(*dir));
  // Left by a killed holder; nobody else has it, since the store is locked.
  SLIPWAY_RETURN_IF_ERROR(RemoveIfThere(*dir, kIndexLockFile));
  auto index = std::make_unique<LmdbIndex>(std::move(dir), token);
  SLIPWAY_RETURN_IF_ERROR(index->Open(base::JoinPath(root, kIndexFile)));
  return index;
}

}  // namespace slipway::cas
