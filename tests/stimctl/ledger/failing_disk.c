/* Loaded before the C library: from the DISK_AFTERth on, each call of the kind DISK_CALL (read, write, sync, lock) on a file
   whose name ends with DISK_NAME fails with the error number DISK_ERRNO. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int fails(int descriptor, const char *call) {
    static long seen;
    const char *end = getenv("DISK_NAME"), *kind = getenv("DISK_CALL");
    char link[64], name[4096];
    ssize_t length;
    if (!end || strcmp(kind, call)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    length = readlink(link, name, sizeof name);
    if (length < (ssize_t)strlen(end) || memcmp(name + length - strlen(end), end, strlen(end))) return 0;
    if (__atomic_add_fetch(&seen, 1, __ATOMIC_SEQ_CST) <= atol(getenv("DISK_AFTER"))) return 0;
    errno = atoi(getenv("DISK_ERRNO"));
    return 1;
}

#define NEXT(result, name, ...) ((result (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name))

ssize_t pwrite64(int file, const void *data, size_t size, off64_t at) {
    return fails(file, "write") ? -1 : NEXT(ssize_t, "pwrite64", int, const void *, size_t, off64_t)(file, data, size, at);
}
ssize_t pread64(int file, void *data, size_t size, off64_t at) {
    return fails(file, "read") ? -1 : NEXT(ssize_t, "pread64", int, void *, size_t, off64_t)(file, data, size, at);
}
int fsync(int file) { return fails(file, "sync") ? -1 : NEXT(int, "fsync", int)(file); }
int fdatasync(int file) { return fails(file, "sync") ? -1 : NEXT(int, "fdatasync", int)(file); }
int fcntl64(int file, int command, ...) {
    va_list rest;
    void *argument;
    va_start(rest, command);
    argument = va_arg(rest, void *);
    va_end(rest);
    if ((command == F_SETLK || command == F_SETLKW) && fails(file, "lock")) return -1;
    return NEXT(int, "fcntl64", int, int, ...)(file, command, argument);
}
