// Setups in their binary form: written so that a crash leaves the old file or the new one, read
// only whole (K65, K75). Format: docs/formats/kzg-setup.md. Thread-safe: free functions.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "base/files.h"
#include "kzg/scheme/setup.h"
#include "kzg/scheme/tables.h"

namespace slipway::kzg {

// A file in memory; `owner` keeps the bytes, which are aligned to 64.
struct FileImage {
  base::BytesView bytes;
  std::shared_ptr<const void> owner;
  uint32_t uid = 0;  // whose file it is
  uint32_t mode = 0;
};
// How files come into memory: mapped, by a program that has the means. NotFound and the like as
// base::Files.
using MapFile =
    std::function<absl::StatusOr<FileImage>(base::Files& files, const std::string& path)>;
// Without such means: a copy.
absl::StatusOr<FileImage> ReadImage(base::Files& files, const std::string& path);

// What a setup file is called in a cache: kzg-<id, 16 digits>-<version>-<plan>.tbl, "none" without
// tables.
std::string SetupFileName(const SetupId& id, const TablePlan* plan);

// Whether `bytes` begin as a setup file does.
bool IsSetupFile(base::BytesView bytes);

enum class DigestCheck : uint8_t { kFull, kHeader };

// The setup in `image`, which it borrows from and keeps. Its points are those of its id, whoever
// wrote the file; of tables the digest alone is checked. DataLoss: damaged or cut short.
// FailedPrecondition: of another version or another machine's byte order. `name`: for messages.
absl::StatusOr<std::shared_ptr<const Setup>> ParseSetupFile(FileImage image, absl::string_view name,
                                                            DigestCheck check);

// Writes `setup` with its tables, if it has any, as `name` in `dir`, replacing what is there. After
// OK it survives power loss; otherwise what was there does.
absl::Status WriteSetupFile(base::Dir& dir, absl::string_view name, const Setup& setup);

}  // namespace slipway::kzg
