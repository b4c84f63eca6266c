#include "base/codec/read_ahead.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/units.h"

namespace slipway::base::codec {
namespace {

// Buffers begin small, for small streams, and grow to these.
constexpr size_t kReadBytesMin = 16 * kKiB, kReadBytesMax = 256 * kKiB;
constexpr size_t kSerialBytesMin = 64 * kKiB;

}  // namespace

absl::StatusOr<BytesView> Input::Peek(size_t bytes) {
  while (end_ - begin_ < bytes && !at_end_) {
    if (end_ == buffer_.size()) MakeRoom(bytes);
    SLIPWAY_ASSIGN_OR_RETURN(const size_t read,
                             source_.Read(buffer_.first(buffer_.size()).subspan(end_)));
    SLIPWAY_CHECK(read <= buffer_.size() - end_);
    end_ += read;
    at_end_ = read == 0;
  }
  return std::as_const(buffer_).first(end_).subspan(begin_);
}

void Input::MakeRoom(size_t wanted_bytes) {
  const size_t held = end_ - begin_;
  if (begin_ > 0) std::memmove(buffer_.data(), buffer_.data() + begin_, held);
  begin_ = 0;
  end_ = held;
  if (buffer_.size() - held >= kReadBytesMax || buffer_.size() >= wanted_bytes + kReadBytesMax)
    return;
  buffer_.Grow(std::max(buffer_.size(),
                        std::min(wanted_bytes + kReadBytesMax, std::max(kReadBytesMin, 4 * held))),
               held);
}

void Input::Skip(size_t bytes) {
  SLIPWAY_CHECK(bytes <= end_ - begin_);
  begin_ += bytes;
  offset_ += bytes;
}

absl::StatusOr<bool> Input::Take(size_t bytes, Slot& slot) {
  const size_t held = std::min(bytes, end_ - begin_);
  slot.input.Grow(slot.input_bytes + bytes, slot.input_bytes);
  slot.AppendInput(std::as_const(buffer_).first(end_).subspan(begin_, held));
  Skip(held);
  // The rest goes where it is needed without a stop in the buffer.
  for (size_t left = bytes - held; left > 0;) {
    if (at_end_) return false;
    uint8_t* const at = slot.input.data() + slot.input_bytes;
    SLIPWAY_ASSIGN_OR_RETURN(const size_t read, source_.Read(absl::MakeSpan(at, left)));
    SLIPWAY_CHECK(read <= left);
    at_end_ = read == 0;
    slot.input_bytes += read;
    offset_ += read;
    left -= read;
  }
  return true;
}

void Input::PutBack(Slot& slot) {
  const size_t held = end_ - begin_;
  Buffer joined;
  joined.Grow(slot.input_bytes + held + kReadBytesMin);
  std::memcpy(joined.data(), slot.input.data(), slot.input_bytes);
  if (held > 0) std::memcpy(joined.data() + slot.input_bytes, buffer_.data() + begin_, held);
  buffer_ = std::move(joined);
  begin_ = 0;
  end_ = slot.input_bytes + held;
  offset_ -= slot.input_bytes;
  slot.input_bytes = 0;
}

ReadAhead::ReadAhead(std::unique_ptr<Splitter> splitter, size_t spare, size_t serial_bytes_max,
                     uint64_t output_bytes_max, ByteSource& compressed, Pool& pool)
    : splitter_(std::move(splitter)),
      serial_bytes_max_(serial_bytes_max),
      serial_bytes_(std::min(serial_bytes_max, kSerialBytesMin)),
      output_bytes_max_(output_bytes_max),
      in_flight_max_(static_cast<size_t>(pool.threads()) + spare),
      input_(compressed),
      jobs_(pool) {}

absl::StatusOr<size_t> ReadAhead::Read(absl::Span<uint8_t> out) {
  if (!failed_.ok()) return failed_;
  absl::StatusOr<size_t> read = ReadSome(out);
  if (!read.ok()) failed_ = read.status();
  return read;
}

absl::StatusOr<size_t> ReadAhead::ReadSome(absl::Span<uint8_t> out) {
  if (out.empty()) return 0;
  while (true) {
    Launch();
    if (jobs_.size() == 0) {
      if (!pending_.ok()) return pending_;
      return 0;
    }
    Slot& front = jobs_.Front();
    Launch();  // what had to wait for serial work now runs while its output is used
    SLIPWAY_RETURN_IF_ERROR(front.status);
    const size_t left = front.output_bytes - front_taken_;
    if (left > output_bytes_max_ - delivered_bytes_) return TooLarge();
    if (left == 0) {
      front_taken_ = 0;
      jobs_.PopFront();
      continue;
    }
    const size_t bytes = std::min(left, out.size());
    std::memcpy(out.data(), front.output.data() + front_taken_, bytes);
    front_taken_ += bytes;
    delivered_bytes_ += bytes;
    return bytes;
  }
}

void ReadAhead::Launch() {
  while (true) {
    if (serial_) {
      if (!jobs_.BackDone()) return;
      AbsorbSerial();
    }
    if (stopped_ || jobs_.size() >= in_flight_max_) return;
    absl::Status launched = LaunchOne();
    if (!launched.ok()) {
      pending_ = std::move(launched);
      stopped_ = true;
    }
  }
}

absl::Status ReadAhead::LaunchOne() {
  std::unique_ptr<Slot> slot = jobs_.Take();
  // One more than allowed, so that too much is seen as such and not as a member without end.
  const uint64_t allowed = output_bytes_max_ - promised_bytes_;
  const size_t serial_bytes_max =
      allowed < serial_bytes_ ? static_cast<size_t>(allowed) + 1 : serial_bytes_;
  SLIPWAY_ASSIGN_OR_RETURN(Splitter::Plan plan, splitter_->Next(input_, *slot, serial_bytes_max));
  if (!plan.work.has_value()) {
    stopped_ = true;
    return absl::OkStatus();
  }
  if (plan.output_bytes.has_value()) {
    if (*plan.output_bytes > allowed) return TooLarge();
    promised_bytes_ += *plan.output_bytes;
  } else {
    serial_ = true;
    serial_bytes_ = std::min(serial_bytes_max_, 4 * serial_bytes_);
  }
  jobs_.Run(std::move(slot), *std::move(plan.work));
  return absl::OkStatus();
}

void ReadAhead::AbsorbSerial() {
  serial_ = false;
  const Slot& slot = jobs_.Back();
  if (!slot.status.ok() || slot.output_bytes > output_bytes_max_ - promised_bytes_) {
    stopped_ = true;  // Read reports it when it comes to this slot
    return;
  }
  promised_bytes_ += slot.output_bytes;
  input_.Skip(slot.input_used);
  if (slot.ended) splitter_->OnSerialEnd();
}

absl::Status ReadAhead::TooLarge() const {
  return absl::ResourceExhaustedError(
      absl::StrCat("decompress: output is larger than the limit of ", output_bytes_max_, " bytes"));
}

absl::Status DamagedAt(absl::string_view format, uint64_t offset, absl::string_view what) {
  return absl::DataLossError(absl::StrCat("decompress ", format, " at byte ", offset, ": ", what));
}

}  // namespace slipway::base::codec
