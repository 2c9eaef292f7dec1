/*
 * The addon of the hit path: page bytes go from page files to sockets without passing through JavaScript, by sendfile(2) or
 * from a mapping (send.c).
 *
 * sendFile   one non-blocking turn: a head, then bytes of a file, as far as the socket takes them now
 * watch      a watcher of one socket that tells, once each time it is armed, that the socket takes bytes again
 * mapPage    keeps a file's bytes in memory for sendFile, until unmapPage
 * mapFile    the bytes of a file in memory, without a copy, for readers on the worker's host
 *
 * The descriptors belong to libuv and to the page store. Nothing here closes them: a watcher polls a duplicate, because
 * libuv allows one watcher a descriptor and the socket's own stream has it.
 *
 * The kernel goes on referring to a file's pages after sendfile has returned. Page files are immutable and leave the disk
 * by unlink, so what is on its way to a client stays what it was.
 */
#define NAPI_VERSION 8
#include <errno.h>
#include <node_api.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <uv.h>
#include "send.h"

static napi_value number(napi_env env, int64_t value) {
  napi_value result;
  napi_create_int64(env, value, &result);
  return result;
}

static napi_value fail(napi_env env, const char *message) {
  napi_throw_error(env, "RL_INTERNAL", message);
  return NULL;
}

/*
 * sendFile(socketFd, head, headOffset, headLength, fileFd, position, length) -> bytes sent, those of the head included;
 * -errno when none were (-EAGAIN: the socket takes none now; -ENODATA: the file ends before).
 */
static napi_value send_file(napi_env env, napi_callback_info info) {
  napi_value args[7];
  size_t count = 7;
  int32_t socket_fd = -1, file_fd = -1;
  int64_t head_offset = 0, head_length = 0, position = 0, length = 0;
  void *head = NULL;
  size_t head_size = 0;
  if (napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok || count != 7 ||
      napi_get_value_int32(env, args[0], &socket_fd) != napi_ok ||
      napi_get_value_int64(env, args[2], &head_offset) != napi_ok ||
      napi_get_value_int64(env, args[3], &head_length) != napi_ok ||
      napi_get_value_int32(env, args[4], &file_fd) != napi_ok ||
      napi_get_value_int64(env, args[5], &position) != napi_ok || napi_get_value_int64(env, args[6], &length) != napi_ok) {
    return fail(env, "sendFile takes (socketFd, head, headOffset, headLength, fileFd, position, length)");
  }
  if (head_length > 0 && napi_get_buffer_info(env, args[1], &head, &head_size) != napi_ok) {
    return fail(env, "sendFile: the head must be a Buffer");
  }
  if (socket_fd < 0 || position < 0 || length < 0 || head_offset < 0 || head_length < 0 ||
      (uint64_t)head_offset + (uint64_t)head_length > (head_length > 0 ? head_size : UINT64_MAX)) {
    return fail(env, "sendFile: a number is out of its range");
  }
  const char *bytes = (const char *)head + (head_length > 0 ? head_offset : 0);
  size_t heads = (size_t)head_length, wanted = (size_t)length;
  if (heads > 0 && heads <= MAX_SMALL_HEAD && wanted > 0 && wanted <= SMALL_BYTES) {
    return number(env, send_small(socket_fd, bytes, heads, file_fd, position, wanted));
  }
  return number(env, send_pages(socket_fd, bytes, heads, file_fd, position, wanted));
}

struct watcher {
  uv_poll_t poll;
  napi_env env;
  napi_ref callback;
  int fd;
};

static void on_writable(uv_poll_t *poll, int status, int events) {
  struct watcher *watcher = poll->data;
  napi_env env = watcher->env;
  napi_handle_scope scope;
  napi_value callback, receiver, error;
  (void)status, (void)events;
  uv_poll_stop(poll);
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  if (napi_get_reference_value(env, watcher->callback, &callback) == napi_ok && callback != NULL &&
      napi_get_global(env, &receiver) == napi_ok &&
      napi_make_callback(env, NULL, receiver, callback, 0, NULL, NULL) == napi_pending_exception &&
      napi_get_and_clear_last_exception(env, &error) == napi_ok) {
    napi_fatal_exception(env, error);
  }
  napi_close_handle_scope(env, scope);
}

/* watch(socketFd, callback) -> handle; nothing is told before arm(). */
static napi_value watch(napi_env env, napi_callback_info info) {
  napi_value args[2], handle;
  size_t count = 2;
  int32_t socket_fd = -1;
  uv_loop_t *loop;
  if (napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok || count != 2 ||
      napi_get_value_int32(env, args[0], &socket_fd) != napi_ok || napi_get_uv_event_loop(env, &loop) != napi_ok) {
    return fail(env, "watch takes (socketFd, callback)");
  }
  struct watcher *watcher = calloc(1, sizeof *watcher);
  if (watcher == NULL) return fail(env, "watch: out of memory");
  watcher->env = env;
  watcher->fd = dup(socket_fd);
  if (watcher->fd < 0) {
    free(watcher);
    return fail(env, "watch: the descriptor cannot be duplicated; raise the limit of open files");
  }
  if (napi_create_reference(env, args[1], 1, &watcher->callback) != napi_ok ||
      uv_poll_init(loop, &watcher->poll, watcher->fd) != 0) {
    if (watcher->callback != NULL) napi_delete_reference(env, watcher->callback);
    close(watcher->fd);
    free(watcher);
    return fail(env, "watch: the descriptor cannot be polled");
  }
  watcher->poll.data = watcher;
  napi_create_external(env, watcher, NULL, NULL, &handle);
  return handle;
}

static struct watcher *watcher_of(napi_env env, napi_callback_info info) {
  napi_value args[1];
  size_t count = 1;
  void *data = NULL;
  if (napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok || count != 1 ||
      napi_get_value_external(env, args[0], &data) != napi_ok || data == NULL) {
    fail(env, "a handle made by watch() is needed");
    return NULL;
  }
  return data;
}

/* arm(handle): the callback is called once, when the socket takes bytes or has failed. */
static napi_value arm(napi_env env, napi_callback_info info) {
  struct watcher *watcher = watcher_of(env, info);
  if (watcher != NULL && uv_poll_start(&watcher->poll, UV_WRITABLE, on_writable) != 0) {
    return fail(env, "arm: the descriptor cannot be polled");
  }
  return NULL;
}

static void on_closed(uv_handle_t *handle) {
  struct watcher *watcher = handle->data;
  close(watcher->fd);
  free(watcher);
}

/* unwatch(handle): to be called exactly once; the duplicate would keep the connection open otherwise. */
static napi_value unwatch(napi_env env, napi_callback_info info) {
  struct watcher *watcher = watcher_of(env, info);
  if (watcher == NULL) return NULL;
  napi_delete_reference(env, watcher->callback);
  uv_close((uv_handle_t *)&watcher->poll, on_closed);
  return NULL;
}

#define TMPFS 0x01021994

/* The file's first bytes; NULL where the file is shorter, or not on tmpfs: elsewhere a disk that fails would end the process by SIGBUS. */
static char *map_bytes(int fd, int64_t length) {
  struct stat file;
  struct statfs system;
  if (length <= 0 || fstat(fd, &file) != 0 || file.st_size < length || fstatfs(fd, &system) != 0 || system.f_type != TMPFS) {
    return NULL;
  }
  char *bytes = mmap(NULL, (size_t)length, PROT_READ, MAP_SHARED, fd, 0);
  return bytes == MAP_FAILED ? NULL : bytes;
}

static int takes_file(napi_env env, napi_callback_info info, int32_t *fd, int64_t *length) {
  napi_value args[2];
  size_t count = 2;
  return napi_get_cb_info(env, info, &count, args, NULL, NULL) == napi_ok && count == 2 &&
         napi_get_value_int32(env, args[0], fd) == napi_ok && napi_get_value_int64(env, args[1], length) == napi_ok;
}

/* mapPage(fd, length) -> whether small answers from the file are sent from memory now. */
static napi_value map_page(napi_env env, napi_callback_info info) {
  napi_value result;
  int32_t fd;
  int64_t length;
  if (!takes_file(env, info, &fd, &length)) return fail(env, "mapPage takes (fd, length)");
  char *bytes = fd < 0 || fd >= MAX_MAPPED_FD || mappings[fd].bytes != NULL ? NULL : map_bytes(fd, length);
  if (bytes != NULL) mappings[fd] = (struct mapping){bytes, (size_t)length};
  napi_get_boolean(env, bytes != NULL, &result);
  return result;
}

/* unmapPage(fd, length): before the descriptor is closed. */
static napi_value unmap_page(napi_env env, napi_callback_info info) {
  int32_t fd;
  int64_t length;
  if (!takes_file(env, info, &fd, &length)) return fail(env, "unmapPage takes (fd, length)");
  if (fd < 0 || fd >= MAX_MAPPED_FD || mappings[fd].bytes == NULL) return NULL;
  munmap(mappings[fd].bytes, mappings[fd].length);
  mappings[fd] = (struct mapping){0};
  return NULL;
}

static void unmap(napi_env env, void *bytes, void *length) {
  (void)env;
  munmap(bytes, (size_t)(uintptr_t)length);
}

/* mapFile(fd, length) -> ArrayBuffer of the file's first bytes, not to be written to, mapped until it is freed; undefined without. */
static napi_value map_file(napi_env env, napi_callback_info info) {
  napi_value result = NULL;
  int32_t fd;
  int64_t length;
  if (!takes_file(env, info, &fd, &length)) return fail(env, "mapFile takes (fd, length)");
  char *bytes = map_bytes(fd, length);
  if (bytes == NULL) return NULL;
  void *hint = (void *)(uintptr_t)length;
  if (napi_create_external_arraybuffer(env, bytes, (size_t)length, unmap, hint, &result) == napi_ok) return result;
  munmap(bytes, (size_t)length);
  return NULL;
}

void add_signatures(napi_env env, napi_value exports); /* signature.c */
#define METHOD(name, function) {name, NULL, function, NULL, NULL, NULL, napi_enumerable, NULL}

NAPI_MODULE_INIT() {
  const napi_property_descriptor methods[] = {
    METHOD("sendFile", send_file), METHOD("mapPage", map_page), METHOD("unmapPage", unmap_page), METHOD("mapFile", map_file),
    METHOD("watch", watch),        METHOD("arm", arm),          METHOD("unwatch", unwatch),
  };
  napi_define_properties(env, exports, sizeof methods / sizeof *methods, methods);
  add_signatures(env, exports);
  return exports;
}
