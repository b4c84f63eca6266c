// Archives that no package may be, made from scratch, and the pieces to make them of. For tests.
// Thread-safe: free functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "deploy/pack/tar.h"

namespace slipway::deploy {

// A header block with any fields, its checksum right.
std::string RawHeader(absl::string_view name, char type, absl::string_view size_field,
                      absl::string_view link = "", absl::string_view magic = {"ustar\00000", 8});
// The block with the checksum that its fields have now.
std::string Sealed(std::string block);
// A pax header of type 'x' or 'g' around `records`, and one record.
std::string Pax(char type, absl::string_view records);
std::string Record(absl::string_view key, absl::string_view value);

TarMember FileMember(std::string path, uint64_t size = 0);
// The header of a member as the packer writes it.
std::string Header(const TarMember& member);
// Header, `fill` as data, padding.
std::string WholeMember(const TarMember& member, char fill = 'x');

// Header of an empty file with that time in the binary form of GNU tar.
std::string WithTime(int64_t seconds);

struct HostileArchive {
  std::string name;
  std::string bytes;                      // of the tar
  std::string code;                       // of the refusal
  std::string reason;                     // in its text
  std::optional<uint64_t> content_bytes;  // what a manifest would announce
};

// What the reader alone refuses (D191), and what takes knowledge of earlier members or of limits
// (D191, D192).
std::vector<HostileArchive> HostileSyntax();
std::vector<HostileArchive> HostileTrees();

}  // namespace slipway::deploy
