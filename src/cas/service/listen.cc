#include "cas/service/listen.h"

#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/net/endpoint.h"
#include "base/status.h"

namespace slipway::cas {
namespace {

constexpr uint64_t kTableBytesMax = 16 << 20;
constexpr absl::string_view kListening = "0A";  // state in /proc/net/tcp
constexpr absl::string_view kLoopback6 = "00000000000000000000000000000001";

// A line for each IPv6 address of the machine; "" where it has none.
std::string Ipv6Addresses(base::Files& files) {
  return base::ReadUserFile(files, "/proc/net/if_inet6", kTableBytesMax).value_or("");
}

// The inode of the socket that listens on `port`: columns are local address, …, state, …, inode.
std::string ListeningInode(base::Files& files, absl::string_view table, uint16_t port) {
  const std::string text = base::ReadUserFile(files, table, kTableBytesMax).value_or("");
  const std::string suffix = absl::StrCat(":", absl::Hex(port, absl::kZeroPad4));
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (words.size() < 10 || words[3] != kListening) continue;
    const absl::string_view local = words[1];
    if (local.size() < suffix.size()) continue;
    if (absl::AsciiStrToLower(local.substr(local.size() - suffix.size())) == suffix) {
      return std::string(words[9]);
    }
  }
  return "";
}

bool HoldsSocket(base::Dir& process, absl::string_view socket) {
  const auto fds = process.OpenDir("fd");
  if (!fds.ok()) return false;
  const auto cursor = (*fds)->List();
  if (!cursor.ok()) return false;
  while (true) {
    const auto entry = (*cursor)->Next();
    if (!entry.ok() || !entry->has_value()) return false;
    const auto target = (*fds)->ReadLink((*entry)->name);
    if (target.ok() && *target == socket) return true;
  }
}

std::string ProcessWithSocket(base::Files& files, absl::string_view inode) {
  const std::string socket = absl::StrCat("socket:[", inode, "]");
  const auto proc = files.OpenRoot("/proc");
  if (!proc.ok()) return "";
  const auto cursor = (*proc)->List();
  if (!cursor.ok()) return "";
  while (true) {
    const auto entry = (*cursor)->Next();
    if (!entry.ok() || !entry->has_value()) return "";
    uint32_t pid = 0;
    if (!absl::SimpleAtoi((*entry)->name, &pid)) continue;
    const auto process = (*proc)->OpenDir((*entry)->name);
    if (!process.ok() || !HoldsSocket(**process, socket)) continue;
    std::string name = base::ReadFile(**process, "comm", 4096).value_or("");
    absl::StripAsciiWhitespace(&name);
    return absl::StrCat("process ", pid, name.empty() ? "" : absl::StrCat(" (", name, ")"));
  }
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ListenAddresses(absl::string_view text, bool tls,
                                                         base::Files& files) {
  SLIPWAY_ASSIGN_OR_RETURN(const base::net::Endpoint endpoint, base::net::ParseEndpoint(text));
  if (!endpoint.host.empty() && endpoint.host != "localhost") {
    return std::vector<std::string>{endpoint.ToString()};
  }
  const std::string v6 = Ipv6Addresses(files);
  const std::string port = absl::StrCat(":", endpoint.port);
  if (tls && endpoint.host.empty()) {
    // One socket for both families where there are both.
    return std::vector<std::string>{absl::StrCat(v6.empty() ? "0.0.0.0" : "[::]", port)};
  }
  std::vector<std::string> addresses = {absl::StrCat("127.0.0.1", port)};
  if (endpoint.port != 0 && v6.find(kLoopback6.data()) != std::string::npos) {
    addresses.push_back(absl::StrCat("[::1]", port));
  }
  return addresses;
}

std::string PortHolder(base::Files& files, uint16_t port) {
  for (const absl::string_view table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    const std::string inode = ListeningInode(files, table, port);
    if (inode.empty() || inode == "0") continue;
    std::string holder = ProcessWithSocket(files, inode);
    if (!holder.empty()) return holder;
  }
  return "";
}

}  // namespace slipway::cas
