#include "base/os/sd_notify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/os/fd.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace slipway::base::os {
namespace {

using ::slipway::base::testing::StatusIs;
using ::testing::HasSubstr;

// The socket of a service manager. `name`: a path, or an abstract name after '@'.
class Manager {
 public:
  explicit Manager(const std::string& name)
      : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    EXPECT_LT(name.size(), sizeof(address.sun_path)) << name;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name[0] == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), size), 0) << name;
  }
  // The next message, or "" if there is none.
  std::string Take() {
    char text[512];
    const ssize_t size = ::recv(socket_.get(), text, sizeof(text), MSG_DONTWAIT);
    return size < 0 ? "" : std::string(text, static_cast<size_t>(size));
  }

 private:
  const Fd socket_;
};

// One variable.
class OneVariable : public Environment {
 public:
  std::optional<std::string> Get(absl::string_view name) override {
    return name == "NOTIFY_SOCKET" ? socket : std::nullopt;
  }
  std::vector<std::string> Names() override { return {}; }
  std::string HostName() override { return ""; }
  std::string UserName() override { return ""; }
  uint32_t UserId() override { return 0; }
  int ProcessId() override { return 1; }
  std::string WorkingDirectory() override { return "/"; }
  std::optional<std::string> socket;
};

class SdNotifyTest : public ::testing::Test {
 protected:
  absl::Status Notify(const std::string& socket, absl::string_view state) {
    environment_.socket = socket;
    return NotifyServiceManager(environment_, state);
  }
  base::testing::TempDir folder_;
  OneVariable environment_;
};

TEST_F(SdNotifyTest, TellsTheSocketOfAPath) {
  const std::string path = folder_.Join("notify");
  Manager manager(path);
  for (const char* state : {"READY=1\nSTATUS=serving on port 50610",
                            "RELOADING=1\nMONOTONIC_USEC=123", "STOPPING=1\nSTATUS=draining"}) {
    EXPECT_OK(Notify(path, state));
    EXPECT_EQ(manager.Take(), state);
  }
  EXPECT_EQ(manager.Take(), "");
}

TEST_F(SdNotifyTest, TellsAnAbstractSocketWhoseNameHasNoEndMark) {
  const std::string name = absl::StrCat("@slipway-sd-notify-test-", ::getpid());
  Manager manager(name);
  Manager longer(absl::StrCat(name, "-longer"));
  EXPECT_OK(Notify(name, "READY=1"));
  EXPECT_EQ(manager.Take(), "READY=1");
  EXPECT_EQ(longer.Take(), "");
}

TEST_F(SdNotifyTest, NobodyAsked) {
  EXPECT_OK(NotifyServiceManager(environment_, "READY=1"));
  EXPECT_OK(Notify("", "READY=1"));
}

TEST_F(SdNotifyTest, SaysWhyNobodyWasTold) {
  EXPECT_THAT(Notify(folder_.Join("absent"), "READY=1"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr(folder_.Join("absent"))));
  EXPECT_THAT(Notify(std::string(sizeof(sockaddr_un::sun_path), 'x'), "READY=1"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("NOTIFY_SOCKET")));
}

TEST_F(SdNotifyTest, AManagerThatDoesNotReadIsNotWaitedFor) {
  const std::string path = folder_.Join("notify");
  const Manager manager(path);
  absl::Status status;
  for (int i = 0; i < 10'000 && status.ok(); ++i) status = Notify(path, "STATUS=again");
  EXPECT_FALSE(status.ok());
}

}  // namespace
}  // namespace slipway::base::os
