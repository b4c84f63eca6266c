// Damage to the disk of a test's node. Thread-safe: free functions.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "base/bytes.h"
#include "base/testing/status_matchers.h"
#include "eraft/wal/node_files.h"
#include "eraft/wal/test_wal.h"
#include "eraft/wal/two_copy.h"

namespace slipway::eraft::wal {

inline constexpr char kFirstSegment[] = "/node/wal/1.wal";

inline base::Bytes ReadSegment(const Node& node, const std::string& path = kFirstSegment) {
  const absl::StatusOr<std::string> text = node.files.Read(path);
  EXPECT_OK(text);
  return text.ok() ? base::Bytes(text->begin(), text->end()) : base::Bytes();
}

// Overwrites the file as if the disk had always held these bytes.
inline void Plant(Node& node, base::BytesView bytes, absl::string_view path = "wal/1.wal") {
  base::Owned<base::Dir> dir = node.files.OpenRoot("/node");
  ASSERT_OK(dir);
  base::Owned<base::File> file = (*dir)->Open(path, {.write = true});
  ASSERT_OK(file);
  ASSERT_OK((*file)->WriteAt(0, bytes));
  node.files.Settle();
}

// HARD knows how far the log was durable, at most a second ago; here it shall say something else:
// nothing, so that the log has only itself.
inline void WriteHard(Node& node, const HardCopies& hard = {}) {
  base::Owned<base::Dir> dir = node.files.OpenRoot("/node");
  ASSERT_OK(dir);
  for (const char* name : {"HARD", "HARD.2"}) ASSERT_OK((*dir)->Remove(name));
  ASSERT_OK(TwoCopyFile::Create(**dir, kHardName, EncodeHard(hard)).status());
  node.files.Settle();
}
inline void ForgetHard(Node& node) { WriteHard(node); }

}  // namespace slipway::eraft::wal
