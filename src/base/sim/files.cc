#include "base/sim/files.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/check.h"
#include "base/sim/machine.h"

namespace slipway::base::sim {
namespace {

constexpr uint64_t kTreeTextBytesMax = 64;  // longer files are shown by size and fingerprint

std::string ReadAll(const Content& content) {
  std::string text(static_cast<size_t>(content.size_bytes()), '\0');
  content.Read(0, absl::MakeSpan(reinterpret_cast<uint8_t*>(text.data()), text.size()));
  return text;
}

std::string Show(const Content& content) {
  const std::string text = ReadAll(content);
  if (text.size() <= kTreeTextBytesMax) return absl::StrCat("\"", EscapeForTerminal(text), "\"");
  uint64_t print = text.size();
  for (const char c : text) print = Mix(print, static_cast<uint8_t>(c));
  return absl::StrFormat("%d bytes %016x", text.size(), print);
}

void ShowTree(const Disk& disk, Inode dir, const std::string& prefix, std::string& out) {
  for (const auto& [name, inode] : disk.Find(dir)->entries) {
    const Node& node = *disk.Find(inode);
    const std::string path = absl::StrCat(prefix, name);
    switch (node.kind) {
      case FileKind::kDirectory:
        absl::StrAppendFormat(&out, "dir  %04o %s\n", node.mode, path);
        ShowTree(disk, inode, absl::StrCat(path, "/"), out);
        break;
      case FileKind::kSymlink:
        absl::StrAppendFormat(&out, "link      %s -> %s\n", path, node.target);
        break;
      default:
        absl::StrAppendFormat(&out, "file %04o %s %s\n", node.mode, path, Show(node.content));
    }
    for (const auto& [key, value] : node.xattrs) {
      absl::StrAppendFormat(&out, "attr      %s %s=\"%s\"\n", path, key, EscapeForTerminal(value));
    }
  }
}

void ListFiles(const Disk& disk, Inode dir, const std::string& prefix,
               std::vector<std::pair<std::string, uint64_t>>& files) {
  for (const auto& [name, inode] : disk.Find(dir)->entries) {
    const Node& node = *disk.Find(inode);
    const std::string path = absl::StrCat(prefix, name);
    if (node.kind == FileKind::kDirectory) ListFiles(disk, inode, absl::StrCat(path, "/"), files);
    if (node.kind == FileKind::kFile) files.emplace_back(path, node.content.size_bytes());
  }
}

// The inode at a path from the root, as root; symlinks are followed, but not in the last component.
absl::StatusOr<Inode> Peek(MachineState& state, absl::string_view path) {
  Kernel& kernel = state.kernel;
  const absl::Cleanup restore = [&kernel, caller = kernel.caller] { kernel.caller = caller; };
  kernel.caller = Caller();
  const auto [parent, name] = SplitPath(path);
  SLIPWAY_ASSIGN_OR_RETURN(const Kernel::Place place, kernel.Resolve(absl::StrCat("/", parent)));
  if (place.inode == 0) return ErrnoError(ENOENT, path);
  return kernel.Lookup(place.inode, name, path);
}

}  // namespace

Files::Files(uint64_t seed) : machine_(std::make_shared<Machine>(seed)) {}
Files::Files(const Files& other) : machine_(std::make_shared<Machine>(*other.machine_)) {}
Files& Files::operator=(const Files& other) {
  if (this != &other) machine_ = std::make_shared<Machine>(*other.machine_);
  return *this;
}
Files::Files(Files&& other) noexcept = default;
Files& Files::operator=(Files&& other) noexcept = default;
Files::~Files() = default;

Owned<Dir> Files::OpenRoot(absl::string_view path) {
  const uint64_t epoch = EpochOf(*machine_);
  Inode opened = 0;
  SLIPWAY_RETURN_IF_ERROR(machine_->Call(
      epoch, CallKind::kRead, [&](const Kernel&) { return absl::StrCat("open directory ", path); },
      [&](Kernel& kernel) {
        SLIPWAY_ASSIGN_OR_RETURN(const Kernel::Place place, kernel.Resolve(path));
        if (place.inode == 0) return ErrnoError(ENOENT, absl::StrCat("open directory ", path));
        SLIPWAY_ASSIGN_OR_RETURN(opened, kernel.OpenDir(place.inode, "."));
        kernel.disk.AddHandle(opened);
        return absl::OkStatus();
      }));
  return MakeDirHandle(machine_, epoch, opened);
}

Owned<Dir> Files::MakeRoot(absl::string_view path) {
  const uint64_t epoch = EpochOf(*machine_);
  std::string prefix = absl::StartsWith(path, "/") ? "/" : "";
  for (const absl::string_view part : absl::StrSplit(path, '/', absl::SkipEmpty())) {
    absl::StrAppend(&prefix, part);
    Kernel::Place place;
    SLIPWAY_RETURN_IF_ERROR(machine_->Call(
        epoch, CallKind::kRead, [&](const Kernel&) { return absl::StrCat("stat ", prefix); },
        [&](Kernel& kernel) {
          SLIPWAY_ASSIGN_OR_RETURN(place, kernel.Resolve(prefix));
          return absl::OkStatus();
        }));
    prefix += '/';
    if (place.inode != 0) continue;
    const auto parent = [&](const Kernel& kernel) { return kernel.NameOf(place.dir); };
    const absl::Status made = machine_->Call(
        epoch, CallKind::kChange,
        [&](const Kernel&) { return absl::StrCat("mkdir ", place.path.substr(1)); },
        [&](Kernel& kernel) { return kernel.MakeDir(place.dir, place.name, 0755); });
    if (!made.ok() && !absl::IsAlreadyExists(made)) return made;
    SLIPWAY_RETURN_IF_ERROR(machine_->Sync(
        epoch, Lie::kDirSync, [&](const Kernel& k) { return absl::StrCat("fsync ", parent(k)); },
        [&](Kernel& kernel) {
          kernel.disk.SyncDir(place.dir);
          return absl::OkStatus();
        },
        [&](Kernel& kernel) {
          kernel.disk.DoomDir(place.dir);
          return absl::OkStatus();
        }));
  }
  return OpenRoot(path);
}

absl::StatusOr<std::string> Files::Canonical(absl::string_view path) {
  std::string real;
  SLIPWAY_RETURN_IF_ERROR(machine_->Call(
      EpochOf(*machine_), CallKind::kRead,
      [&](const Kernel&) { return absl::StrCat("resolve ", path); },
      [&](Kernel& kernel) {
        SLIPWAY_ASSIGN_OR_RETURN(Kernel::Place place, kernel.Resolve(path));
        real = std::move(place.path);
        return absl::OkStatus();
      }));
  return real;
}

void Files::PowerLossAt(int n) {
  SLIPWAY_CHECK(n > 0);
  machine_->Inspect([n](MachineState& state) { state.power_loss_at = state.operations + n; });
}

void Files::FailAt(int n, absl::Status error, bool sticky) {
  SLIPWAY_CHECK(n > 0);
  SLIPWAY_CHECK(!error.ok());
  machine_->Inspect([&](MachineState& state) {
    state.fail_at = state.operations + n;
    state.fail_status = std::move(error);
    state.fail_sticky = sticky;
  });
}

void Files::MisdirectAt(int n) {
  SLIPWAY_CHECK(n > 0);
  machine_->Inspect([n](MachineState& state) { state.misdirect_at = state.operations + n; });
}

void Files::PowerOff() {
  machine_->Inspect([](MachineState& state) { state.off = true; });
}

absl::Status Files::FlipBit(absl::string_view path, uint64_t bit) {
  return machine_->Inspect([&](MachineState& state) -> absl::Status {
    SLIPWAY_ASSIGN_OR_RETURN(const Inode inode, Peek(state, path));
    const uint64_t bytes = state.kernel.disk.Find(inode)->content.size_bytes();
    if (bytes == 0) {
      return absl::FailedPreconditionError(absl::StrCat("flip a bit of ", path, ": it is empty"));
    }
    state.kernel.disk.FlipBit(inode, bit % (bytes * 8));
    return absl::OkStatus();
  });
}

void Files::ClearFaults() {
  machine_->Inspect([](MachineState& state) { state.ClearFaults(); });
}

bool Files::off() const {
  return machine_->Inspect([](const MachineState& state) { return state.off; });
}

void Files::Reboot(Loss loss, uint64_t attempt) {
  machine_->Inspect([&](MachineState& state) { state.Reboot(loss, attempt); });
}

Files Files::AfterReboot(Loss loss, uint64_t attempt) const {
  Files copy(*this);
  copy.Reboot(loss, attempt);
  return copy;
}

void Files::Settle() {
  machine_->Inspect([](MachineState& state) {
    state.kernel.disk.SyncAll();
    state.operations = 0;
    state.trace.clear();
    state.ClearFaults();
  });
}

Files::Counts Files::counts() const {
  return machine_->Inspect([](const MachineState& state) {
    return Counts{state.counts, state.kernel.disk.loss_counts()};
  });
}

int Files::operations() const {
  return machine_->Inspect([](const MachineState& state) { return state.operations; });
}

void Files::CountReads(bool count) {
  machine_->Inspect([count](MachineState& state) { state.count_reads = count; });
}

std::vector<std::string> Files::trace() const {
  return machine_->Inspect([](const MachineState& state) { return state.trace; });
}

void Files::KeepTrace(bool keep) {
  machine_->Inspect([keep](MachineState& state) { state.keep_trace = keep; });
}

void Files::SetLie(Lie lie) {
  machine_->Inspect([lie](MachineState& state) { state.lie = lie; });
}

void Files::SetFeatures(Features features) {
  machine_->Inspect([features](MachineState& state) { state.kernel.features = features; });
}

void Files::SetCapacity(uint64_t bytes, uint64_t inodes) {
  machine_->Inspect([=](MachineState& state) {
    state.kernel.capacity_bytes = bytes;
    state.kernel.capacity_inodes = inodes;
  });
}

void Files::SetCaller(Caller caller) {
  machine_->Inspect([caller](MachineState& state) { state.kernel.caller = caller; });
}

void Files::SetWorkingDirectory(absl::string_view path) {
  SLIPWAY_CHECK(absl::StartsWith(path, "/"));
  machine_->Inspect(
      [path](MachineState& state) { state.kernel.working_directory = std::string(path); });
}

void Files::SetClock(base::Clock* clock) {
  machine_->Inspect([clock](MachineState& state) { state.clock = clock; });
}

std::string Files::Tree() const {
  return machine_->Inspect([](const MachineState& state) {
    std::string text;
    ShowTree(state.kernel.disk, kRootInode, "", text);
    return text;
  });
}

absl::StatusOr<std::string> Files::Read(absl::string_view path) const {
  return machine_->Inspect([&](MachineState& state) -> absl::StatusOr<std::string> {
    SLIPWAY_ASSIGN_OR_RETURN(const Inode inode, Peek(state, path));
    const Node& node = *state.kernel.disk.Find(inode);
    if (node.kind != FileKind::kFile) return ErrnoError(EISDIR, absl::StrCat("read ", path));
    return ReadAll(node.content);
  });
}

absl::StatusOr<std::string> Files::ReadLink(absl::string_view path) const {
  return machine_->Inspect([&](MachineState& state) -> absl::StatusOr<std::string> {
    SLIPWAY_ASSIGN_OR_RETURN(const Inode inode, Peek(state, path));
    const Node& node = *state.kernel.disk.Find(inode);
    if (node.kind != FileKind::kSymlink) {
      return ErrnoError(EINVAL, absl::StrCat("read link ", path));
    }
    return node.target;
  });
}

bool Files::Exists(absl::string_view path) const {
  return machine_->Inspect([&](MachineState& state) { return Peek(state, path).ok(); });
}

std::vector<std::pair<std::string, uint64_t>> Files::List() const {
  return machine_->Inspect([](const MachineState& state) {
    std::vector<std::pair<std::string, uint64_t>> files;
    ListFiles(state.kernel.disk, kRootInode, "", files);
    return files;
  });
}

}  // namespace slipway::base::sim
