#include "base/digest/blake3.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/digest/blake3_kernel.h"
#include "base/run_steps.h"

namespace slipway::base {
namespace {

using blake3::ActiveKernel;
using blake3::Batch;
using blake3::kBlockBytes;
using blake3::kChunkBlocks;
using blake3::kChunkBytes;
using blake3::kCvBytes;
using blake3::Kernel;

// 2^64 bytes are 2^54 chunks, and the stack holds at most one subtree a level.
constexpr size_t kStackMax = 54;
// Chunks hashed before their parents are: enough to fill the widest kernel at four levels of
// parents, few enough that their chaining values (4 KiB) stay in the first-level cache.
constexpr size_t kBatchChunks = 128;
// The least work that is worth handing to another thread. Z82.
constexpr size_t kLeafChunks = 128;
static_assert(kLeafChunks * kChunkBytes >= 128 * 1024);
// Leaves a thread: more even out threads that are interrupted (2 threads, 1 GiB: 64 instead of 8
// took the speed-up from 1.74 to 1.83), fewer cost less.
constexpr size_t kLeavesPerThread = 64;

struct Cv {
  uint32_t words[8];
};
static_assert(sizeof(Cv) == kCvBytes);

// What all compressions of one message have in common.
struct Mode {
  uint32_t key[8];
  uint32_t flags;
};

Mode PlainMode(uint32_t flags) {
  Mode mode{};
  std::memcpy(mode.key, blake3::kIv, sizeof(mode.key));
  mode.flags = flags;
  return mode;
}

Mode KeyMode(const uint8_t* key, uint32_t flags) {
  Mode mode{};
  std::memcpy(mode.key, key, sizeof(mode.key));
  mode.flags = flags;
  return mode;
}

// The last compression of a subtree, not yet done: it gets other flags when it is the root.
struct Node {
  uint32_t cv[8];
  uint8_t block[kBlockBytes];
  uint32_t block_bytes;
  uint64_t counter;
  uint32_t flags;

  Cv Chain() const {
    Cv out;
    std::memcpy(out.words, cv, sizeof(cv));
    blake3::Compress(out.words, block, block_bytes, counter, flags);
    return out;
  }
};

Node ParentNode(const Mode& mode, const Cv& left, const Cv& right) {
  Node node;
  std::memcpy(node.cv, mode.key, sizeof(node.cv));
  std::memcpy(node.block, left.words, kCvBytes);
  std::memcpy(node.block + kCvBytes, right.words, kCvBytes);
  node.block_bytes = kBlockBytes;
  node.counter = 0;
  node.flags = mode.flags | blake3::kParent;
  return node;
}

// Joins neighbours level by level until `keep` chaining values are left at the start of `cvs`.
// `count` and `keep` are powers of two.
void JoinParents(const Kernel& kernel, const Mode& mode, uint8_t* cvs, size_t count, size_t keep) {
  for (; count > keep; count /= 2) {
    const Batch batch = {cvs, count / 2, 1, mode.key, 0, 0, mode.flags | blake3::kParent, 0, 0};
    kernel.hash_many(batch, cvs);
  }
}

Cv HashSubtree(const Kernel& kernel, const Mode& mode, const uint8_t* input, size_t chunks,
               uint64_t counter);

// The two children of the subtree over `chunks` whole chunks, a power of two and at least 2; the
// first chunk is number `counter`. The children, because the subtree may turn out to be the root.
void HashChildren(const Kernel& kernel, const Mode& mode, const uint8_t* input, size_t chunks,
                  uint64_t counter, Cv* children) {
  if (chunks > kBatchChunks) {
    const size_t half = chunks / 2;
    children[0] = HashSubtree(kernel, mode, input, half, counter);
    children[1] = HashSubtree(kernel, mode, input + half * kChunkBytes, half, counter + half);
    return;
  }
  uint8_t cvs[kBatchChunks * kCvBytes];
  const Batch batch = {input, chunks,     kChunkBlocks,        mode.key,         counter,
                       1,     mode.flags, blake3::kChunkStart, blake3::kChunkEnd};
  kernel.hash_many(batch, cvs);
  JoinParents(kernel, mode, cvs, chunks, 2);
  std::memcpy(children, cvs, 2 * kCvBytes);
}

Cv HashSubtree(const Kernel& kernel, const Mode& mode, const uint8_t* input, size_t chunks,
               uint64_t counter) {
  Cv children[2];
  HashChildren(kernel, mode, input, chunks, counter, children);
  return ParentNode(mode, children[0], children[1]).Chain();
}

// As HashChildren, by this thread and those of `pool`. The tree, and so the result, does not depend
// on how it is cut.
void HashChildrenParallel(const Kernel& kernel, const Mode& mode, const uint8_t* input,
                          size_t chunks, uint64_t counter, Pool& pool, Cv* children) {
  const size_t threads = static_cast<size_t>(std::max(pool.threads(), 1)) + 1;
  const size_t leaf_chunks =
      std::max(kLeafChunks, chunks / std::bit_ceil(threads * kLeavesPerThread));
  if (chunks < 2 * leaf_chunks) {
    HashChildren(kernel, mode, input, chunks, counter, children);
    return;
  }
  const size_t leaves = chunks / leaf_chunks;
  std::vector<Cv> cvs(leaves);
  RunSteps(pool, pool.threads() + 1, leaves, [&](size_t i) {
    cvs[i] = HashSubtree(kernel, mode, input + i * leaf_chunks * kChunkBytes, leaf_chunks,
                         counter + i * leaf_chunks);
  });
  JoinParents(kernel, mode, reinterpret_cast<uint8_t*>(cvs.data()), leaves, 2);
  std::memcpy(children, cvs.data(), 2 * kCvBytes);
}

// Bytes [seek_bytes, …) of the output whose root is `root`.
void RootOutput(const Node& root, uint64_t seek_bytes, absl::Span<uint8_t> out) {
  uint64_t index = seek_bytes / kBlockBytes;
  size_t skip = static_cast<size_t>(seek_bytes % kBlockBytes);
  while (!out.empty()) {
    uint8_t block[kBlockBytes];
    blake3::CompressWide(root.cv, root.block, root.block_bytes, index, root.flags | blake3::kRoot,
                         block);
    const size_t take = std::min(out.size(), kBlockBytes - skip);
    std::memcpy(out.data(), block + skip, take);
    out.remove_prefix(take);
    skip = 0;
    ++index;
  }
}

// The hash of at most one chunk without any state: most keys and small files end here. ZP3.
Blake3Digest HashOneChunk(BytesView data) {
  uint32_t cv[8];
  std::memcpy(cv, blake3::kIv, sizeof(cv));
  uint32_t start = blake3::kChunkStart;
  while (data.size() > kBlockBytes) {
    blake3::Compress(cv, data.data(), kBlockBytes, 0, start);
    data.remove_prefix(kBlockBytes);
    start = 0;
  }
  const uint32_t flags = start | blake3::kChunkEnd | blake3::kRoot;
  if (data.size() == kBlockBytes) {
    blake3::Compress(cv, data.data(), kBlockBytes, 0, flags);
  } else {
    uint8_t block[kBlockBytes] = {};
    if (!data.empty()) std::memcpy(block, data.data(), data.size());
    blake3::Compress(cv, block, static_cast<uint32_t>(data.size()), 0, flags);
  }
  Blake3Digest digest;
  std::memcpy(digest.data(), cv, digest.size());
  return digest;
}

}  // namespace

// Everything hashed so far is a row of subtrees, left to right, and at most one chunk in progress.
// Levels (log2 of chunks) fall strictly along the row, but for its last two entries, which may be
// equal. Subtrees are joined only once more input is known to follow (here "lazily"): the last join
// of all is the root and needs another flag. So:
//   - bytes are in the chunk in progress, or the message is empty, or the row has two entries;
//   - the chunk in progress has bytes only while levels fall strictly.
struct Blake3::State {
  explicit State(const Mode& m) : mode(m) { StartChunk(0); }

  void Update(BytesView data, Pool* pool);
  Node Root() const;

 private:
  size_t chunk_bytes() const { return chunk_blocks * kBlockBytes + block_bytes; }
  uint32_t start_flag() const { return chunk_blocks == 0 ? blake3::kChunkStart : 0; }
  void StartChunk(uint64_t counter);
  void UpdateChunk(BytesView data);
  Node ChunkNode() const;
  void JoinEqual();
  void Push(const Cv& cv, int level);
  size_t AddSubtree(BytesView data, Pool* pool);

  Mode mode;
  // The chunk in progress. Its last block, even when full, waits for more input: it may be the
  // last.
  uint64_t chunk_counter = 0;
  uint32_t chunk_cv[8];
  size_t chunk_blocks = 0;  // compressed into chunk_cv
  size_t block_bytes = 0;
  uint8_t block[kBlockBytes];
  // The row of subtrees.
  size_t stack_size = 0;
  Cv stack[kStackMax];
  uint8_t levels[kStackMax];
};

void Blake3::State::StartChunk(uint64_t counter) {
  chunk_counter = counter;
  std::memcpy(chunk_cv, mode.key, sizeof(chunk_cv));
  chunk_blocks = 0;
  block_bytes = 0;
}

// `data` fits into the chunk and is not empty.
void Blake3::State::UpdateChunk(BytesView data) {
  while (!data.empty()) {
    if (block_bytes == kBlockBytes) {
      blake3::Compress(chunk_cv, block, kBlockBytes, chunk_counter, mode.flags | start_flag());
      ++chunk_blocks;
      block_bytes = 0;
    }
    const size_t take = std::min(kBlockBytes - block_bytes, data.size());
    std::memcpy(block + block_bytes, data.data(), take);
    block_bytes += take;
    data.remove_prefix(take);
  }
}

Node Blake3::State::ChunkNode() const {
  Node node;
  std::memcpy(node.cv, chunk_cv, sizeof(node.cv));
  std::memset(node.block, 0, kBlockBytes);
  std::memcpy(node.block, block, block_bytes);
  node.block_bytes = static_cast<uint32_t>(block_bytes);
  node.counter = chunk_counter;
  node.flags = mode.flags | start_flag() | blake3::kChunkEnd;
  return node;
}

void Blake3::State::JoinEqual() {
  while (stack_size >= 2 && levels[stack_size - 1] == levels[stack_size - 2]) {
    Cv& left = stack[stack_size - 2];
    left = ParentNode(mode, left, stack[stack_size - 1]).Chain();
    ++levels[stack_size - 2];
    --stack_size;
  }
}

void Blake3::State::Push(const Cv& cv, int level) {
  JoinEqual();
  SLIPWAY_CHECK(stack_size < kStackMax);
  stack[stack_size] = cv;
  levels[stack_size] = static_cast<uint8_t>(level);
  ++stack_size;
}

// Hashes the largest subtree that may begin at the current chunk and consists of whole chunks of
// `data` (more than one chunk); returns its bytes. The chunk in progress is empty.
size_t Blake3::State::AddSubtree(BytesView data, Pool* pool) {
  size_t chunks = std::bit_floor(data.size() / kChunkBytes);
  // A subtree of n chunks begins at a multiple of n.
  if (chunk_counter != 0) {
    chunks = static_cast<size_t>(
        std::min<uint64_t>(chunks, uint64_t{1} << std::countr_zero(chunk_counter)));
  }
  if (chunks == 1) {
    UpdateChunk(data.subspan(0, kChunkBytes));
    Push(ChunkNode().Chain(), 0);
  } else {
    const Kernel& kernel = ActiveKernel();
    Cv children[2];
    if (pool != nullptr) {
      HashChildrenParallel(kernel, mode, data.data(), chunks, chunk_counter, *pool, children);
    } else {
      HashChildren(kernel, mode, data.data(), chunks, chunk_counter, children);
    }
    const int level = std::countr_zero(chunks) - 1;
    Push(children[0], level);
    Push(children[1], level);
  }
  StartChunk(chunk_counter + chunks);
  return chunks * kChunkBytes;
}

void Blake3::State::Update(BytesView data, Pool* pool) {
  if (data.empty()) return;
  if (chunk_bytes() > 0) {
    const size_t take = std::min(kChunkBytes - chunk_bytes(), data.size());
    if (take > 0) UpdateChunk(data.subspan(0, take));
    data.remove_prefix(take);
    if (data.empty()) return;
    Push(ChunkNode().Chain(), 0);
    StartChunk(chunk_counter + 1);
  }
  while (data.size() > kChunkBytes) data.remove_prefix(AddSubtree(data, pool));
  if (!data.empty()) {
    JoinEqual();
    UpdateChunk(data);
  }
}

Node Blake3::State::Root() const {
  size_t left = stack_size;
  Node node;
  if (stack_size == 0 || chunk_bytes() > 0) {
    node = ChunkNode();
  } else {
    SLIPWAY_CHECK(stack_size >= 2);
    left -= 2;
    node = ParentNode(mode, stack[left], stack[left + 1]);
  }
  while (left > 0) {
    --left;
    node = ParentNode(mode, stack[left], node.Chain());
  }
  return node;
}

Blake3::Blake3() : state_(std::make_unique<State>(PlainMode(0))) {}
Blake3::Blake3(std::unique_ptr<State> state) : state_(std::move(state)) {}
Blake3::Blake3(const Blake3& other) : state_(std::make_unique<State>(*other.state_)) {}
Blake3& Blake3::operator=(const Blake3& other) {
  if (this != &other) state_ = std::make_unique<State>(*other.state_);
  return *this;
}
Blake3::Blake3(Blake3&&) noexcept = default;
Blake3& Blake3::operator=(Blake3&&) noexcept = default;
Blake3::~Blake3() = default;

Blake3 Blake3::Keyed(const std::array<uint8_t, 32>& key) {
  return Blake3(std::make_unique<State>(KeyMode(key.data(), blake3::kKeyedHash)));
}

Blake3 Blake3::DeriveKey(absl::string_view context) {
  State of_context(PlainMode(blake3::kDeriveKeyContext));
  of_context.Update(AsBytes(context), nullptr);
  uint8_t key[kCvBytes];
  RootOutput(of_context.Root(), 0, absl::MakeSpan(key));
  return Blake3(std::make_unique<State>(KeyMode(key, blake3::kDeriveKeyMaterial)));
}

void Blake3::Update(BytesView data) { state_->Update(data, nullptr); }
void Blake3::UpdateParallel(BytesView data, Pool& pool) { state_->Update(data, &pool); }

Blake3Digest Blake3::Finish() const {
  Blake3Digest digest;
  FinishXof(0, absl::MakeSpan(digest));
  return digest;
}

void Blake3::FinishXof(uint64_t seek_bytes, absl::Span<uint8_t> out) const {
  RootOutput(state_->Root(), seek_bytes, out);
}

Blake3Digest Blake3Of(BytesView data) {
  if (data.size() <= kChunkBytes) return HashOneChunk(data);
  Blake3 hash;
  hash.Update(data);
  return hash.Finish();
}

Blake3Digest Blake3Of(BytesView data, Pool& pool) {
  if (data.size() <= kChunkBytes) return HashOneChunk(data);
  Blake3 hash;
  hash.UpdateParallel(data, pool);
  return hash.Finish();
}

}  // namespace slipway::base
