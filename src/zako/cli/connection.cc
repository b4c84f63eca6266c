#include "zako/cli/connection.h"

#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/config/secret.h"
#include "base/mutant.h"
#include "base/net/endpoint.h"
#include "base/net/trace.h"
#include "base/units.h"

namespace slipway::zako::cli {

absl::Status UsageError(absl::string_view text, absl::string_view hint) {
  return base::MakeError(absl::StatusCode::kInvalidArgument, text, {kUsageId, std::string(hint)});
}

void AddConnection(base::cli::Command& command, ConnectionOptions* options) {
  constexpr char kGroup[] = "Server";
  command.Text("--server", "HOST:PORT", &options->server, "The server; else $ZAKO_CAS")
      .Group(kGroup);
  command.Flag("--tls", &options->tls, "Encrypt, with the system's authorities").Group(kGroup);
  command.Text("--tls-ca", "FILE", &options->tls_ca, "Who signs the server's certificate")
      .Group(kGroup)
      .Completes(base::cli::ValueKind::kFile);
  command.Text("--tls-cert", "FILE", &options->tls_cert, "Own certificate")
      .Group(kGroup)
      .Completes(base::cli::ValueKind::kFile);
  command.Text("--tls-key", "FILE", &options->tls_key, "Its key")
      .Group(kGroup)
      .Completes(base::cli::ValueKind::kFile);
  command.Text("--tls-name", "NAME", &options->tls_name, "Name in the server's certificate")
      .Group(kGroup);
  command.Text("--token-file", "FILE", &options->token_file, "File that holds the token")
      .Group(kGroup)
      .Completes(base::cli::ValueKind::kFile);
  command.Duration("--timeout", "DUR", &options->timeout, "Wait so long for an answer (30s)")
      .Group(kGroup);
}

absl::StatusOr<cas::RemoteOptions> RemoteOptionsOf(const ConnectionOptions& options,
                                                   const GlobalOptions& globals,
                                                   base::cli::Invocation& in) {
  cas::RemoteOptions remote;
  const auto variable = in.world.environment.Get(kServerVariable);
  remote.channel.address = options.server.value_or(variable.value_or(""));
  if (remote.channel.address.empty()) {
    return UsageError("find the CAS server: none is named",
                      absl::StrCat("add --server HOST:PORT, or set ", kServerVariable));
  }
  const auto endpoint = base::net::ParseEndpoint(remote.channel.address);
  if (!endpoint.ok() || endpoint->host.empty() || endpoint->port == 0) {
    return UsageError(
        absl::StrCat("find the CAS server: \"", base::EscapeForTerminal(remote.channel.address),
                     "\" is no address"),
        "write HOST:PORT, or [ADDRESS]:PORT for IPv6");
  }
  if (options.tls_cert.empty() != options.tls_key.empty()) {
    return UsageError("use TLS: --tls-cert and --tls-key belong together", "name both files");
  }
  const auto path = [&](const std::string& text) {
    return text.empty() ? text : PathOf(globals, text);
  };
  remote.channel.tls.ca = path(options.tls_ca);
  remote.channel.tls.cert = path(options.tls_cert);
  remote.channel.tls.key = path(options.tls_key);
  remote.channel.tls.server_name = options.tls_name;
  remote.channel.use_tls = options.tls || !options.tls_name.empty();
  if (!options.token_file.empty()) {
    auto token = base::ReadSecretFile(in.world.files, path(options.token_file));
    if (!token.ok()) {
      return UsageError(absl::StrCat("read token: ", token.status().message()),
                        "name a file of mode 0600 that holds nothing but the token");
    }
    if (!token->warning.empty()) in.Warn("", token->warning);
    remote.token = std::move(token->secret);
  }
  remote.call_timeout = options.timeout;
  remote.stall_timeout = std::max(options.timeout, remote.stall_timeout);
  remote.cancel = in.cancel;
  remote.trace = base::net::ParseTrace(in.world.environment.Get("TRACEPARENT").value_or(""),
                                       in.world.environment.Get("TRACESTATE").value_or(""));
  return remote;
}

absl::StatusOr<BlobName> ParseBlobName(absl::string_view text) {
  BlobName name;
  constexpr char kHint[] = "write blake3:<64 hex digits>/<size>, or the 64 digits alone";
  if (absl::StrContains(text, '/')) {
    const absl::StatusOr<cas::Digest> digest = cas::ParseDigest(text);
    if (!digest.ok()) return UsageError(digest.status().message(), kHint);
    name.hash = digest->blake3;
    name.size_bytes = digest->size_bytes;
    return name;
  }
  absl::string_view hex = text;
  absl::ConsumePrefix(&hex, "blake3:");
  const absl::StatusOr<cas::Hash> hash = cas::ParseHash(hex);
  if (!hash.ok()) return UsageError(hash.status().message(), kHint);
  name.hash = *hash;
  return name;
}

std::string BlobName::ToString() const {
  if (size_bytes) return cas::Digest{hash, *size_bytes}.ToString();
  return absl::StrCat("blake3:", base::ToHex(hash));
}

absl::StatusOr<std::optional<cas::Digest>> FindName(
    const BlobName& name, absl::FunctionRef<base::Owned<cas::CasAdmin>()> open_admin) {
  if (name.size_bytes) return std::optional<cas::Digest>({name.hash, *name.size_bytes});
  const std::string text = name.ToString();
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<cas::CasAdmin> admin, open_admin());
  const auto page = admin->List(name.hash, "", 1);
  if (!page.ok()) {
    return base::WithInfo(base::Annotate(page.status(), absl::StrCat("find the size of ", text)),
                          {"", "write the size too: blake3:<hex>/<size>"});
  }
  if (page->digests.empty()) return std::optional<cas::Digest>();
  const cas::Digest& found = page->digests.front();
  if (found.blake3 == name.hash || SLIPWAY_MUTANT("cas-trust-listing"))
    return std::optional<cas::Digest>(found);
  // Of what a server says only the size is taken from it: the hash is what was asked for.
  return absl::InternalError(absl::StrCat(
      "find the size of ", text, ": the server answers with another blob, ", found.ToString()));
}

absl::StatusOr<cas::Digest> ResolveName(
    const BlobName& name, absl::FunctionRef<base::Owned<cas::CasAdmin>()> open_admin) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::optional<cas::Digest> digest, FindName(name, open_admin));
  if (digest) return *digest;
  return absl::NotFoundError(absl::StrCat("blob ", name.ToString(), ": not in the store"));
}

absl::StatusOr<cas::BlobRange> ParseRange(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ':');
  const auto wrong = [&](absl::string_view reason) {
    return UsageError(
        absl::StrCat("read --range \"", base::EscapeForTerminal(text), "\": ", reason),
        "write START or START:LENGTH, like 1MiB:64KiB");
  };
  if (parts.size() > 2) return wrong("it has more than one colon");
  cas::BlobRange range;
  const auto start = base::ParseSize(parts[0]);
  if (!start.ok()) return wrong(start.status().message());
  range.start = *start;
  if (parts.size() == 2) {
    const auto length = base::ParseSize(parts[1]);
    if (!length.ok()) return wrong(length.status().message());
    range.length = *length;
  }
  if (const absl::Status status = cas::CheckRange(range); !status.ok()) {
    return wrong(status.message());
  }
  return range;
}

std::string PathOf(const GlobalOptions& globals, absl::string_view path) {
  if (globals.directory.empty() || absl::StartsWith(path, "/")) return std::string(path);
  return absl::StrCat(globals.directory, "/", path);
}

base::Owned<base::File> OpenUserFile(base::Files& files, const std::string& path) {
  constexpr char kPipeHint[] = "name files; a device or a pipe can be read as standard input: -";
  const absl::StatusOr<std::string> real = files.Canonical(path);
  // "/dev/stdin" of a pipe leads to a name that is none.
  if (absl::IsNotFound(real.status()) && absl::StartsWith(path, "/dev/")) {
    return base::WithInfo(real.status(), {"", kPipeHint});
  }
  SLIPWAY_ASSIGN_OR_RETURN(const std::string canonical, real);
  const size_t slash = canonical.rfind('/');
  SLIPWAY_ASSIGN_OR_RETURN(const auto dir,
                           files.OpenRoot(slash == 0 ? "/" : canonical.substr(0, slash)));
  const std::string name = canonical.substr(slash + 1);
  if (name.empty()) return absl::FailedPreconditionError(absl::StrCat(path, ": is a directory"));
  SLIPWAY_ASSIGN_OR_RETURN(const base::Meta meta, dir->Stat(name));
  if (meta.kind == base::FileKind::kFile) return dir->Open(name, {});
  return base::MakeError(
      absl::StatusCode::kFailedPrecondition,
      absl::StrCat("open ", path, ": ",
                   meta.kind == base::FileKind::kDirectory ? "is a directory" : "is no file"),
      {"", kPipeHint});
}

std::shared_ptr<base::cli::Progress> MakeProgress(const GlobalOptions& globals,
                                                  base::cli::Invocation& in) {
  base::cli::Progress::Options options;
  options.mode = *base::cli::ParseProgressMode(globals.progress);  // one of the choices
  if ((in.quiet || in.json || !in.streams.err_is_terminal) &&
      options.mode == base::cli::ProgressMode::kAuto) {
    options.mode = base::cli::ProgressMode::kNone;
  }
  return std::make_shared<base::cli::Progress>(in.streams, in.world.clock, options);
}

absl::Status Timed(base::cli::Invocation& in, absl::FunctionRef<absl::Status()> body) {
  const absl::Duration start = in.world.clock.Monotonic();
  const absl::Status status = body();
  if (!in.quiet && !in.json) {
    in.streams.err << absl::StrFormat("elapsed %.3f s\n",
                                      absl::ToDoubleSeconds(in.world.clock.Monotonic() - start));
  }
  return status;
}

}  // namespace slipway::zako::cli
