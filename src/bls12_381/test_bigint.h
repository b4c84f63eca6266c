// Plain big integers as one does them by hand: the oracle for the fields. Slow and obvious; digits
// of 32 bits, little-endian, no leading zeros. For tests only.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace slipway::bls12_381::testing {

class BigInt {
 public:
  BigInt() = default;
  explicit BigInt(uint64_t value) {
    digits_ = {static_cast<uint32_t>(value), static_cast<uint32_t>(value >> 32)};
    Trim();
  }
  static BigInt FromHex(const std::string& hex) {
    BigInt value;
    for (const char c : hex) {
      const int digit = c <= '9' ? c - '0' : c - 'a' + 10;
      value = value * BigInt(16) + BigInt(static_cast<uint64_t>(digit));
    }
    return value;
  }
  static BigInt FromLimbs(const uint64_t* limbs, size_t count) {
    BigInt value;
    for (size_t i = 0; i < count; ++i) {
      value.digits_.push_back(static_cast<uint32_t>(limbs[i]));
      value.digits_.push_back(static_cast<uint32_t>(limbs[i] >> 32));
    }
    value.Trim();
    return value;
  }
  static BigInt PowerOfTwo(size_t exponent) {
    BigInt value;
    value.digits_.resize(exponent / 32 + 1);
    value.digits_.back() = 1u << (exponent % 32);
    return value;
  }

  // Writes the value into `count` limbs; false if it does not fit.
  bool ToLimbs(uint64_t* limbs, size_t count) const {
    std::fill(limbs, limbs + count, 0);
    if (digits_.size() > 2 * count) return false;
    for (size_t i = 0; i < digits_.size(); ++i) {
      limbs[i / 2] |= static_cast<uint64_t>(digits_[i]) << (32 * (i % 2));
    }
    return true;
  }
  std::string ToHex() const {
    std::string hex;
    for (size_t i = 8 * digits_.size(); i-- > 0;) {
      hex += "0123456789abcdef"[(digits_[i / 8] >> (4 * (i % 8))) & 15];
    }
    hex.erase(0, std::min(hex.find_first_not_of('0'), hex.size()));
    return hex.empty() ? "0" : hex;
  }

  size_t BitCount() const {
    if (digits_.empty()) return 0;
    size_t bits = 32 * digits_.size();
    while (!Bit(bits - 1)) --bits;
    return bits;
  }
  bool Bit(size_t index) const {
    return index / 32 < digits_.size() && ((digits_[index / 32] >> (index % 32)) & 1) != 0;
  }

  friend bool operator==(const BigInt& a, const BigInt& b) { return a.digits_ == b.digits_; }
  friend bool operator<(const BigInt& a, const BigInt& b) {
    if (a.digits_.size() != b.digits_.size()) return a.digits_.size() < b.digits_.size();
    return std::lexicographical_compare(a.digits_.rbegin(), a.digits_.rend(), b.digits_.rbegin(),
                                        b.digits_.rend());
  }
  friend BigInt operator+(const BigInt& a, const BigInt& b) {
    BigInt sum;
    uint64_t carry = 0;
    for (size_t i = 0; i < std::max(a.digits_.size(), b.digits_.size()) || carry != 0; ++i) {
      carry += uint64_t{a.Digit(i)} + b.Digit(i);
      sum.digits_.push_back(static_cast<uint32_t>(carry));
      carry >>= 32;
    }
    return sum;
  }
  // For a >= b.
  friend BigInt operator-(const BigInt& a, const BigInt& b) {
    BigInt difference;
    int64_t borrow = 0;
    for (size_t i = 0; i < a.digits_.size(); ++i) {
      borrow += int64_t{a.Digit(i)} - int64_t{b.Digit(i)};
      difference.digits_.push_back(static_cast<uint32_t>(borrow));
      borrow >>= 32;
    }
    difference.Trim();
    return difference;
  }
  friend BigInt operator*(const BigInt& a, const BigInt& b) {
    BigInt product;
    product.digits_.resize(a.digits_.size() + b.digits_.size());
    for (size_t i = 0; i < a.digits_.size(); ++i) {
      uint64_t carry = 0;
      for (size_t j = 0; j < b.digits_.size() || carry != 0; ++j) {
        carry += product.digits_[i + j] + uint64_t{a.digits_[i]} * b.Digit(j);
        product.digits_[i + j] = static_cast<uint32_t>(carry);
        carry >>= 32;
      }
    }
    product.Trim();
    return product;
  }
  // Long division, bit by bit.
  friend BigInt operator%(const BigInt& a, const BigInt& modulus) {
    BigInt rest;
    for (size_t i = a.BitCount(); i-- > 0;) rest.AppendBit(a.Bit(i), modulus);
    return rest;
  }
  friend BigInt operator/(const BigInt& a, const BigInt& divisor) {
    BigInt quotient;
    BigInt rest;
    for (size_t i = a.BitCount(); i-- > 0;) {
      quotient = quotient + quotient + BigInt(rest.AppendBit(a.Bit(i), divisor) ? 1 : 0);
    }
    return quotient;
  }

 private:
  // *this = 2 * *this + bit, less `modulus` if that is not below it; whether it was taken off.
  bool AppendBit(bool bit, const BigInt& modulus) {
    uint32_t carry = bit ? 1 : 0;
    for (uint32_t& digit : digits_) {
      const uint32_t top = digit >> 31;
      digit = (digit << 1) | carry;
      carry = top;
    }
    if (carry != 0) digits_.push_back(carry);
    if (*this < modulus) return false;
    int64_t borrow = 0;
    for (size_t i = 0; i < digits_.size(); ++i) {
      borrow += int64_t{digits_[i]} - int64_t{modulus.Digit(i)};
      digits_[i] = static_cast<uint32_t>(borrow);
      borrow >>= 32;
    }
    Trim();
    return true;
  }
  uint32_t Digit(size_t i) const { return i < digits_.size() ? digits_[i] : 0; }
  void Trim() {
    while (!digits_.empty() && digits_.back() == 0) digits_.pop_back();
  }

  std::vector<uint32_t> digits_;
};

inline BigInt PowMod(const BigInt& base, const BigInt& exponent, const BigInt& modulus) {
  BigInt power = BigInt(1) % modulus;
  for (size_t i = exponent.BitCount(); i-- > 0;) {
    power = power * power % modulus;
    if (exponent.Bit(i)) power = power * base % modulus;
  }
  return power;
}

}  // namespace slipway::bls12_381::testing
