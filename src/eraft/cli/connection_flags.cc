#include "eraft/cli/connection_flags.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/config/secret.h"
#include "base/net/address_range.h"
#include "base/net/endpoint.h"
#include "base/status.h"
#include "base/units.h"
#include "eraft/node/cluster.h"

namespace slipway::eraft::cli {
namespace {

constexpr char kGroup[] = "Servers";

absl::StatusOr<base::Secret> FindToken(const std::string& text, base::cli::Invocation& in) {
  const auto [form, rest] = base::ParseSecretForm(text);
  switch (form) {
    case base::SecretForm::kEnvironment: {
      auto value = in.world.environment.Get(rest);
      if (!value.has_value() || value->empty()) {
        return absl::InvalidArgumentError(
            absl::StrCat("--token: the environment variable ", rest, " is not set"));
      }
      return base::Secret(*std::move(value));
    }
    case base::SecretForm::kFile: {
      auto file = base::ReadSecretFile(in.world.files, rest);
      if (!file.ok()) return base::Annotate(file.status(), "--token");
      if (!file->warning.empty()) in.Warn("", file->warning);
      return std::move(file->secret);
    }
    case base::SecretForm::kLiteral:
      break;
  }
  if (!text.empty()) {
    in.Warn("",
            "--token: others on this machine can read the command line; write env:NAME or "
            "file:PATH");
  }
  return base::Secret(text);
}

}  // namespace

void ConnectionFlags::Declare(base::cli::Command& command, absl::string_view limit) {
  command
      .Text("--addrs", "LIST", &addrs,
            "Servers, host:port, with commas between them; host-{0..2}:port is three")
      .Group(kGroup);
  command
      .Duration("--timeout", "TIME", &timeout,
                absl::StrCat("Give up after so long (without: ", limit, "); 0: never"))
      .Group(kGroup)
      .set = [this](absl::string_view value) {
    SLIPWAY_ASSIGN_OR_RETURN(timeout, base::ParseDuration(value));
    timeout_given = true;
    return timeout < absl::ZeroDuration() ? absl::InvalidArgumentError("it is below zero")
                                          : absl::OkStatus();
  };
  command.Flag("--tls", &tls, "Encrypt, with the system's authorities").Group(kGroup);
  command.Text("--tls-ca", "FILE", &tls_ca, "Who signs the servers' certificates")
      .Group(kGroup)
      .Completes(base::cli::ValueKind::kFile);
  command.Text("--tls-cert", "FILE", &tls_cert, "Own certificate")
      .Group(kGroup)
      .Completes(base::cli::ValueKind::kFile);
  command.Text("--tls-key", "FILE", &tls_key, "Its key")
      .Group(kGroup)
      .Completes(base::cli::ValueKind::kFile);
  command
      .Text("--tls-server-name", "NAME", &tls_server_name,
            "Name in the servers' certificates, if not the host")
      .Group(kGroup);
  command.Text("--token", "SECRET", &token, "env:NAME or file:PATH").Group(kGroup);
}

absl::StatusOr<client::ConnectOptions> ConnectionFlags::Resolve(base::cli::Invocation& in) const {
  client::ConnectOptions options;
  for (const absl::string_view text : absl::StrSplit(addrs, ',', absl::SkipWhitespace())) {
    const auto some = base::net::ExpandRange(absl::StripAsciiWhitespace(text), kMembersMax);
    if (!some.ok()) return base::Annotate(some.status(), "--addrs");
    for (const std::string& address : *some) {
      const auto endpoint = base::net::ParseEndpoint(address);
      if (!endpoint.ok() || endpoint->host.empty() || endpoint->port == 0) {
        return base::MakeError(absl::StatusCode::kInvalidArgument,
                               absl::StrCat("--addrs: \"", address, "\" is no address"),
                               {"", "write host:port or [v6]:port, with commas between them"});
      }
      options.addresses.push_back(endpoint->ToString());
    }
  }
  if (options.addresses.empty()) {
    return absl::InvalidArgumentError("--addrs: no address is given; write host:port");
  }
  if (tls_cert.empty() != tls_key.empty()) {
    return absl::InvalidArgumentError("--tls-cert and --tls-key go together");
  }
  options.tls.ca = tls_ca;
  options.tls.cert = tls_cert;
  options.tls.key = tls_key;
  options.tls.server_name = tls_server_name;
  options.use_tls = tls;
  SLIPWAY_ASSIGN_OR_RETURN(options.token, FindToken(token, in));
  return options;
}

}  // namespace slipway::eraft::cli
