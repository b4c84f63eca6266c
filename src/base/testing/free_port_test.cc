#include "base/testing/free_port.h"

#include <gtest/gtest.h>

#include <set>

namespace slipway::base::testing {
namespace {

TEST(FreePort, GivesEachPortOnce) {
  std::set<int> ports;
  for (int i = 0; i < 50; ++i) {
    const int port = FreePort();
    EXPECT_GT(port, 0);
    EXPECT_TRUE(ports.insert(port).second) << port;
  }
}

}  // namespace
}  // namespace slipway::base::testing
