#include "kzg/setup/setup_file.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/digest/sha256.h"
#include "base/mutant.h"
#include "base/status.h"
#include "kzg/setup/format.h"

namespace slipway::kzg {
namespace {

using base::BytesView;
using base::LoadLittle;
using base::StoreLittle;
using bls12_381::G1Entry;
using bls12_381::G2Affine;

// Entries are read where they lie in the file.
static_assert(sizeof(G1Entry) == format::kG1EntryBytes);
static_assert(alignof(G1Entry) <= 64);
static_assert(std::is_trivially_copyable_v<G1Entry>);

constexpr uint64_t kFileBytesMax = uint64_t{1} << 32;

struct G2Entry {
  bls12_381::Fp2 x, y;
};
static_assert(sizeof(G2Entry) == format::kG2EntryBytes);

size_t PageEnd(size_t at) {
  return (at + format::kPageBytes - 1) / format::kPageBytes * format::kPageBytes;
}

// How many bytes each section has.
std::vector<size_t> SectionBytes(const std::optional<TablePlan>& plan) {
  std::vector<size_t> bytes = {kSetupG1Points * format::kG1EntryBytes,
                               kSetupG2Points * format::kG2EntryBytes,
                               kSetupG1Points * format::kG1EntryBytes};
  if (plan.has_value()) {
    bytes.push_back(plan->blob_shape().bytes());
    bytes.push_back(plan->cell_shape().bytes());
    bytes.push_back(plan->lane_shape().bytes());
  }
  return bytes;
}

BytesView AsByteView(absl::Span<const G1Entry> entries) {
  return {reinterpret_cast<const uint8_t*>(entries.data()), entries.size() * sizeof(G1Entry)};
}

absl::Status Damaged(absl::string_view name, absl::string_view what) {
  return absl::DataLossError(absl::StrCat("read setup file ", name, ": ", what));
}

struct Header {
  SetupId id;
  std::optional<TablePlan> plan;
  std::vector<BytesView> sections;
};

absl::Status CheckHeaderForm(BytesView bytes, absl::string_view name) {
  const uint8_t* at = bytes.data();
  if (!IsSetupFile(bytes)) return Damaged(name, "it is no setup file (its first bytes are wrong)");
  if (bytes.size() < format::kHeaderBytes) {
    return Damaged(name, absl::StrCat("it is cut short: ", bytes.size(), " bytes"));
  }
  const auto version = LoadLittle<uint32_t>(at + format::kVersionAt);
  if (version != format::kVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat("read setup file ", name, ": format ", version, " is ",
                     version > format::kVersion ? "newer" : "older", " than this program's, ",
                     format::kVersion));
  }
  if (LoadLittle<uint32_t>(at + format::kByteOrderAt) != format::kByteOrder) {
    return absl::FailedPreconditionError(absl::StrCat(
        "read setup file ", name, ": it was written on a machine of another byte order"));
  }
  const base::Sha256Digest digest = base::Sha256Of(bytes.subspan(0, format::kHeaderDigestAt));
  if (!std::equal(digest.begin(), digest.end(), at + format::kHeaderDigestAt)) {
    return Damaged(name, "its header is damaged (wrong digest)");
  }
  return absl::OkStatus();
}

bool IsSane(const TablePlan& plan) {
  const auto sane = [](int bits) { return bits >= 2 && bits <= 15; };
  return sane(plan.blob_bits) && sane(plan.cell_bits) && sane(plan.lane_bits);
}

absl::StatusOr<Header> ReadHeader(BytesView bytes, absl::string_view name, DigestCheck check) {
  SLIPWAY_RETURN_IF_ERROR(CheckHeaderForm(bytes, name));
  const uint8_t* at = bytes.data();
  Header header;
  std::copy_n(at + format::kIdAt, header.id.size(), header.id.begin());
  const auto sections = LoadLittle<uint32_t>(at + format::kSectionCountAt);
  if (sections == format::kSectionsMax) {
    TablePlan plan;
    plan.blob_bits = static_cast<int>(LoadLittle<uint32_t>(at + format::kBlobBitsAt));
    plan.cell_bits = static_cast<int>(LoadLittle<uint32_t>(at + format::kCellBitsAt));
    plan.lane_bits = static_cast<int>(LoadLittle<uint32_t>(at + format::kLaneBitsAt));
    if (!IsSane(plan)) return Damaged(name, "its table parameters make no sense");
    header.plan = plan;
  } else if (sections != format::kSectionsWithoutTables) {
    return Damaged(name, absl::StrCat("it claims ", sections, " sections"));
  }
  const auto file_bytes = LoadLittle<uint64_t>(at + format::kFileBytesAt);
  if (file_bytes != bytes.size()) {
    return Damaged(name, absl::StrCat("it has ", bytes.size(), " bytes instead of ", file_bytes));
  }
  size_t expected_at = format::kHeaderBytes;
  const std::vector<size_t> sizes = SectionBytes(header.plan);
  for (size_t i = 0; i < sizes.size(); ++i) {
    const auto offset = LoadLittle<uint64_t>(at + format::kSectionsAt + 16 * i);
    const auto size = LoadLittle<uint64_t>(at + format::kSectionsAt + 16 * i + 8);
    if (offset != expected_at || size != sizes[i] || offset + size > bytes.size()) {
      return Damaged(name, absl::StrCat("section ", i, " does not lie where it must"));
    }
    header.sections.push_back(bytes.subspan(offset, size));
    expected_at = PageEnd(offset + size);
  }
  if (check == DigestCheck::kFull && !SLIPWAY_MUTANT("kzg-cache-digest")) {
    const base::Sha256Digest digest = base::Sha256Of(bytes.subspan(format::kHeaderBytes));
    if (!std::equal(digest.begin(), digest.end(), at + format::kPayloadDigestAt)) {
      return Damaged(name, "its contents are damaged (wrong digest)");
    }
  }
  return header;
}

absl::Span<const G1Entry> EntriesOf(BytesView section) {
  return {reinterpret_cast<const G1Entry*>(section.data()), section.size() / sizeof(G1Entry)};
}

struct DecodedPoints {
  std::vector<G1Affine> lagrange, monomial;
  std::vector<G2Affine> g2;
};

std::vector<G1Affine> DecodeG1(BytesView section) {
  std::vector<G1Affine> points;
  points.reserve(section.size() / sizeof(G1Entry));
  for (const G1Entry& entry : EntriesOf(section)) points.push_back(entry.ToAffine());
  return points;
}

std::vector<G2Affine> DecodeG2(BytesView section) {
  std::vector<G2Affine> points(section.size() / sizeof(G2Entry));
  for (size_t i = 0; i < points.size(); ++i) {
    G2Entry entry;
    std::memcpy(&entry, section.data() + i * sizeof(entry), sizeof(entry));
    points[i] = {entry.x, entry.y, entry.y.IsZero()};
  }
  return points;
}

bool IsCanonical(const bls12_381::Fp& value) {
  const auto& p = bls12_381::kFpModulus;
  return std::lexicographical_compare(std::rbegin(value.limb), std::rend(value.limb),
                                      std::rbegin(p), std::rend(p));
}
bool IsCanonical(const bls12_381::Fp2& value) {
  return IsCanonical(value.c0) && IsCanonical(value.c1);
}
template <class Point>
bool AreOnCurve(const std::vector<Point>& points) {
  return std::all_of(points.begin(), points.end(), [](const Point& point) {
    return point.infinity || (IsCanonical(point.x) && IsCanonical(point.y) && point.IsOnCurve());
  });
}

// The id is a claim until the points have given it: the digests only tell accidents. Compressed
// points lack most of y, so whether they are on the curve is asked first.
absl::Status CheckPoints(const DecodedPoints& points, const SetupId& id, absl::string_view name) {
  if (SLIPWAY_MUTANT("kzg-setup-id-claimed")) return absl::OkStatus();
  if (!AreOnCurve(points.lagrange) || !AreOnCurve(points.monomial) || !AreOnCurve(points.g2)) {
    return Damaged(name, "some of its points are not on their curve");
  }
  const base::Bytes bytes = EncodeSetup({points.lagrange, points.g2, points.monomial, nullptr});
  if (SetupIdOf(bytes) == id) return absl::OkStatus();
  return Damaged(name, "its points are not those of the setup that it names");
}

std::vector<G1Entry> EncodeG1(absl::Span<const G1Affine> points) {
  std::vector<G1Entry> entries;
  entries.reserve(points.size());
  for (const G1Affine& point : points) entries.push_back(G1Entry::FromAffine(point));
  return entries;
}

// Zero bytes up to the next page, and the digest of all that was put.
class PayloadWriter {
 public:
  explicit PayloadWriter(base::File& file) : file_(file) {}

  absl::Status Put(BytesView bytes) {
    SLIPWAY_RETURN_IF_ERROR(Write(bytes));
    const base::Bytes padding(PageEnd(at_) - at_);
    return Write(padding);
  }
  size_t at() const { return at_; }
  base::Sha256Digest Digest() { return hash_.Finish(); }

 private:
  absl::Status Write(BytesView bytes) {
    hash_.Update(bytes);
    SLIPWAY_RETURN_IF_ERROR(file_.WriteAt(at_, bytes));
    at_ += bytes.size();
    return absl::OkStatus();
  }

  base::File& file_;
  base::Sha256 hash_;
  size_t at_ = format::kHeaderBytes;
};

base::Bytes MakeHeader(const Setup& setup, absl::Span<const BytesView> sections, size_t file_bytes,
                       const base::Sha256Digest& payload) {
  base::Bytes header(format::kHeaderBytes);
  uint8_t* at = header.data();
  std::memcpy(at, format::kMagic, sizeof(format::kMagic));
  StoreLittle<uint32_t>(at + format::kVersionAt, format::kVersion);
  StoreLittle<uint32_t>(at + format::kByteOrderAt, format::kByteOrder);
  std::copy(setup.id().begin(), setup.id().end(), at + format::kIdAt);
  if (setup.tables() != nullptr) {
    const TablePlan& plan = setup.tables()->plan();
    StoreLittle<uint32_t>(at + format::kBlobBitsAt, static_cast<uint32_t>(plan.blob_bits));
    StoreLittle<uint32_t>(at + format::kCellBitsAt, static_cast<uint32_t>(plan.cell_bits));
    StoreLittle<uint32_t>(at + format::kLaneBitsAt, static_cast<uint32_t>(plan.lane_bits));
  }
  StoreLittle<uint32_t>(at + format::kSectionCountAt, static_cast<uint32_t>(sections.size()));
  StoreLittle<uint64_t>(at + format::kFileBytesAt, file_bytes);
  std::copy(payload.begin(), payload.end(), at + format::kPayloadDigestAt);
  size_t offset = format::kHeaderBytes;
  for (size_t i = 0; i < sections.size(); ++i) {
    StoreLittle<uint64_t>(at + format::kSectionsAt + 16 * i, offset);
    StoreLittle<uint64_t>(at + format::kSectionsAt + 16 * i + 8, sections[i].size());
    offset = PageEnd(offset + sections[i].size());
  }
  const base::Sha256Digest digest =
      base::Sha256Of(BytesView(header).subspan(0, format::kHeaderDigestAt));
  std::copy(digest.begin(), digest.end(), at + format::kHeaderDigestAt);
  return header;
}

// A heap copy of a file, aligned as a mapping would be for what is in it.
struct AlignedCopy {
  explicit AlignedCopy(size_t size) : bytes(new (std::align_val_t{64}) uint8_t[size]) {}
  ~AlignedCopy() { operator delete[](bytes, std::align_val_t{64}); }
  AlignedCopy(const AlignedCopy&) = delete;
  AlignedCopy& operator=(const AlignedCopy&) = delete;
  uint8_t* const bytes;
};

}  // namespace

absl::StatusOr<FileImage> ReadImage(base::Files& files, const std::string& path) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::string real, files.Canonical(path));
  const auto [parent, name] = base::SplitPath(real);
  SLIPWAY_ASSIGN_OR_RETURN(const auto dir,
                           files.OpenRoot(parent.empty() ? absl::string_view("/") : parent));
  SLIPWAY_ASSIGN_OR_RETURN(const auto file, dir->Open(name, {}));
  SLIPWAY_ASSIGN_OR_RETURN(const base::Meta meta, file->Stat());
  if (meta.size_bytes > kFileBytesMax) {
    return absl::ResourceExhaustedError(absl::StrCat("read ", path, ": it has ", meta.size_bytes,
                                                     " bytes; the limit is ", kFileBytesMax));
  }
  auto copy = std::make_shared<AlignedCopy>(meta.size_bytes);
  SLIPWAY_ASSIGN_OR_RETURN(const size_t read,
                           file->ReadAt(0, absl::MakeSpan(copy->bytes, meta.size_bytes)));
  return FileImage{BytesView(copy->bytes, read), copy, meta.uid, meta.mode};
}

std::string SetupFileName(const SetupId& id, const TablePlan* plan) {
  return absl::StrCat("kzg-", base::ToHex(BytesView(id).subspan(0, 8)), "-", format::kVersion, "-",
                      plan == nullptr ? "none" : plan->name(), ".tbl");
}

bool IsSetupFile(BytesView bytes) {
  return bytes.size() >= sizeof(format::kMagic) &&
         std::memcmp(bytes.data(), format::kMagic, sizeof(format::kMagic)) == 0;
}

absl::StatusOr<std::shared_ptr<const Setup>> ParseSetupFile(FileImage image, absl::string_view name,
                                                            DigestCheck check) {
  SLIPWAY_ASSIGN_OR_RETURN(const Header header, ReadHeader(image.bytes, name, check));
  auto decoded = std::make_shared<DecodedPoints>();
  decoded->lagrange = DecodeG1(header.sections[format::kLagrange]);
  decoded->monomial = DecodeG1(header.sections[format::kMonomial]);
  decoded->g2 = DecodeG2(header.sections[format::kG2]);
  SLIPWAY_RETURN_IF_ERROR(CheckPoints(*decoded, header.id, name));
  std::shared_ptr<const ProvingTables> tables;
  if (header.plan.has_value()) {
    tables = ProvingTables::FromEntries(*header.plan,
                                        {.blob = EntriesOf(header.sections[format::kBlobTable]),
                                         .cell = EntriesOf(header.sections[format::kCellTable]),
                                         .lane = EntriesOf(header.sections[format::kLaneTable]),
                                         .owner = std::move(image.owner)});
  }
  return Setup::Make({decoded->lagrange, decoded->g2, decoded->monomial, decoded}, header.id,
                     std::move(tables));
}

absl::Status WriteSetupFile(base::Dir& dir, absl::string_view name, const Setup& setup) {
  const std::vector<G1Entry> lagrange = EncodeG1(setup.points().g1_lagrange);
  const std::vector<G1Entry> monomial = EncodeG1(setup.points().g1_monomial);
  std::vector<G2Entry> g2;
  for (const G2Affine& point : setup.points().g2_monomial) {
    g2.push_back(point.infinity ? G2Entry{} : G2Entry{point.x, point.y});
  }
  std::vector<BytesView> sections = {
      AsByteView(lagrange),
      BytesView(reinterpret_cast<const uint8_t*>(g2.data()), g2.size() * sizeof(G2Entry)),
      AsByteView(monomial)};
  if (setup.tables() != nullptr) {
    const ProvingTables::Entries& entries = setup.tables()->entries();
    for (const auto table : {entries.blob, entries.cell, entries.lane}) {
      sections.push_back(AsByteView(table));
    }
  }
  SLIPWAY_ASSIGN_OR_RETURN(const auto file, dir.CreateTemp());
  PayloadWriter writer(*file);
  for (const BytesView section : sections) SLIPWAY_RETURN_IF_ERROR(writer.Put(section));
  const base::Sha256Digest digest = writer.Digest();
  SLIPWAY_RETURN_IF_ERROR(file->WriteAt(0, MakeHeader(setup, sections, writer.at(), digest)));
  SLIPWAY_RETURN_IF_ERROR(file->SetMeta({.mode = 0644, .mtime = {}, .xattrs = {}}));
  if (!SLIPWAY_MUTANT("kzg-cache-unsynced")) SLIPWAY_RETURN_IF_ERROR(file->Sync());
  SLIPWAY_RETURN_IF_ERROR(dir.Publish(*file, name, base::RenameMode::kReplace));
  return dir.Sync();
}

}  // namespace slipway::kzg
