// What the commands of `zako cas` share: how to reach the server, names of blobs, files, progress.
// Private to this folder. Thread-compatible.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/cli/command.h"
#include "base/cli/progress.h"
#include "base/files.h"
#include "base/status.h"
#include "base/world.h"
#include "cas/client/remote_store.h"
#include "cas/digest.h"
#include "zako/cli/zako.h"

namespace slipway::zako::cli {

inline constexpr char kUsageId[] = "ZK1000";  // usage or configuration: exit code 2
inline constexpr char kServerVariable[] = "ZAKO_CAS";

absl::Status UsageError(absl::string_view text, absl::string_view hint);

// --server and what belongs to it; each command has them.
struct ConnectionOptions {
  std::optional<std::string> server;
  std::string tls_ca, tls_cert, tls_key, tls_name, token_file;
  bool tls = false;
  absl::Duration timeout = absl::Seconds(30);
};
void AddConnection(base::cli::Command& command, ConnectionOptions* options);
// --server, else $ZAKO_CAS. ZK1000: neither, cert without key, a token file that cannot be read.
absl::StatusOr<cas::RemoteOptions> RemoteOptionsOf(const ConnectionOptions& options,
                                                   const GlobalOptions& globals,
                                                   base::cli::Invocation& in);

// A blob as a person names it: blake3:<hex>/<size>, blake3:<hex> or the bare hex.
struct BlobName {
  cas::Hash hash{};
  std::optional<uint64_t> size_bytes;

  std::string ToString() const;  // as far as it is known
};
// ZK1000 with what is wrong.
absl::StatusOr<BlobName> ParseBlobName(absl::string_view text);
// The digest; where the size was not given, the server is asked for it. Absent: it has no such
// blob.
absl::StatusOr<std::optional<cas::Digest>> FindName(
    const BlobName& name, absl::FunctionRef<base::Owned<cas::CasAdmin>()> open_admin);
// The same, with NotFound where it is absent.
absl::StatusOr<cas::Digest> ResolveName(const BlobName& name,
                                        absl::FunctionRef<base::Owned<cas::CasAdmin>()> open_admin);

// "START" or "START:LENGTH", with units. ZK1000.
absl::StatusOr<cas::BlobRange> ParseRange(absl::string_view text);

// `path` as --directory has it.
std::string PathOf(const GlobalOptions& globals, absl::string_view path);
// Opens the file that a person named, symbolic links followed. FailedPrecondition: a directory.
base::Owned<base::File> OpenUserFile(base::Files& files, const std::string& path);

// Silent with --quiet and --json, unless asked for.
std::shared_ptr<base::cli::Progress> MakeProgress(const GlobalOptions& globals,
                                                  base::cli::Invocation& in);

// Runs `body`, and says on stderr how long it took (Z26).
absl::Status Timed(base::cli::Invocation& in, absl::FunctionRef<absl::Status()> body);

}  // namespace slipway::zako::cli
