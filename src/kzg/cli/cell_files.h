// A folder of cells: cell-000.bin … cell-127.bin, proofs.bin with 48 bytes for each cell that is
// listed, and cells.json, which lists them. Thread-safe: free functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/bytes.h"
#include "base/cli/command.h"
#include "kzg/scheme/types.h"

namespace slipway::kzg::cli {

struct CellFolder {
  std::string path;               // of the folder
  base::Bytes commitment;         // empty: not known
  std::vector<uint64_t> indices;  // ascending
  std::vector<base::Bytes> cells;
  std::vector<base::Bytes> proofs;  // one for each cell, or none
};

// `path`: the folder or its cells.json. Of the cells that are listed those are read whose files are
// there; without cells.json, every cell-NNN.bin is.
absl::StatusOr<CellFolder> ReadCellFolder(const std::string& path, base::cli::Invocation& in);

// Removes the list of a folder that is written anew, durably: an older one would name what is not
// there any more. OK when there is none.
absl::Status RemoveList(base::Dir& dir, absl::string_view name);
// Makes the folder, without a cells.json, for cells that may be those of another blob than before.
absl::Status PrepareCellFolder(const std::string& path, base::cli::Invocation& in);

// Writes the cells, proofs.bin unless `proofs` is empty, and cells.json last. Makes the folder.
absl::Status WriteCellFolder(const std::string& path, base::BytesView commitment,
                             absl::Span<const uint64_t> indices, absl::Span<const Cell> cells,
                             absl::Span<const Proof> proofs, base::cli::Invocation& in);

}  // namespace slipway::kzg::cli
