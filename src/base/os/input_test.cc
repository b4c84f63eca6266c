#include "base/os/input.h"

#include <fcntl.h>

#include <string>
#include <thread>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace slipway::base::os {
namespace {

using testing::StatusIs;

struct Pipe {
  Pipe() {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    in = Fd(ends[0]);
    out = Fd(ends[1]);
  }
  void Write(const std::string& text) {
    EXPECT_EQ(write(out.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  Fd in, out;
};

TEST(Input, GivesWhatComesUntilTheEnd) {
  Pipe pipe;
  Input input(pipe.in.get(), CancelToken());
  pipe.Write("yes\n12345");
  pipe.out.Reset();
  std::string line;
  EXPECT_TRUE(std::getline(input.stream(), line));
  EXPECT_EQ(line, "yes");
  char rest[16];
  input.stream().read(rest, sizeof(rest));
  EXPECT_EQ(std::string(rest, static_cast<size_t>(input.stream().gcount())), "12345");
  EXPECT_TRUE(input.stream().eof());
  EXPECT_OK(input.status());
}

TEST(Input, AnErrorIsNotTheEnd) {
  const testing::TempDir folder;
  const Fd opened(open(folder.path().c_str(), O_RDONLY | O_CLOEXEC));
  constexpr int kClosed = 1'000'000;
  for (const int fd : {opened.get(), kClosed, -1}) {
    Input input(fd, CancelToken());
    EXPECT_EQ(input.stream().get(), std::char_traits<char>::eof());
    EXPECT_FALSE(input.status().ok());
  }
}

TEST(Input, CancellationEndsAWait) {
  const Pipe pipe;
  CancelSource cancel;
  Input input(pipe.in.get(), cancel.token());
  std::thread reader([&] { EXPECT_EQ(input.stream().get(), std::char_traits<char>::eof()); });
  cancel.Cancel({});
  reader.join();
  EXPECT_THAT(input.status(), StatusIs(absl::StatusCode::kCancelled));
}

TEST(Input, WhatWasCancelledBeforeGivesNothing) {
  Pipe pipe;
  pipe.Write("x");
  CancelSource cancel;
  cancel.Cancel({});
  Input input(pipe.in.get(), cancel.token());
  EXPECT_EQ(input.stream().get(), std::char_traits<char>::eof());
  EXPECT_THAT(input.status(), StatusIs(absl::StatusCode::kCancelled));
}

}  // namespace
}  // namespace slipway::base::os
