#include "base/protobuf_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace slipway::base {
namespace {

using Rules = ProtobufReader::Rules;

struct Message {
  bool ok = false;
  uint64_t number = 0;
  std::string text;
  size_t unknown = 0;
};

// number = 1, text = 2, within a submessage 3 the same again.
bool Read(ProtobufReader& in, size_t end, Message* out) {
  return in.Fields(end, [&](uint32_t field, ProtobufType type) -> std::optional<bool> {
    if (field == 1 && type == ProtobufType::kVarint) return in.Varint(&out->number);
    if (field == 2 && type == ProtobufType::kBytes) return in.Text(8, &out->text);
    if (field == 3 && type == ProtobufType::kBytes) {
      size_t inner = 0;
      return in.Enter(end, &inner) && Read(in, inner, out);
    }
    ++out->unknown;
    return std::nullopt;
  });
}

Message Parse(const Bytes& bytes, Rules rules = Rules::kStrict) {
  Message message;
  const BytesView view(bytes);
  ProtobufReader in(absl::MakeSpan(&view, 1), rules);
  message.ok = Read(in, 0, &message);
  return message;
}

TEST(ProtobufReader, ReadsFieldsWhereverTheBytesAreCut) {
  const Bytes bytes = {0x1a, 8, 0x08, 0xac, 0x02, 0x12, 3, 'a', 'b', 'c',  0x29, 1, 2,    3, 4,
                       5,    6, 7,    8,    0x35, 1,    2, 3,   4,   0x3a, 1,    9, 0x40, 7};
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    const BytesView whole(bytes);
    const std::vector<BytesView> pieces = {whole.subspan(0, cut), {}, whole.subspan(cut)};
    ProtobufReader in(pieces);
    Message message;
    ASSERT_TRUE(Read(in, 0, &message)) << cut;
    EXPECT_EQ(message.number, 300u);
    EXPECT_EQ(message.text, "abc");
    EXPECT_EQ(message.unknown, 4u);
    EXPECT_EQ(in.left(), 0u);
  }
}

TEST(ProtobufReader, WhatIsNoMessageIsRefused) {
  const std::vector<Bytes> bad = {
      {0x08},                                // no number
      {0x00, 0x01},                          // field 0
      {0x12, 4, 'a'},                        // more than there is
      {0x12, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9},  // more than it takes
      {0x1a, 2, 0x12, 1, 'x'},               // past its submessage
      {0x1a, 3, 0x1a, 2, 0x08, 0x01},        // a submessage, likewise
      {0x0e, 1},                             // no such type
      {0x4c},                                // a group ends
      {0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},  // too long
      {0x12, 0x80, 0x80, 0x80, 0x80, 0x80, 0},  // a length of six bytes
      {0x2d, 1, 2, 3},                          // cut
  };
  for (const Rules rules : {Rules::kStrict, Rules::kAsGenerated}) {
    for (const Bytes& bytes : bad) EXPECT_FALSE(Parse(bytes, rules).ok) << ToHex(bytes);
  }
}

TEST(ProtobufReader, StrictRulesTakeLess) {
  const std::vector<Bytes> odd = {
      {0x4b, 0x08, 1, 0x4c},                                            // a group
      {0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 3},  // 65 bits
  };
  for (const Bytes& bytes : odd) {
    EXPECT_FALSE(Parse(bytes, Rules::kStrict).ok) << ToHex(bytes);
    EXPECT_TRUE(Parse(bytes, Rules::kAsGenerated).ok) << ToHex(bytes);
  }
  Bytes nested;
  for (int i = 0; i <= ProtobufReader::kDepthMax; ++i) nested.push_back(0x4b);
  for (int i = 0; i <= ProtobufReader::kDepthMax; ++i) nested.push_back(0x4c);
  EXPECT_FALSE(Parse(nested, Rules::kAsGenerated).ok);
}

TEST(ProtobufReader, ABoolIsOneBit) {
  const Bytes two = {2};
  const BytesView view(two);
  bool value = false;
  EXPECT_TRUE(ProtobufReader(absl::MakeSpan(&view, 1)).Bool(&value));
  EXPECT_TRUE(value);
  EXPECT_FALSE(ProtobufReader(absl::MakeSpan(&view, 1), Rules::kStrict).Bool(&value));
}

}  // namespace
}  // namespace slipway::base
