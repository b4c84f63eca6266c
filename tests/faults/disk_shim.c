/* A disk that misbehaves, for a program started with this library in LD_PRELOAD: its syncs lie, fail
 * or take long. SLIPWAY_DISK_FAULT names a file; its first word says what happens from the next sync
 * on, and it may change at any time:
 *   ok          nothing (also where there is no such file)
 *   lie         OK without a sync
 *   eio         fails with EIO, once: the file then says "ok"
 *   slow MS     takes so many milliseconds longer
 *   full        syncs are done, but no write finds room, and nothing is free
 * Files outside SLIPWAY_DISK_FAULT_UNDER, where that is set, are left alone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int is_concerned(int fd) {
  const char* under = getenv("SLIPWAY_DISK_FAULT_UNDER");
  char link[64], path[4096];
  ssize_t size;
  if (under == NULL) return 1;
  snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
  size = readlink(link, path, sizeof(path) - 1);
  return size > 0 && (size_t)size >= strlen(under) && memcmp(path, under, strlen(under)) == 0;
}

/* 0: sync; 1: say so without; -1: fail, errno is set. */
static int fault(int fd) {
  const char* name = getenv("SLIPWAY_DISK_FAULT");
  char text[64];
  ssize_t size;
  int control;
  if (name == NULL || !is_concerned(fd)) return 0;
  control = open(name, O_RDWR | O_CLOEXEC);
  if (control < 0) return 0;
  size = read(control, text, sizeof(text) - 1);
  text[size > 0 ? size : 0] = '\0';
  if (strncmp(text, "eio", 3) == 0) {
    if (pwrite(control, "ok ", 3, 0) != 3) abort();
    close(control);
    errno = EIO;
    return -1;
  }
  close(control);
  if (strncmp(text, "lie", 3) == 0) return 1;
  if (strncmp(text, "slow ", 5) == 0) {
    const long ms = atol(text + 5);
    const struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
  }
  return 0;
}

int fsync(int fd) {
  const int what = fault(fd);
  return what > 0 ? 0 : what < 0 ? -1 : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
  const int what = fault(fd);
  return what > 0 ? 0 : what < 0 ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int syncfs(int fd) {
  const int what = fault(fd);
  return what > 0 ? 0 : what < 0 ? -1 : (int)syscall(SYS_syncfs, fd);
}

/* Only a hint to begin writing: a disk that lies ignores it. */
int sync_file_range(int fd, off64_t offset, off64_t bytes, unsigned int flags) {
  const int what = fault(fd);
  return what > 0 ? 0 : what < 0 ? -1 : (int)syscall(SYS_sync_file_range, fd, offset, bytes, flags);
}

/* Whether there is no room, with errno set. */
static int is_full(int fd) {
  const char* name = getenv("SLIPWAY_DISK_FAULT");
  char text[8];
  ssize_t size;
  int control;
  if (name == NULL || !is_concerned(fd)) return 0;
  control = open(name, O_RDONLY | O_CLOEXEC);
  if (control < 0) return 0;
  size = read(control, text, sizeof(text) - 1);
  close(control);
  text[size > 0 ? size : 0] = '\0';
  if (strncmp(text, "full", 4) != 0) return 0;
  errno = ENOSPC;
  return 1;
}

ssize_t write(int fd, const void* bytes, size_t size) {
  return is_full(fd) ? -1 : syscall(SYS_write, fd, bytes, size);
}

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  return is_full(fd) ? -1 : syscall(SYS_pwrite64, fd, bytes, size, offset);
}

ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t offset) {
  return is_full(fd) ? -1 : syscall(SYS_pwrite64, fd, bytes, size, offset);
}

ssize_t copy_file_range(int from, off64_t* in, int to, off64_t* out, size_t size,
                        unsigned int flags) {
  return is_full(to) ? -1 : syscall(SYS_copy_file_range, from, in, to, out, size, flags);
}

int fallocate(int fd, int mode, off_t offset, off_t size) {
  return is_full(fd) ? -1 : (int)syscall(SYS_fallocate, fd, mode, offset, size);
}

int fstatvfs(int fd, struct statvfs* out) {
  static int (*next)(int, struct statvfs*);
  int result;
  if (next == NULL) *(void**)&next = dlsym(RTLD_NEXT, "fstatvfs");
  result = next(fd, out);
  if (result == 0 && is_full(fd)) out->f_bfree = out->f_bavail = 0;
  return result;
}
