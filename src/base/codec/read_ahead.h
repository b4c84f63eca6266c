// The part that all decoders share: look-ahead, order, limits. Thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "base/codec/buffer.h"
#include "base/codec/codec.h"
#include "base/codec/ordered_jobs.h"
#include "base/pool.h"

namespace slipway::base::codec {

// A source that can be looked into before bytes are taken.
class Input {
 public:
  explicit Input(ByteSource& source) : source_(source) {}
  // The bytes ahead: at least `bytes`, fewer only at the end of the source. Valid until the next
  // call.
  absl::StatusOr<BytesView> Peek(size_t bytes);
  // Takes bytes that Peek has shown.
  void Skip(size_t bytes);
  // Takes the next `bytes` and appends them to the slot's input; false: the source ended before.
  absl::StatusOr<bool> Take(size_t bytes, Slot& slot);
  // Gives the slot's input back: what was taken last.
  void PutBack(Slot& slot);
  // Bytes taken so far.
  uint64_t offset() const { return offset_; }

 private:
  void MakeRoom(size_t wanted_bytes);

  ByteSource& source_;
  Buffer buffer_;
  size_t begin_ = 0, end_ = 0;
  bool at_end_ = false;
  uint64_t offset_ = 0;
};

// What one format adds. Thread-compatible, except that the work it hands out runs on the pool, one
// serial work at a time.
class Splitter {
 public:
  struct Plan {
    // Absent: the stream has ended.
    std::optional<OrderedJobs::Work> work;
    // Set: independent of other work, which has all of its input, and will produce this much.
    // Absent: serial. It may see some input and take less (Slot::input_used), and produces at most
    // `serial_bytes_max`.
    std::optional<uint64_t> output_bytes;
  };
  virtual ~Splitter() = default;
  // Takes what comes next, for `slot`. DataLoss, or an error of the source.
  virtual absl::StatusOr<Plan> Next(Input& input, Slot& slot, size_t serial_bytes_max) = 0;
  // The last serial work came to the end of its member or frame.
  virtual void OnSerialEnd() = 0;
};

class ReadAhead : public ByteSource {
 public:
  // `spare`: blocks at a time beyond one for each thread; one of them is being read.
  ReadAhead(std::unique_ptr<Splitter> splitter, size_t spare, size_t serial_bytes_max,
            uint64_t output_bytes_max, ByteSource& compressed, Pool& pool);
  absl::StatusOr<size_t> Read(absl::Span<uint8_t> out) override;

 private:
  absl::StatusOr<size_t> ReadSome(absl::Span<uint8_t> out);
  void Launch();
  absl::Status LaunchOne();
  void AbsorbSerial();
  absl::Status TooLarge() const;

  std::unique_ptr<Splitter> splitter_;
  const size_t serial_bytes_max_;
  size_t serial_bytes_;  // what the next serial work may produce
  const uint64_t output_bytes_max_;
  const size_t in_flight_max_;
  Input input_;
  bool serial_ = false;   // the last of jobs_ is serial work whose result has not been seen
  bool stopped_ = false;  // nothing more to launch
  absl::Status pending_;  // why, once all of jobs_ has been delivered
  uint64_t promised_bytes_ = 0, delivered_bytes_ = 0;
  size_t front_taken_ = 0;
  absl::Status failed_;
  OrderedJobs jobs_;  // last: its jobs use the rest
};

std::unique_ptr<Splitter> MakeGzipSplitter();
// `frames_whole`: frames of our size are decoded at once, side by side; else all serially.
std::unique_ptr<Splitter> MakeZstdSplitter(uint64_t window_bytes_max, bool frames_whole);

// DataLoss "decompress <format> at byte <offset>: <what>".
absl::Status DamagedAt(absl::string_view format, uint64_t offset, absl::string_view what);

}  // namespace slipway::base::codec
