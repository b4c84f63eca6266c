// Any bytes as a tar stream: the reader ends, never reads beyond what a member announced, and hands
// out only names that a package may have (D191).
#include <cstdint>

#include "absl/strings/string_view.h"
#include "base/check.h"
#include "deploy/pack/extracted_tree.h"
#include "deploy/pack/memory_source.h"
#include "deploy/pack/names.h"
#include "deploy/pack/tar_reader.h"
#include "deploy/pack/tar_writer.h"

using slipway::deploy::CleanMemberName;
using slipway::deploy::ExtractedTree;
using slipway::deploy::MemorySource;
using slipway::deploy::TarMember;
using slipway::deploy::TarPiece;
using slipway::deploy::TarReader;

namespace {

void CheckMember(const TarMember& member) {
  const absl::StatusOr<std::string> clean = CleanMemberName(member.path);
  SLIPWAY_CHECK(clean.ok());
  SLIPWAY_CHECK(*clean == member.path);
  uint64_t end = 0;
  for (const auto& [offset, size] : member.ranges) {
    SLIPWAY_CHECK(offset >= end);
    SLIPWAY_CHECK(size <= member.size_bytes - offset);
    end = offset + size;
  }
}

// Mutations seldom keep a checksum right: the blocks that look like headers get theirs.
std::string Sealed(absl::string_view input) {
  std::string bytes(input);
  for (size_t at = 0; at + 512 <= bytes.size(); at += 512) {
    if (bytes.compare(at + 257, 5, "ustar") != 0) continue;
    bytes.replace(at + 148, 8, "        ");
    unsigned sum = 0;
    for (size_t i = at; i < at + 512; ++i) sum += static_cast<unsigned char>(bytes[i]);
    for (size_t digit = 6; digit-- > 0; sum >>= 3) {
      bytes[at + 148 + digit] = static_cast<char>('0' + (sum & 7));
    }
  }
  return bytes;
}

void ReadAll(absl::string_view input) {
  MemorySource source(input, 777);
  TarReader reader(source);
  ExtractedTree tree;
  slipway::base::Bytes buffer(1000);
  while (true) {
    const absl::StatusOr<std::optional<TarMember>> member = reader.Next();
    if (!member.ok() || !member->has_value()) break;
    CheckMember(**member);
    if (!tree.Admit(**member).ok()) break;
    uint64_t end = 0;
    while (true) {
      const absl::StatusOr<TarPiece> piece = reader.Read(absl::MakeSpan(buffer));
      if (!piece.ok()) return;
      if (piece->size == 0) break;
      SLIPWAY_CHECK(piece->offset >= end);
      end = piece->offset + piece->size;
      SLIPWAY_CHECK(end <= (*member)->size_bytes);
    }
    // What was read can be written: the writer's own form of it.
    (void)slipway::deploy::FormatTarHeader(**member);
  }
  for (const slipway::deploy::IndexEntry& entry : tree.entries()) {
    if (entry.type != slipway::deploy::IndexEntry::Type::kSymlink) continue;
    (void)slipway::deploy::CheckSymlink(entry.path, entry.link, false);
  }
  (void)tree.CheckSymlinksResolved();
  SLIPWAY_CHECK(reader.offset_bytes() <= input.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  ReadAll(input);
  ReadAll(Sealed(input));
  return 0;
}
