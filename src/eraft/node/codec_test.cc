// Frames: one encoding each, nothing else is taken (E163).
#include "eraft/node/codec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/digest/crc32c.h"
#include "base/testing/status_matchers.h"
#include "raft/raft.h"

namespace slipway::eraft {
namespace {

using ::slipway::base::testing::StatusIs;
using ::testing::HasSubstr;

raft::Entry EntryOf(raft::Index index, raft::Term term, base::Bytes payload) {
  raft::Entry entry;
  entry.index = index;
  entry.term = term;
  entry.payload_crc = base::Crc32c(payload);
  entry.payload = raft::Slice(std::move(payload));
  return entry;
}

bool Same(const raft::Message& a, const raft::Message& b) {
  return a.kind == b.kind && a.from == b.from && a.to == b.to && a.term == b.term &&
         a.log_index == b.log_index && a.log_term == b.log_term && a.commit == b.commit &&
         a.reject == b.reject && a.forced == b.forced && a.conflict_term == b.conflict_term &&
         a.round == b.round && a.context == b.context && a.snapshot == b.snapshot &&
         a.entries == b.entries;
}

raft::Message Append() {
  raft::Message message;
  message.kind = raft::MessageKind::kAppend;
  message.from = 1;
  message.to = 2;
  message.term = 5;
  message.log_index = 9;
  message.log_term = 4;
  message.commit = 8;
  message.round = 3;
  message.entries = {EntryOf(10, 4, {'a'}), EntryOf(11, 5, {}), EntryOf(12, 5, {'b', 'c'})};
  message.entries[1].kind = raft::EntryKind::kNoop;
  return message;
}

SnapshotOffer Offer() {
  SnapshotOffer offer;
  offer.transfer = 77;
  offer.message.kind = raft::MessageKind::kSnapshot;
  offer.message.from = 1;
  offer.message.to = 2;
  offer.message.term = 5;
  offer.message.snapshot = {.index = 100, .term = 4, .membership = {.voters = {1, 2, 3}}};
  offer.manifest = "manifest";
  return offer;
}

// With the checksum made to fit.
base::Bytes Sealed(base::Bytes frame) {
  const base::BytesView view(frame);
  base::StoreLittle(&frame[8], base::Crc32c(view.subspan(12), base::Crc32c(view.subspan(0, 8))));
  return frame;
}

TEST(NodeFrames, MessagesOfEveryKindComeBackAsTheyWere) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 2000; ++i) {
    raft::Message message;
    do {
      message.kind = static_cast<raft::MessageKind>(1 + random() % 13);
    } while (message.kind == raft::MessageKind::kSnapshot);
    const auto some = [&] { return random() % 3 == 0 ? 0 : random() >> (random() % 64); };
    message.from = some();
    message.to = some();
    message.term = some();
    message.log_index = some();
    message.log_term = some();
    message.commit = some();
    message.reject = random() % 2 == 0;
    message.forced = random() % 2 == 0;
    if (random() % 2 == 0) message.conflict_term = some();
    message.round = some();
    message.context = some();
    const raft::Index first = 1 + random() % 1000;
    for (raft::Index n = random() % 5; n > 0; --n) {
      message.entries.push_back(
          EntryOf(first + message.entries.size(), some(), base::Bytes(random() % 50, 'x')));
    }
    const base::Bytes bytes = EncodeFrame(9, message);
    const auto frame = DecodeFrame(bytes);
    ASSERT_OK(frame);
    EXPECT_EQ(frame->group, 9u);
    ASSERT_TRUE(Same(std::get<raft::Message>(frame->body), message));
    EXPECT_EQ(EncodeFrame(9, std::get<raft::Message>(frame->body)), bytes);
  }
}

TEST(NodeFrames, PartsOfASnapshotComeBackAsTheyWere) {
  const SnapshotOffer offer = Offer();
  const SnapshotPart part = {.transfer = 77, .number = 3, .chunk = raft::Slice({'p', 'q'})};
  const SnapshotAnswer answer = {.transfer = 77, .reply = SnapshotReply::kTaken, .next = 4};
  EXPECT_EQ(std::get<SnapshotOffer>(DecodeFrame(EncodeFrame(1, offer))->body), offer);
  EXPECT_EQ(std::get<SnapshotPart>(DecodeFrame(EncodeFrame(1, part))->body), part);
  EXPECT_EQ(std::get<SnapshotAnswer>(DecodeFrame(EncodeFrame(1, answer))->body), answer);
}

TEST(NodeFrames, NoByteCanChangeUnseen) {
  for (const base::Bytes& frame :
       {EncodeFrame(1, Append()), EncodeFrame(1, Offer()),
        EncodeFrame(1, SnapshotAnswer{.transfer = 7, .reply = SnapshotReply::kDone})}) {
    for (size_t at = 0; at < frame.size(); ++at) {
      for (int bit = 0; bit < 8; ++bit) {
        base::Bytes damaged = frame;
        damaged[at] = static_cast<uint8_t>(damaged[at] ^ (1 << bit));
        EXPECT_FALSE(DecodeFrame(damaged).ok()) << at;
      }
    }
    for (size_t size = 0; size < frame.size(); ++size) {
      const base::Bytes cut(frame.begin(), frame.begin() + static_cast<ptrdiff_t>(size));
      EXPECT_FALSE(DecodeFrame(cut).ok()) << size;
      // Of an offer, whatever comes last is the manifest.
      if (size >= kFrameHeaderBytes && frame[1] != 2) {
        EXPECT_FALSE(DecodeFrame(Sealed(cut)).ok()) << size;
      }
    }
    base::Bytes longer = frame;
    longer.push_back(0);
    EXPECT_FALSE(DecodeFrame(longer).ok());
  }
}

// What the leader computed when it was proposed, not what a node on the way made of it.
TEST(NodeFrames, APayloadIsHeldAgainstItsOwnChecksum) {
  raft::Message message = Append();
  message.entries[2].payload_crc ^= 1;
  EXPECT_THAT(DecodeFrame(EncodeFrame(1, message)),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("entry 12")));
}

TEST(NodeFrames, WhatMakesNoSenseIsRefused) {
  base::Bytes newer = EncodeFrame(1, Append());
  newer[0] = 2;
  EXPECT_THAT(DecodeFrame(Sealed(newer)), StatusIs(absl::StatusCode::kFailedPrecondition));
  for (const auto& [at, value] : std::vector<std::pair<size_t, uint8_t>>{
           {1, 9}, {2, 1}, {12, 14}, {12, 0}, {13, 1}, {15, 0x40}}) {
    base::Bytes frame = EncodeFrame(1, Append());
    frame[at] = value;
    EXPECT_THAT(DecodeFrame(Sealed(frame)), StatusIs(absl::StatusCode::kDataLoss)) << at;
  }
  // The content of a snapshot comes by an offer, never by word alone.
  EXPECT_THAT(DecodeFrame(EncodeFrame(1, Offer().message)),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("without content")));
}

TEST(NodeFrames, EntriesAreBulkAndVotesAreNot) {  // E122
  raft::Message message = Append();
  EXPECT_EQ(ClassOf(message), base::FrameClass::kBulk);
  message.entries.clear();
  EXPECT_EQ(ClassOf(message), base::FrameClass::kControl);
}

// docs/formats/eraft-frames.md shows the frames of Append() and of an answer.
TEST(NodeFrames, TheExamplesOfTheDocumentationDecode) {
  std::ifstream file(
      absl::StrCat(SLIPWAY_TEST_SOURCE_DIR, "/../../../docs/formats/eraft-frames.md"));
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::vector<base::Bytes> examples;
  bool inside = false;
  std::string hex;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (line == "```hex") {
      inside = true;
    } else if (inside && line == "```") {
      const auto bytes = base::FromHex(hex);
      ASSERT_OK(bytes) << hex;
      examples.push_back(*bytes);
      inside = false;
      hex.clear();
    } else if (inside) {
      for (const char c : line) {
        if (!absl::ascii_isspace(static_cast<unsigned char>(c))) hex.push_back(c);
      }
    }
  }
  ASSERT_EQ(examples.size(), 2u);
  const auto append = DecodeFrame(examples[0]);
  ASSERT_OK(append) << base::ToHex(EncodeFrame(7, Append()));
  EXPECT_EQ(append->group, 7u);
  EXPECT_TRUE(Same(std::get<raft::Message>(append->body), Append()));
  const SnapshotAnswer taken = {.transfer = 77, .reply = SnapshotReply::kTaken, .next = 4};
  const auto answer = DecodeFrame(examples[1]);
  ASSERT_OK(answer) << base::ToHex(EncodeFrame(7, taken));
  EXPECT_EQ(std::get<SnapshotAnswer>(answer->body), taken);
}

}  // namespace
}  // namespace slipway::eraft
