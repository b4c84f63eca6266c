#include "base/os/environment.h"

#include <pwd.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"

namespace slipway::base::os {

std::optional<std::string> ProcessEnvironment::Get(absl::string_view name) {
  const char* value = std::getenv(std::string(name).c_str());
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

std::vector<std::string> ProcessEnvironment::Names() {
  std::vector<std::string> names;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    const absl::string_view text(*variable);
    names.emplace_back(text.substr(0, text.find('=')));
  }
  return names;
}

std::string ProcessEnvironment::HostName() {
  char name[HOST_NAME_MAX + 1] = {};
  if (gethostname(name, sizeof(name) - 1) != 0) return "localhost";
  return name;
}

std::string ProcessEnvironment::UserName() {
  std::vector<char> buffer(16384);
  passwd entry = {};
  passwd* found = nullptr;
  const uid_t uid = geteuid();
  if (getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
    return found->pw_name;
  }
  return absl::StrCat(uid);
}

uint32_t ProcessEnvironment::UserId() { return geteuid(); }

int ProcessEnvironment::ProcessId() { return getpid(); }

std::string ProcessEnvironment::WorkingDirectory() {
  const std::unique_ptr<char, decltype(&std::free)> path(getcwd(nullptr, 0), &std::free);
  return path == nullptr ? std::string() : std::string(path.get());
}

// umask(2) can only be read by setting it, which other threads would notice.
uint32_t ProcessEnvironment::Umask() {
  const std::unique_ptr<FILE, int (*)(FILE*)> status(std::fopen("/proc/self/status", "re"),
                                                     &std::fclose);
  std::array<char, 256> line;
  unsigned mask = 0;
  while (status != nullptr && std::fgets(line.data(), line.size(), status.get()) != nullptr) {
    if (std::sscanf(line.data(), "Umask: %o", &mask) == 1) return mask & 0777;
  }
  return 022;
}

}  // namespace slipway::base::os
