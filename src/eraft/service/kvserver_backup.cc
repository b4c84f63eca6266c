// Where the backups of a kvserver come from (E193).
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "eraft/backup/backup_source.h"
#include "eraft/service/kvserver_impl.h"
#include "eraft/store/snapshot.h"

namespace slipway::eraft {
namespace {

// A snapshot may go while it is being opened, but only because a newer one has come.
constexpr int kAttempts = 5;

}  // namespace

base::Owned<BackupSource> KvServerImpl::OpenBackup(raft::Index at_least,
                                                   std::set<base::Sha256Digest> known,
                                                   BackupHeader& header) {
  absl::Status status;
  for (int i = 0; i < kAttempts; ++i) {
    SLIPWAY_ASSIGN_OR_RETURN(const std::vector<SnapshotName> names,
                             ListSnapshots(*data_.dir, kKvGroup));
    if (names.empty() || names.back().index < at_least) {
      return absl::UnavailableError(
          absl::StrCat("back up: the snapshot of entry ", at_least, " is gone; try again"));
    }
    const uint64_t number = backup_number_.fetch_add(1);
    auto source = BackupSource::Open(*data_.dir, names.back(), known, number);
    status = source.status();
    if (absl::IsNotFound(status)) continue;
    SLIPWAY_RETURN_IF_ERROR(status);
    const Manifest& manifest = (*source)->manifest();
    header.cluster = data_.cluster;
    header.node = plan_.id;
    header.group = kKvGroup;
    header.term = manifest.term;
    header.index = manifest.index;
    header.engine = manifest.engine;
    header.members = replica_->view()->addresses;
    return source;
  }
  return status;
}

}  // namespace slipway::eraft
