// Turns the entries of a tree into a tar stream and the entries of its index. Thread-compatible.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "base/codec/codec.h"
#include "base/sync/cancel.h"
#include "deploy/pack/file_index.h"
#include "deploy/pack/names.h"
#include "deploy/pack/packer.h"
#include "deploy/pack/source_reader.h"
#include "deploy/pack/tar.h"

namespace slipway::deploy {

class PackageStream {
 public:
  // All borrowed; `encoder` takes the tar stream.
  PackageStream(base::Encoder& encoder, const PackOptions& options,
                const base::CancelToken& cancel);

  // Writes one entry; reads its contents where the reader left that to us. DT016: it changed while
  // it was read. DT005, DT006, DT018 (also: more names than
  // a package may hold), DT026.
  absl::Status Add(SourceItem& item);
  // The end of the archive, and of the compressed stream.
  absl::Status Finish();

  std::vector<IndexEntry>& entries() { return entries_; }
  PackProgress totals() const { return totals_; }  // logical bytes; members but directories
  std::vector<std::string>& warnings() { return warnings_; }

 private:
  absl::Status AddFile(SourceItem& item, TarMember member);
  absl::Status AddWhole(SourceItem& item, TarMember member);
  absl::Status AddStreamed(base::File& file, SourceItem& item, TarMember member);
  absl::StatusOr<bool> CopyRange(base::File& file, uint64_t offset, uint64_t size,
                                 base::Blake3& hash);
  absl::Status WriteHeader(const TarMember& member);
  absl::Status Append(base::BytesView data);
  absl::Status Changed(const SourceItem& item, absl::string_view how);
  int64_t MtimeOf(const base::Meta& meta) const;
  absl::Status Record(const TarMember& member, uint64_t data_offset,
                      const base::Blake3Digest& digest);
  void Report();

  base::Encoder& encoder_;
  const PackOptions& options_;
  const base::CancelToken& cancel_;
  uint64_t offset_ = 0;  // of the tar stream
  // First member of each file with several names, by device and inode.
  absl::flat_hash_map<std::pair<uint64_t, uint64_t>, std::string> linked_;
  std::vector<IndexEntry> entries_;
  NameBudget names_;
  std::vector<std::string> warnings_;
  PackProgress totals_;
  base::Bytes buffer_;
};

}  // namespace slipway::deploy
