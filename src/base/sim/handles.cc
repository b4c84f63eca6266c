// File, Dir and DirCursor of the simulated disk: each call is one Machine call.
#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/sim/machine.h"

namespace slipway::base::sim {
namespace {

// What all handles have: the machine, its boot, the inode held.
class Handle {
 public:
  Handle(std::shared_ptr<Machine> machine, uint64_t epoch, Inode inode)
      : machine_(std::move(machine)), epoch_(epoch), inode_(inode) {
    owner_ = machine_->Inspect([](MachineState& state) { return state.next_owner++; });
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    machine_->Inspect([this](MachineState& state) {
      if (state.epoch != epoch_) return;  // a reboot has closed it
      state.kernel.Unlock(inode_, owner_);
      state.kernel.disk.DropHandle(inode_);
    });
  }

  Machine& machine() const { return *machine_; }
  const std::shared_ptr<Machine>& shared() const { return machine_; }
  uint64_t epoch() const { return epoch_; }
  Inode inode() const { return inode_; }
  uint64_t owner() const { return owner_; }

  // "`verb` <name of the inode>`rest`"
  auto Describe(absl::string_view verb, std::string rest = "") const {
    return [this, verb, rest = std::move(rest)](const Kernel& kernel) {
      return absl::StrCat(verb, " ", kernel.NameOf(inode_), rest);
    };
  }

 private:
  std::shared_ptr<Machine> machine_;
  uint64_t epoch_;
  Inode inode_;
  uint64_t owner_ = 0;  // of locks
};

class SimFile : public File {
 public:
  SimFile(std::shared_ptr<Machine> machine, uint64_t epoch, Inode inode, bool read, bool write)
      : handle_(std::move(machine), epoch, inode), read_(read), write_(write) {}

  const Handle& handle() const { return handle_; }

  absl::StatusOr<size_t> ReadAt(uint64_t offset_bytes, absl::Span<uint8_t> out) override {
    if (!read_) return ErrnoError(EBADF, "read a file opened for writing only");
    size_t count = 0;
    SLIPWAY_RETURN_IF_ERROR(Call(CallKind::kRead, "read", [&](Kernel& kernel) {
      const absl::Status inside = kernel.CheckOffset("read", inode(), offset_bytes);
      if (!inside.ok()) return inside;
      count = kernel.disk.Get(inode()).content.Read(offset_bytes, out);
      return absl::OkStatus();
    }));
    return count;
  }

  absl::Status WriteAt(uint64_t offset_bytes, BytesView data) override {
    return Write("write", offset_bytes, data);
  }

  absl::Status Truncate(uint64_t size_bytes) override {
    if (!write_) return ErrnoError(EINVAL, "truncate a file opened for reading only");
    return handle_.machine().Call(
        handle_.epoch(), CallKind::kFree,
        handle_.Describe("truncate", absl::StrCat(" ", size_bytes)), [&](Kernel& kernel) {
          SLIPWAY_RETURN_IF_ERROR(kernel.CheckOffset("truncate", inode(), size_bytes));
          kernel.disk.Truncate(inode(), size_bytes, kernel.now);
          return absl::OkStatus();
        });
  }

  absl::Status CopyFrom(File& source, uint64_t source_offset_bytes, uint64_t offset_bytes,
                        uint64_t size_bytes) override {
    SLIPWAY_ASSIGN_OR_RETURN(const Meta meta, source.Stat());
    if (source_offset_bytes > meta.size_bytes ||
        size_bytes > meta.size_bytes - source_offset_bytes) {
      return absl::OutOfRangeError(absl::StrCat("copy ", size_bytes, " bytes at ",
                                                source_offset_bytes, ": the source has ",
                                                meta.size_bytes));
    }
    Bytes data(static_cast<size_t>(size_bytes));
    SLIPWAY_ASSIGN_OR_RETURN(const size_t count,
                             source.ReadAt(source_offset_bytes, absl::MakeSpan(data)));
    if (count != data.size()) return absl::OutOfRangeError("copy: the source was cut meanwhile");
    return Write("copy into", offset_bytes, data);
  }

  absl::StatusOr<std::pair<uint64_t, uint64_t>> NextData(uint64_t offset_bytes) override {
    std::pair<uint64_t, uint64_t> range;
    SLIPWAY_RETURN_IF_ERROR(Call(CallKind::kRead, "seek in", [&](Kernel& kernel) {
      const Content& content = kernel.disk.Get(inode()).content;
      const uint64_t size = content.size_bytes();
      range = kernel.features.holes ? content.NextData(offset_bytes)
                                    : std::pair(std::min(offset_bytes, size), size);
      return absl::OkStatus();
    }));
    return range;
  }

  absl::StatusOr<Meta> Stat() override {
    Meta meta;
    SLIPWAY_RETURN_IF_ERROR(Call(CallKind::kRead, "stat", [&](Kernel& kernel) {
      meta = kernel.Stat(inode());
      return absl::OkStatus();
    }));
    return meta;
  }

  absl::StatusOr<Xattrs> GetXattrs() override {
    Xattrs xattrs;
    SLIPWAY_RETURN_IF_ERROR(Call(CallKind::kRead, "read attributes of", [&](Kernel& kernel) {
      xattrs = kernel.GetXattrs(inode());
      return absl::OkStatus();
    }));
    return xattrs;
  }

  absl::Status SetMeta(const MetaChange& change) override {
    return Call(CallKind::kChange, "set attributes of",
                [&](Kernel& kernel) { return kernel.SetMeta(inode(), change); });
  }

  absl::Status Sync() override {
    return handle_.machine().Sync(
        handle_.epoch(), Lie::kFileSync, handle_.Describe("fsync"),
        [&](Kernel& kernel) {
          kernel.disk.SyncNode(inode());
          return absl::OkStatus();
        },
        [&](Kernel& kernel) {
          kernel.disk.DoomNode(inode());
          return absl::OkStatus();
        });
  }

  absl::Status SyncData() override {
    return handle_.machine().Sync(
        handle_.epoch(), Lie::kFileSync, handle_.Describe("fdatasync"),
        [&](Kernel& kernel) {
          kernel.disk.SyncData(inode());
          return absl::OkStatus();
        },
        [&](Kernel& kernel) {
          kernel.disk.DoomNode(inode());
          return absl::OkStatus();
        });
  }

  absl::Status TryLock() override {
    return Call(CallKind::kRead, "lock",
                [&](Kernel& kernel) { return kernel.Lock(inode(), handle_.owner()); });
  }

  void DropCache(uint64_t, uint64_t) override {}

 private:
  Inode inode() const { return handle_.inode(); }

  absl::Status Call(CallKind kind, absl::string_view verb, Machine::Body body) {
    return handle_.machine().Call(handle_.epoch(), kind, handle_.Describe(verb), body);
  }

  absl::Status Write(absl::string_view verb, uint64_t offset_bytes, BytesView data) {
    if (!write_) return ErrnoError(EBADF, "write a file opened for reading only");
    if (data.empty()) return absl::OkStatus();
    return handle_.machine().Write(
        handle_.epoch(), handle_.Describe(verb, absl::StrCat(" ", offset_bytes, " +", data.size())),
        [&](Kernel& kernel) { return kernel.Write(inode(), offset_bytes, data); },
        [&](Kernel& kernel, Stream& choices) {
          const size_t part = static_cast<size_t>(choices.Next() % data.size());
          kernel.Write(inode(), offset_bytes, data.subspan(0, part)).IgnoreError();
        },
        [&](Kernel& kernel, Stream& choices) { kernel.disk.Misdirect(inode(), data, choices); });
  }

  Handle handle_;
  const bool read_;
  const bool write_;
};

class SimCursor : public DirCursor {
 public:
  SimCursor(std::shared_ptr<Machine> machine, uint64_t epoch, Inode dir,
            std::vector<DirEntry> entries)
      : machine_(std::move(machine)), epoch_(epoch), dir_(dir), entries_(std::move(entries)) {}

  absl::StatusOr<std::optional<DirEntry>> Next() override {
    std::optional<DirEntry> entry;
    SLIPWAY_RETURN_IF_ERROR(machine_->Call(
        epoch_, CallKind::kRead,
        [&](const Kernel& kernel) { return absl::StrCat("list ", kernel.NameOf(dir_)); },
        [&](Kernel&) {
          if (entries_.empty()) return absl::OkStatus();
          entry = std::move(entries_.back());
          entries_.pop_back();
          return absl::OkStatus();
        }));
    return entry;
  }

 private:
  std::shared_ptr<Machine> machine_;
  uint64_t epoch_;
  Inode dir_;
  std::vector<DirEntry> entries_;  // those still to come, last first
};

class SimDir : public Dir {
 public:
  SimDir(std::shared_ptr<Machine> machine, uint64_t epoch, Inode inode)
      : handle_(std::move(machine), epoch, inode) {}

  Owned<Dir> OpenDir(absl::string_view path) override {
    Inode opened = 0;
    SLIPWAY_RETURN_IF_ERROR(Call(CallKind::kRead, "open directory", path, [&](Kernel& kernel) {
      return Open(kernel, kernel.OpenDir(inode(), path), opened);
    }));
    return MakeDirHandle(handle_.shared(), handle_.epoch(), opened);
  }

  Owned<File> Open(absl::string_view path, OpenOptions options) override {
    if ((options.create || options.truncate) && !options.write) {
      return ErrnoError(EINVAL, absl::StrCat("open ", path, ": to create or cut it, write it"));
    }
    Inode opened = 0;
    const bool changes = options.create || options.truncate;
    SLIPWAY_RETURN_IF_ERROR(Call(
        changes ? CallKind::kChange : CallKind::kRead, options.create ? "create" : "open", path,
        [&](Kernel& kernel) { return Open(kernel, kernel.Open(inode(), path, options), opened); }));
    return std::make_unique<SimFile>(handle_.shared(), handle_.epoch(), opened, options.read,
                                     options.write);
  }

  Owned<File> CreateTemp() override {
    Inode opened = 0;
    SLIPWAY_RETURN_IF_ERROR(Call(CallKind::kChange, "create temporary in", "", [&](Kernel& kernel) {
      return Open(kernel, kernel.CreateTemp(inode()), opened);
    }));
    return std::make_unique<SimFile>(handle_.shared(), handle_.epoch(), opened, true, true);
  }

  absl::Status Publish(File& temp, absl::string_view name, RenameMode mode) override {
    auto* const file = dynamic_cast<SimFile*>(&temp);
    if (file == nullptr || file->handle().shared() != handle_.shared()) {
      return ErrnoError(EXDEV, absl::StrCat("publish ", name));
    }
    return Call(CallKind::kChange, "publish", name, [&](Kernel& kernel) {
      const Inode published = file->handle().inode();
      if (kernel.disk.Get(published).links > 0) {
        return absl::FailedPreconditionError(absl::StrCat("publish ", name, ": it has a name"));
      }
      return kernel.Publish(inode(), published, name, mode);
    });
  }

  absl::Status Rename(absl::string_view from, Dir& to_dir, absl::string_view to,
                      RenameMode mode) override {
    auto* const target = dynamic_cast<SimDir*>(&to_dir);
    if (target == nullptr || target->handle_.shared() != handle_.shared()) {
      return ErrnoError(EXDEV, absl::StrCat("rename ", from, " to ", to));
    }
    const Inode to_inode = target->inode();
    const absl::string_view arrow = mode == RenameMode::kExchange ? " <-> " : " -> ";
    return handle_.machine().Call(
        handle_.epoch(), CallKind::kChange,
        [&](const Kernel& kernel) {
          return absl::StrCat(mode == RenameMode::kExchange ? "exchange " : "rename ",
                              Name(kernel, inode(), from), arrow, Name(kernel, to_inode, to));
        },
        [&](Kernel& kernel) { return kernel.Rename(inode(), from, to_inode, to, mode); });
  }

  absl::Status MakeDir(absl::string_view path, uint32_t mode) override {
    return Call(CallKind::kChange, "mkdir", path,
                [&](Kernel& kernel) { return kernel.MakeDir(inode(), path, mode); });
  }

  absl::Status Symlink(absl::string_view target, absl::string_view path) override {
    return Call(CallKind::kChange, "symlink", path,
                [&](Kernel& kernel) { return kernel.Symlink(inode(), target, path); });
  }

  absl::Status HardLink(absl::string_view existing, absl::string_view path) override {
    return Call(CallKind::kChange, "link", path,
                [&](Kernel& kernel) { return kernel.HardLink(inode(), existing, path); });
  }

  absl::StatusOr<std::string> ReadLink(absl::string_view path) override {
    std::string target;
    SLIPWAY_RETURN_IF_ERROR(Call(CallKind::kRead, "readlink", path, [&](Kernel& kernel) {
      const std::string what = absl::StrCat("read link ", path);
      SLIPWAY_ASSIGN_OR_RETURN(const Inode found, kernel.Lookup(inode(), path, what));
      const Node& node = kernel.disk.Get(found);
      if (node.kind != FileKind::kSymlink) return ErrnoError(EINVAL, what);
      target = node.target;
      return absl::OkStatus();
    }));
    return target;
  }

  absl::StatusOr<Meta> Stat(absl::string_view path) override {
    Meta meta;
    SLIPWAY_RETURN_IF_ERROR(Call(CallKind::kRead, "stat", path, [&](Kernel& kernel) {
      SLIPWAY_ASSIGN_OR_RETURN(const Inode found,
                               kernel.Lookup(inode(), path, absl::StrCat("stat ", path)));
      meta = kernel.Stat(found);
      return absl::OkStatus();
    }));
    return meta;
  }

  absl::StatusOr<Xattrs> GetXattrs(absl::string_view path) override {
    Xattrs xattrs;
    SLIPWAY_RETURN_IF_ERROR(Call(CallKind::kRead, "read attributes of", path, [&](Kernel& kernel) {
      SLIPWAY_ASSIGN_OR_RETURN(const Inode found,
                               kernel.Lookup(inode(), path, absl::StrCat("attributes of ", path)));
      xattrs = kernel.GetXattrs(found);
      return absl::OkStatus();
    }));
    return xattrs;
  }

  absl::Status SetMeta(absl::string_view path, const MetaChange& change) override {
    return Call(CallKind::kChange, "set attributes of", path, [&](Kernel& kernel) {
      SLIPWAY_ASSIGN_OR_RETURN(
          const Inode found,
          kernel.Lookup(inode(), path, absl::StrCat("set attributes of ", path)));
      return kernel.SetMeta(found, change);
    });
  }

  Owned<DirCursor> List() override {
    std::vector<DirEntry> entries;
    SLIPWAY_RETURN_IF_ERROR(Call(CallKind::kRead, "list", "", [&](Kernel& kernel) {
      SLIPWAY_ASSIGN_OR_RETURN(entries, kernel.List(inode()));
      return absl::OkStatus();
    }));
    Shuffle(entries);
    return std::make_unique<SimCursor>(handle_.shared(), handle_.epoch(), inode(),
                                       std::move(entries));
  }

  absl::Status Remove(absl::string_view path) override {
    return Call(CallKind::kFree, "remove", path,
                [&](Kernel& kernel) { return kernel.Remove(inode(), path); });
  }

  absl::Status Sync() override {
    return handle_.machine().Sync(
        handle_.epoch(), Lie::kDirSync, handle_.Describe("fsync"),
        [&](Kernel& kernel) {
          kernel.disk.SyncDir(inode());
          return absl::OkStatus();
        },
        [&](Kernel& kernel) {
          kernel.disk.DoomDir(inode());
          return absl::OkStatus();
        });
  }

  absl::Status SyncFilesystem() override {
    return handle_.machine().Sync(
        handle_.epoch(), Lie::kEverySync, [](const Kernel&) { return std::string("syncfs"); },
        [](Kernel& kernel) {
          kernel.disk.SyncAll();
          return absl::OkStatus();
        },
        [](Kernel& kernel) {
          kernel.disk.DoomAll();
          return absl::OkStatus();
        });
  }

  absl::StatusOr<Space> FreeSpace() override {
    Space space;
    SLIPWAY_RETURN_IF_ERROR(Call(CallKind::kRead, "statfs", "", [&](Kernel& kernel) {
      space = kernel.FreeSpace();
      return absl::OkStatus();
    }));
    return space;
  }

 private:
  Inode inode() const { return handle_.inode(); }

  static std::string Name(const Kernel& kernel, Inode dir, absl::string_view path) {
    const std::string name = kernel.NameOf(dir);
    if (path.empty() || path == ".") return name;
    return dir == kRootInode ? std::string(path) : JoinPath(name, path);
  }

  // Takes a handle of what was found.
  static absl::Status Open(Kernel& kernel, absl::StatusOr<Inode> found, Inode& opened) {
    if (!found.ok()) return std::move(found).status();
    opened = *found;
    kernel.disk.AddHandle(opened);
    return absl::OkStatus();
  }

  // "In no order" means that a test must not be able to rely on one.
  void Shuffle(std::vector<DirEntry>& entries) const {
    Stream choices(handle_.machine().Inspect(
        [&](const MachineState& state) { return Mix(state.seed, inode(), entries.size()); }));
    for (size_t i = entries.size(); i > 1; --i) {
      std::swap(entries[i - 1], entries[static_cast<size_t>(choices.Below(i))]);
    }
  }

  absl::Status Call(CallKind kind, absl::string_view verb, absl::string_view path,
                    Machine::Body body) {
    return handle_.machine().Call(
        handle_.epoch(), kind,
        [&](const Kernel& kernel) { return absl::StrCat(verb, " ", Name(kernel, inode(), path)); },
        body);
  }

  Handle handle_;
};

}  // namespace

std::unique_ptr<Dir> MakeDirHandle(std::shared_ptr<Machine> machine, uint64_t epoch, Inode inode) {
  return std::make_unique<SimDir>(std::move(machine), epoch, inode);
}

}  // namespace slipway::base::sim
