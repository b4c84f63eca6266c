#include "base/digest/canonical.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <utility>

#include "absl/strings/str_split.h"

namespace slipway::base {
namespace {

// The value of the example in docs/formats/canonical-encoding.md.
CanonicalEncoder Example() {
  CanonicalEncoder encoder;
  encoder.BeginRecord("example.v1");
  encoder.AddUnsigned(5);
  encoder.AddText("hi");
  encoder.BeginMap();
  encoder.AddText("b");
  encoder.AddBool(true);
  encoder.AddText("a");
  encoder.AddNone();
  encoder.EndMap();
  encoder.BeginList();
  encoder.AddSigned(-1);
  encoder.EndList();
  encoder.EndRecord();
  return encoder;
}

std::string ReadDocument() {
  std::ifstream in(SLIPWAY_TEST_SOURCE_DIR "/../../../docs/formats/canonical-encoding.md");
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// The hexadecimal digits of the document's block ```hex, without what stands behind a `#`.
std::string DocumentedHex() {
  const std::string text = ReadDocument();
  const size_t begin = text.find("```hex\n");
  if (begin == std::string::npos) return "";
  const std::string block = text.substr(begin + 7, text.find("```", begin + 7) - begin - 7);
  std::string hex;
  for (const absl::string_view line : absl::StrSplit(block, '\n')) {
    for (const char c : line.substr(0, line.find('#'))) {
      if (c != ' ') hex += c;
    }
  }
  return hex;
}

// Z85. These bytes are a promise: a change here changes every structural hash.
TEST(CanonicalEncoder, ScalarsHaveTheseBytes) {
  CanonicalEncoder encoder;
  encoder.AddNone();
  encoder.AddBool(false);
  encoder.AddBool(true);
  encoder.AddUnsigned(0x0102030405060708);
  encoder.AddSigned(-2);
  encoder.AddBytes({});
  encoder.AddText("ab");
  EXPECT_EQ(ToHex(encoder.bytes()),
            "00"
            "01"
            "02"
            "030807060504030201"
            "04feffffffffffffff"
            "050000000000000000"
            "0602000000000000006162");
  CanonicalEncoder digest;
  digest.AddDigest(Blake3Of({}));
  EXPECT_EQ(ToHex(digest.bytes()),
            "07af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
}

TEST(CanonicalEncoder, ExampleOfTheDocumentHasTheBytesAndTheHashItShows) {
  EXPECT_EQ(ToHex(Example().bytes()), DocumentedHex());
  EXPECT_THAT(ReadDocument(), ::testing::HasSubstr(ToHex(Example().Hash())));
  EXPECT_EQ(Example().Hash(), Blake3Of(Example().bytes()));
}

TEST(CanonicalEncoder, OrderOfInsertionIntoAMapDoesNotShow) {
  std::mt19937_64 random(1);
  std::vector<std::pair<std::string, uint64_t>> entries;
  for (uint64_t i = 0; i < 50; ++i)
    entries.emplace_back(std::string(i % 7, 'x') + ToHex(Bytes{static_cast<uint8_t>(i)}), i);
  const auto encode = [&entries] {
    CanonicalEncoder encoder;
    encoder.BeginMap();
    for (const auto& [name, value] : entries) {
      encoder.AddText(name);
      encoder.BeginList();  // values may be of any shape
      encoder.AddUnsigned(value);
      encoder.EndList();
    }
    encoder.EndMap();
    return encoder.bytes();
  };
  const Bytes first = encode();
  for (int i = 0; i < 20; ++i) {
    std::shuffle(entries.begin(), entries.end(), random);
    EXPECT_EQ(encode(), first);
  }
}

// A value, and a reader of the format written from the document alone.
struct Value {
  int tag = 0;
  uint64_t number = 0;
  std::string text;          // bytes, text, digest
  std::vector<Value> items;  // list; map: key, value, …; record: type, then fields
  bool operator==(const Value&) const = default;
};

Value Decode(BytesView& in) {
  Value value;
  value.tag = in[0];
  in.remove_prefix(1);
  if (value.tag <= 2) return value;
  if (value.tag == 7) {
    value.text = std::string(AsText(in.subspan(0, 32)));
    in.remove_prefix(32);
    return value;
  }
  value.number = LoadLittle<uint64_t>(in.data());
  in.remove_prefix(8);
  if (value.tag <= 4) return value;
  BytesView content = in.subspan(0, value.number);
  in.remove_prefix(value.number);
  if (value.tag <= 6) {
    value.text = std::string(AsText(content));
  } else {
    while (!content.empty()) value.items.push_back(Decode(content));
  }
  value.number = 0;
  return value;
}

Value RandomValue(std::mt19937_64& random, int depth) {
  Value value;
  value.tag = static_cast<int>(random() % (depth > 0 ? 10 : 8));
  if (value.tag == 3 || value.tag == 4) value.number = random() % 3;
  if (value.tag == 5 || value.tag == 6) value.text = std::string(random() % 3, '\0');
  if (value.tag == 7) value.text = std::string(32, static_cast<char>(random()));
  if (value.tag == 8) {
    for (uint64_t i = random() % 4; i > 0; --i) {
      value.items.push_back(RandomValue(random, depth - 1));
    }
  }
  if (value.tag == 9) {
    for (uint64_t i = random() % 4; i > 0; --i) {
      value.items.push_back({.tag = 3, .number = i, .text = "", .items = {}});
      value.items.push_back(RandomValue(random, depth - 1));
    }
  }
  return value;
}

void Encode(const Value& value, CanonicalEncoder& encoder) {
  switch (value.tag) {
    case 0:
      return encoder.AddNone();
    case 1:
    case 2:
      return encoder.AddBool(value.tag == 2);
    case 3:
      return encoder.AddUnsigned(value.number);
    case 4:
      return encoder.AddSigned(static_cast<int64_t>(value.number));
    case 5:
      return encoder.AddBytes(AsBytes(value.text));
    case 6:
      return encoder.AddText(value.text);
    case 7: {
      Blake3Digest digest;
      std::copy(value.text.begin(), value.text.end(), digest.begin());
      return encoder.AddDigest(digest);
    }
    default:
      value.tag == 8 ? encoder.BeginList() : encoder.BeginMap();
      for (const Value& item : value.items) Encode(item, encoder);
      value.tag == 8 ? encoder.EndList() : encoder.EndMap();
  }
}

// Keys of a map in the order of their encodings; here they are numbers below 256.
Value Sorted(Value value) {
  for (Value& item : value.items) item = Sorted(item);
  if (value.tag != 9) return value;
  std::map<uint64_t, Value> entries;
  for (size_t i = 0; i < value.items.size(); i += 2) {
    entries[value.items[i].number] = value.items[i + 1];
  }
  value.items.clear();
  for (const auto& [key, entry] : entries) {
    value.items.push_back({.tag = 3, .number = key, .text = "", .items = {}});
    value.items.push_back(entry);
  }
  return value;
}

TEST(CanonicalEncoder, DifferentValuesHaveDifferentBytes) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 3000; ++i) {
    const Value value = RandomValue(random, 3);
    CanonicalEncoder encoder;
    Encode(value, encoder);
    BytesView rest(encoder.bytes());
    EXPECT_EQ(Decode(rest), Sorted(value));  // nothing is lost, so nothing can collide
    EXPECT_TRUE(rest.empty());
  }
}

TEST(CanonicalEncoder, TypeOfARecordIsPartOfIt) {
  const auto encode = [](absl::string_view type) {
    CanonicalEncoder encoder;
    encoder.BeginRecord(type);
    encoder.EndRecord();
    return encoder.Hash();
  };
  EXPECT_NE(encode("a.v1"), encode("a.v2"));
}

TEST(CanonicalEncoderDeathTest, BugsOfTheCallerAbort) {
  CanonicalEncoder twice;
  twice.BeginMap();
  for (int i = 0; i < 2; ++i) {
    twice.AddText("same key");
    twice.AddNone();
  }
  EXPECT_DEATH(twice.EndMap(), "key");
  CanonicalEncoder odd;
  odd.BeginMap();
  odd.AddText("key without value");
  EXPECT_DEATH(odd.EndMap(), "");
  CanonicalEncoder open;
  open.BeginList();
  EXPECT_DEATH(open.EndMap(), "");
  EXPECT_DEATH(open.Hash(), "");
}

}  // namespace
}  // namespace slipway::base
