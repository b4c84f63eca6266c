// Files that the packer makes: unnamed and unseen while they are written, durable before they get
// their name. Thread-compatible.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "base/digest/sha256.h"
#include "base/files.h"
#include "base/pool.h"
#include "base/sync/wait.h"

namespace slipway::deploy {

inline constexpr uint64_t kPieceBytes = 8 << 20;  // D151

// A file in the making with its SHA-256 and that of each piece of it. Hashing runs on the pool
// while the caller goes on.
class PackageOutput {
 public:
  static absl::StatusOr<std::unique_ptr<PackageOutput>> Create(base::Dir& dir, base::Pool& pool,
                                                               std::string name, uint32_t mode);
  ~PackageOutput();  // waits for its jobs; the file vanishes unless it was published

  // DT006, DT005, DT004.
  absl::Status Append(base::BytesView data);
  // After the last Append: everything written and synced, and the mode set.
  absl::Status Finish();
  // Gives the file its name, durable with the next Sync of the directory. DT012 when the name is
  // taken and `replace` false.
  absl::Status Publish(bool replace);

  const std::string& name() const { return name_; }
  uint64_t size_bytes() const { return size_bytes_; }
  // After Finish:
  std::string sha256() const { return base::ToHex(sha256_); }
  const base::Bytes& pieces() const { return pieces_; }  // 32 bytes for each piece

 private:
  PackageOutput(base::Dir& dir, base::Pool& pool, std::string name, uint32_t mode,
                std::unique_ptr<base::File> file);
  absl::Status AppendPart(base::BytesView data);
  absl::Status Write();
  void Hash();
  absl::Status FileError(const absl::Status& status) const;

  base::Dir& dir_;
  const std::string name_;
  const uint32_t mode_;
  std::unique_ptr<base::File> file_;
  uint64_t size_bytes_ = 0;
  uint64_t written_bytes_ = 0;
  base::Bytes filling_;  // not yet handed to the hashing jobs; its end is not yet written
  base::Bytes hashing_;  // what they read
  base::Sha256 whole_hash_, piece_hash_;  // each used by one job at a time
  uint64_t piece_bytes_ = 0;              // in piece_hash_
  base::Bytes pieces_;
  base::Sha256Digest sha256_{};
  base::JobGroup jobs_;  // last: waits before anything above goes
};

}  // namespace slipway::deploy
