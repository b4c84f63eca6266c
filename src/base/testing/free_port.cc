#include "base/testing/free_port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mutex>
#include <set>

#include "base/check.h"

namespace slipway::base::testing {
namespace {

int AskKernel() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  SLIPWAY_CHECK(fd >= 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  SLIPWAY_CHECK(bind(fd, generic, size) == 0);
  SLIPWAY_CHECK(getsockname(fd, generic, &size) == 0);
  close(fd);
  return ntohs(address.sin_port);
}

}  // namespace

int FreePort() {
  static std::mutex mutex;
  static std::set<int>* const given = new std::set<int>;
  const std::lock_guard<std::mutex> lock(mutex);
  int port = 0;
  do {
    port = AskKernel();
  } while (!given->insert(port).second);
  return port;
}

}  // namespace slipway::base::testing
