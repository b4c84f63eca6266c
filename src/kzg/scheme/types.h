// Sizes and byte types of EIP-4844 and EIP-7594. Thread-safe: plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace slipway::kzg {

inline constexpr size_t kBytesPerFieldElement = 32;
inline constexpr size_t kFieldElementsPerBlob = 4096;
inline constexpr int kBlobLog2 = 12;
inline constexpr size_t kFieldElementsPerExtBlob = 8192;
inline constexpr int kExtBlobLog2 = 13;
inline constexpr size_t kBytesPerBlob = 131072;
inline constexpr size_t kFieldElementsPerCell = 64;
inline constexpr int kCellLog2 = 6;
inline constexpr size_t kBytesPerCell = 2048;
inline constexpr size_t kCellsPerExtBlob = 128;
inline constexpr int kCellsLog2 = 7;
inline constexpr size_t kCellsPerBlob = 64;
inline constexpr size_t kBytesPerG1 = 48;
inline constexpr size_t kBytesPerG2 = 96;
inline constexpr size_t kSetupG1Points = 4096;
inline constexpr size_t kSetupG2Points = 65;
inline constexpr size_t kSetupBytes =
    2 * kSetupG1Points * kBytesPerG1 + kSetupG2Points * kBytesPerG2;

static_assert(kFieldElementsPerBlob == size_t{1} << kBlobLog2);
static_assert(kFieldElementsPerExtBlob == size_t{1} << kExtBlobLog2);
static_assert(kBytesPerBlob == kFieldElementsPerBlob * kBytesPerFieldElement);
static_assert(kBytesPerCell == kFieldElementsPerCell * kBytesPerFieldElement);
static_assert(kCellsPerExtBlob * kFieldElementsPerCell == kFieldElementsPerExtBlob);
static_assert(kCellsPerBlob * kFieldElementsPerCell == kFieldElementsPerBlob);
static_assert(kSetupBytes == 399'456);

using base::BytesView;

using Bytes32 = std::array<uint8_t, kBytesPerFieldElement>;
using Bytes48 = std::array<uint8_t, kBytesPerG1>;
using Commitment = Bytes48;
using Proof = Bytes48;
using Cell = std::array<uint8_t, kBytesPerCell>;

}  // namespace slipway::kzg
