#include "base/net/listen_error.h"

#include <dirent.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <set>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

namespace slipway::base::net {
namespace {

constexpr char kListen[] = "0A";  // TCP_LISTEN in proc(5)
constexpr size_t kFieldsMin =
    10;  // sl local remote state queues timer retransmits uid timeout inode

std::vector<std::string> EntriesOf(const std::string& path) {
  struct Close {
    void operator()(DIR* dir) const { closedir(dir); }
  };
  std::vector<std::string> names;
  const std::unique_ptr<DIR, Close> dir(opendir(path.c_str()));
  if (dir == nullptr) return names;
  while (const dirent* entry = readdir(dir.get())) names.emplace_back(entry->d_name);
  return names;
}

// "socket:[inode]" of each socket that listens on the port, as /proc/<pid>/fd shows it.
std::set<std::string> ListeningSockets(uint16_t port) {
  std::set<std::string> sockets;
  const std::string suffix = absl::StrFormat(":%04X", port);
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream in(table);
    std::string line;
    while (std::getline(in, line)) {
      const std::vector<std::string> fields = absl::StrSplit(line, ' ', absl::SkipEmpty());
      if (fields.size() < kFieldsMin || fields[3] != kListen) continue;
      if (absl::EndsWith(fields[1], suffix)) {
        sockets.insert(absl::StrCat("socket:[", fields[9], "]"));
      }
    }
  }
  return sockets;
}

bool HasOneOf(const std::string& pid, const std::set<std::string>& sockets) {
  const std::string folder = absl::StrCat("/proc/", pid, "/fd");
  for (const std::string& name : EntriesOf(folder)) {
    std::array<char, 64> target = {};
    const std::string path = absl::StrCat(folder, "/", name);
    const ssize_t size = readlink(path.c_str(), target.data(), target.size());
    if (size > 0 && sockets.count(std::string(target.data(), static_cast<size_t>(size))) != 0) {
      return true;
    }
  }
  return false;
}

absl::Status Refuse(const Endpoint& endpoint, absl::string_view reason, absl::string_view remedy) {
  return absl::UnavailableError(
      absl::StrCat("listen on ", endpoint.ToString(), ": ", reason, "; ", remedy));
}

}  // namespace

absl::Status ListenError(const Endpoint& endpoint, int reason) {
  const std::string text = std::strerror(reason);
  if (reason == EACCES) {
    return Refuse(endpoint, text, "use a port over 1023 or give the permission");
  }
  if (reason == EADDRNOTAVAIL || reason == EAFNOSUPPORT) return ListenError(endpoint, text);
  const std::string holder = reason == EADDRINUSE ? PortHolder(endpoint.port) : "";
  if (absl::StartsWith(holder, absl::StrCat("process ", getpid(), " "))) {
    return Refuse(endpoint, absl::StrCat(text, " by another listener of this process"),
                  "give each a port of its own");
  }
  return Refuse(endpoint, holder.empty() ? text : absl::StrCat(text, " by ", holder),
                "stop what listens there or choose another port");
}

absl::Status ListenError(const Endpoint& endpoint, absl::string_view reason) {
  return Refuse(endpoint, reason, "name an address of this machine");
}

std::string PortHolder(uint16_t port) {
  const std::set<std::string> sockets = ListeningSockets(port);
  if (sockets.empty()) return "";
  for (const std::string& pid : EntriesOf("/proc")) {
    int number = 0;
    if (!absl::SimpleAtoi(pid, &number) || !HasOneOf(pid, sockets)) continue;
    std::string name;
    std::ifstream in(absl::StrCat("/proc/", pid, "/comm"));
    std::getline(in, name);
    return absl::StrCat("process ", pid, name.empty() ? "" : absl::StrCat(" (", name, ")"));
  }
  return "";
}

}  // namespace slipway::base::net
