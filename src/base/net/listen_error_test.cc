#include "base/net/listen_error.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"

namespace slipway::base::net {
namespace {

TEST(ListenError, SaysWhatToDo) {
  const Endpoint endpoint{"127.0.0.1", 80};
  EXPECT_THAT(ListenError(endpoint, EACCES).message(), ::testing::HasSubstr("port over 1023"));
  EXPECT_THAT(ListenError(endpoint, EADDRNOTAVAIL).message(),
              ::testing::HasSubstr("name an address of this machine"));
}

TEST(PortHolder, NamesTheProcessThatListens) {  // Z46
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const absl::Cleanup close_fd = [fd] { close(fd); };
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const uint16_t port = ntohs(address.sin_port);
  EXPECT_EQ(PortHolder(port), "");  // bound, but nobody listens yet
  ASSERT_EQ(listen(fd, 1), 0);
  EXPECT_THAT(PortHolder(port), ::testing::StartsWith(absl::StrCat("process ", getpid(), " (")));
}

}  // namespace
}  // namespace slipway::base::net
