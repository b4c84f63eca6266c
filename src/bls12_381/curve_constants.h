// Constants of the curves in Montgomery form. curve_constants_test.cc computes each one anew.
// Internal to this folder.
#pragma once

#include "bls12_381/fp2.h"

namespace slipway::bls12_381::internal {

// |x| of the parameter x = -0xd201000000010000.
inline constexpr uint64_t kParameter = 0xd201000000010000;

inline constexpr Fp kG1GeneratorX = {{0x5cb38790fd530c16, 0x7817fc679976fff5, 0x154f95c7143ba1c1,
                                      0xf0ae6acdf3d0e747, 0xedce6ecc21dbf440, 0x120177419e0bfb75}};
inline constexpr Fp kG1GeneratorY = {{0xbaac93d50ce72271, 0x8c22631a7918fd8e, 0xdd595f13570725ce,
                                      0x51ac582950405194, 0x0e1c8c3fad0059c0, 0x0bbc3efc5008a26a}};
inline constexpr Fp2 kG2GeneratorX = {
    {{0xf5f28fa202940a10, 0xb3f5fb2687b4961a, 0xa1a893b53e2ae580, 0x9894999d1a3caee9,
      0x6f67b7631863366b, 0x058191924350bcd7}},
    {{0xa5a9c0759e23f606, 0xaaa0c59dbccd60c3, 0x3bb17e18e2867806, 0x1b1ab6cc8541b367,
      0xc2b6ed0ef2158547, 0x11922a097360edf3}}};
inline constexpr Fp2 kG2GeneratorY = {
    {{0x4c730af860494c4a, 0x597cfa1f5e369c5a, 0xe7e6856caa0a635a, 0xbbefb5e96e0d495f,
      0x07d3a975f0ef25a2, 0x0083fd8e7e80dae5}},
    {{0xadc0fc92df64b05d, 0x18aa270a2b1461dc, 0x86adac6a3be4eba0, 0x79495c4ec93da33a,
      0xe7175850a43ccaed, 0x0b2bc2a163de1bf2}}};

// Cube roots of one in Fp: (beta x, y) = [x^2 - 1](x, y), (beta^2 x, y) = [-x^2](x, y) on G1.
inline constexpr Fp kBeta = {{0xcd03c9e48671f071, 0x5dab22461fcda5d2, 0x587042afd3851b95,
                              0x8eb60ebe01bacb9e, 0x03f97d6e83d050d2, 0x18f0206554638741}};
inline constexpr Fp kBetaSquared = {{0x30f1361b798a64e8, 0xf3b8ddab7ece5a2a, 0x16a8ca3ac61577f7,
                                     0xc26a2ff874fd029b, 0x3636b76660701c6e, 0x051ba4ab241b6160}};

// psi(X, Y) = (conj(X) kPsiX, conj(Y) kPsiY) on the twist; [x] on G2.
inline constexpr Fp2 kPsiX = {{{0x0000000000000000, 0x0000000000000000, 0x0000000000000000,
                                0x0000000000000000, 0x0000000000000000, 0x0000000000000000}},
                              {{0x890dc9e4867545c3, 0x2af322533285a5d5, 0x50880866309b7e2c,
                                0xa20d1b8c7e881024, 0x14e4f04fe2db9068, 0x14e56d3f1564853a}}};
inline constexpr Fp2 kPsiY = {{{0x3e2f585da55c9ad1, 0x4294213d86c18183, 0x382844c88b623732,
                                0x92ad2afd19103e18, 0x1d794e4fac7cf0b9, 0x0bd592fc7d825ec8}},
                              {{0x7bcfa7a25aa30fda, 0xdc17dec12a927e7c, 0x2f088dd86b4ebef1,
                                0xd1ca2087da74d4a7, 0x2da2596696cebc1d, 0x0e2b7eedbbfd87d2}}};

// (1 + u)^(i (p - 1) / 6): w^p = kFrobenius1 w.
inline constexpr Fp2 kFrobenius1 = {{{0x07089552b319d465, 0xc6695f92b50a8313, 0x97e83cccd117228f,
                                      0xa35baecab2dc29ee, 0x1ce393ea5daace4d, 0x08f2220fb0fb66eb}},
                                    {{0xb2f66aad4ce5d646, 0x5842a06bfc497cec, 0xcf4895d42599d394,
                                      0xc11b9cba40a8e8d0, 0x2e3813cbe5a0de89, 0x110eefda88847faf}}};
inline constexpr Fp2 kFrobenius2 = {{{0x0000000000000000, 0x0000000000000000, 0x0000000000000000,
                                      0x0000000000000000, 0x0000000000000000, 0x0000000000000000}},
                                    {{0xcd03c9e48671f071, 0x5dab22461fcda5d2, 0x587042afd3851b95,
                                      0x8eb60ebe01bacb9e, 0x03f97d6e83d050d2, 0x18f0206554638741}}};
inline constexpr Fp2 kFrobenius3 = {{{0x7bcfa7a25aa30fda, 0xdc17dec12a927e7c, 0x2f088dd86b4ebef1,
                                      0xd1ca2087da74d4a7, 0x2da2596696cebc1d, 0x0e2b7eedbbfd87d2}},
                                    {{0x7bcfa7a25aa30fda, 0xdc17dec12a927e7c, 0x2f088dd86b4ebef1,
                                      0xd1ca2087da74d4a7, 0x2da2596696cebc1d, 0x0e2b7eedbbfd87d2}}};
inline constexpr Fp2 kFrobenius4 = {{{0x890dc9e4867545c3, 0x2af322533285a5d5, 0x50880866309b7e2c,
                                      0xa20d1b8c7e881024, 0x14e4f04fe2db9068, 0x14e56d3f1564853a}},
                                    {{0x0000000000000000, 0x0000000000000000, 0x0000000000000000,
                                      0x0000000000000000, 0x0000000000000000, 0x0000000000000000}}};
inline constexpr Fp2 kFrobenius5 = {{{0x82d83cf50dbce43f, 0xa2813e53df9d018f, 0xc6f0caa53c65e181,
                                      0x7525cf528d50fe95, 0x4a85ed50f4798a6b, 0x171da0fd6cf8eebd}},
                                    {{0x3726c30af242c66c, 0x7c2ac1aad1b6fe70, 0xa04007fbba4b14a2,
                                      0xef517c3266341429, 0x0095ba654ed2226b, 0x02e370eccc86f7dd}}};
// b of G1: y^2 = x^3 + 4. G2 has 4 (1 + u).
inline constexpr Fp kG1B = {{0xaa270000000cfff3, 0x53cc0032fc34000a, 0x478fe97a6b0a807f,
                              0xb1d37ebee6ba24d7, 0x8ec9733bbf78ab2f, 0x09d645513d83de7e}};

}  // namespace slipway::bls12_381::internal
