// Our streams read by the tools of the distribution, and theirs by us (D7, D10, D140).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/codec/codec.h"
#include "base/codec/format.h"
#include "base/codec/test_corpus.h"
#include "base/codec/test_streams.h"
#include "base/os/pool.h"
#include "base/os/spawner.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace slipway::base::codec {
namespace {

using ::slipway::base::testing::IsOkAndHolds;
using ::slipway::base::testing::TempDir;

void Write(const std::string& path, BytesView bytes) {
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()),
            static_cast<std::streamsize>(bytes.size()));
  ASSERT_TRUE(out.good());
}

Bytes ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return Bytes{std::istreambuf_iterator<char>(in), {}};
}

// Runs a shell command in `folder`; what it printed, if it failed.
std::string Shell(const TempDir& folder, const std::string& command) {
  os::SystemSpawner spawner;
  auto child =
      spawner.Spawn({.argv = {"bash", "-o", "pipefail", "-c", command}, .cwd = folder.path()});
  if (!child.ok()) return child.status().ToString();
  auto exit = (*child)->Wait(absl::Minutes(1));
  if (!exit.ok()) return exit.status().ToString();
  return exit->code == 0 ? "" : command + ": " + exit->out + exit->err + " failed";
}

TEST(Tools, ReadOurStreams) {
  struct Row {
    Codec codec;
    std::vector<std::string> commands;
  };
  const Row rows[] = {
      {Codec::kGzip,
       {"gzip -dc < stream | cmp - data", "pigz -dc < stream | cmp - data",
        "/usr/bin/python3 -c 'import gzip; "
        "assert gzip.open(\"stream\").read() == open(\"data\", \"rb\").read()'"}},
      {Codec::kZstd, {"zstd -dc < stream | cmp - data", "zstd -q -t < stream"}},
      {Codec::kNone, {"cmp stream data"}},
  };
  const Bytes mixed = Mixed(2'500'000), tiny = {'t'}, none;
  for (const Row& row : rows) {
    const auto [lowest, highest] = CodecLevels(row.codec);
    for (const int level : {lowest, CodecLevelDefault(row.codec), highest}) {
      for (const Bytes* data : {&mixed, &tiny, &none}) {
        TempDir folder;
        os::ThreadPool pool("codec", 2, 1024);
        Write(folder.Join("data"), *data);
        ASSERT_OK_AND_ASSIGN(const Bytes stream,
                             Encode(*data, {.codec = row.codec, .level = level}, pool));
        Write(folder.Join("stream"), stream);
        for (const std::string& command : row.commands) {
          EXPECT_EQ(Shell(folder, command), "") << "level " << level << ", " << data->size();
        }
      }
    }
  }
}

TEST(Tools, ReadEveryCodingOfABlock) {  // D40
  for (const Bytes& data : {RandomBytes(kMemberInputBytes + 70'000), Weights32(2'000'000),
                            Weights16(1'500'001), Bytes(3'000'000), Sound(1'100'000)}) {
    TempDir folder;
    os::ThreadPool pool("codec", 2, 1024);
    Write(folder.Join("data"), data);
    ASSERT_OK_AND_ASSIGN(const Bytes stream, Encode(data, {.codec = Codec::kGzip}, pool));
    Write(folder.Join("stream"), stream);
    EXPECT_EQ(Shell(folder, "gzip -dc < stream | cmp - data && pigz -dc < stream | cmp - data"),
              "");
  }
}

TEST(Tools, WriteWhatWeRead) {
  struct Row {
    Codec codec;
    const char* command;
    int copies;
  };
  const Row rows[] = {
      {Codec::kGzip, "gzip -1 < data > stream", 1},
      {Codec::kGzip, "gzip -9 data && mv data.gz stream", 1},  // with name and time
      {Codec::kGzip, "pigz -p 4 < data > stream", 1},
      {Codec::kGzip, "pigz -p 2 -i -b 128 < data > stream", 1},
      {Codec::kGzip, "gzip -6 < data > a; pigz < data > b; cat a b a > stream", 3},
      {Codec::kZstd, "zstd -q -1 < data > stream", 1},
      {Codec::kZstd, "zstd -q -19 --long=27 data -o stream", 1},
      {Codec::kZstd, "zstd -q -3 -T2 --no-check data -o stream", 1},
      {Codec::kZstd, "zstd -q < data > a; zstd -q -5 data -o b; cat a b a > stream", 3},
      {Codec::kZstd, "cat data data data data data | zstd -q --long=27 > stream", 5},
      {Codec::kZstd, "pzstd -q -p 2 < data > stream", 1},
  };
  const Bytes data = Mixed(2'500'000);
  for (const Row& row : rows) {
    TempDir folder;
    Write(folder.Join("data"), data);
    ASSERT_EQ(Shell(folder, row.command), "");
    const Bytes stream = ReadFile(folder.Join("stream"));
    Bytes expected;
    for (int i = 0; i < row.copies; ++i) expected.insert(expected.end(), data.begin(), data.end());
    os::ThreadPool pool("codec", 2, 1024);
    EXPECT_THAT(Decode(stream, {.codec = row.codec}, pool), IsOkAndHolds(expected)) << row.command;
  }
}

}  // namespace
}  // namespace slipway::base::codec
