/*
 * Sends a head and bytes of a page file over a socket, as far as it takes them now.
 *
 * Small answers leave in one call, from the mapping of their page or by way of the stack. Of longer ones whose page is mapped,
 * the bytes are copied from there or referred to by sendfile(2): which of them takes less of the processor depends on the machine,
 * the kernel, the network and the length. On one machine sendfile of 256 KiB took half of what copying took, and of 512 KiB
 * twice as much; on another it was quicker for all lengths. So both are measured now and then, for lengths between two powers
 * of two, by the thread's CPU time a byte.
 */
#include "send.h"
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* Most bytes that one call sends: other connections wait meanwhile. */
#define MAX_TURN_BYTES (4 << 20)
/* Each way is measured once in so many sends; the others cost nothing more. */
#define PERIOD 64
/* What is measured moves the average by this part. */
#define WEIGHT 8
#define LEAST_BITS 14
#define CLASSES 8

/* How one send goes. */
struct way {
  /* 1: from the mapping, 0: by sendfile. */
  int copies;
  int class;
  /* CPU time when it began; -1 where it is not measured. */
  int64_t since_ns;
};

static _Thread_local struct { double cost[2]; unsigned sends; } classes[CLASSES];

static int64_t thread_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static struct way choose_way(size_t bytes) {
  int bits = 63 - __builtin_clzll((unsigned long long)bytes | 1) - LEAST_BITS;
  int class = bits < 0 ? 0 : bits < CLASSES ? bits : CLASSES - 1;
  unsigned turn = classes[class].sends++ % PERIOD;
  const double *cost = classes[class].cost;
  if (turn < 2) return (struct way){(int)turn, class, thread_ns()};
  return (struct way){cost[1] > 0 && cost[1] < cost[0], class, -1};
}

static void note_way(struct way way, int64_t sent) {
  if (way.since_ns < 0 || sent <= 0) return;
  double *cost = &classes[way.class].cost[way.copies];
  double spent = (double)(thread_ns() - way.since_ns) / (double)sent;
  *cost = *cost == 0 ? spent : *cost + (spent - *cost) / WEIGHT;
}

/* Sends one part or two, and says how many bytes went; -errno when none did. */
static ssize_t send_parts(int fd, const void *first, size_t length, const void *second, size_t more, int flags) {
  struct iovec parts[2] = {{(void *)first, length}, {(void *)second, more}};
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = more > 0 ? 2 : 1};
  for (;;) {
    ssize_t sent = sendmsg(fd, &message, flags | MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) return sent;
    if (errno != EINTR) return -errno;
  }
}

struct mapping mappings[MAX_MAPPED_FD];

/* The kernel reads the mapping: of a file that was cut off it says so (-EFAULT), and nobody dies. */
static const char *mapped_bytes(int fd, off_t at, size_t length) {
  if (fd < 0 || fd >= MAX_MAPPED_FD || (uint64_t)at + length > mappings[fd].length) return NULL;
  return mappings[fd].bytes + at;
}

ssize_t send_small(int socket_fd, const char *head, size_t head_length, int file_fd, off_t at, size_t length) {
  char joined[MAX_SMALL_HEAD + SMALL_BYTES];
  size_t filled = 0;
  const char *mapped = mapped_bytes(file_fd, at, length);
  if (mapped != NULL) return send_parts(socket_fd, head, head_length, mapped, length, 0);
  while (filled < length) {
    ssize_t got = pread(file_fd, joined + head_length + filled, length - filled, at + (off_t)filled);
    if (got == 0) return -ENODATA;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -errno;
    filled += (size_t)got;
  }
  memcpy(joined, head, head_length);
  return send_parts(socket_fd, joined, head_length + length, NULL, 0, 0);
}

static ssize_t send_file_pages(int socket_fd, const char *head, size_t head_length, int file_fd, off_t at, size_t length) {
  size_t total = 0;
  if (head_length > 0) {
    ssize_t sent = send_parts(socket_fd, head, head_length, NULL, 0, length > 0 ? MSG_MORE : 0);
    if (sent < 0 || (size_t)sent < head_length) return sent;
    total = head_length;
  }
  while (length > 0) {
    ssize_t sent = sendfile(socket_fd, file_fd, &at, length);
    if (sent > 0) {
      length -= (size_t)sent;
      total += (size_t)sent;
      continue;
    }
    if (sent < 0 && errno == EINTR) continue;
    if (total > 0) break;
    return sent == 0 ? -ENODATA : -errno;
  }
  return (ssize_t)total;
}

ssize_t send_pages(int socket_fd, const char *head, size_t head_length, int file_fd, off_t at, size_t length) {
  if (length > MAX_TURN_BYTES) length = MAX_TURN_BYTES;
  const char *mapped = length > 0 ? mapped_bytes(file_fd, at, length) : NULL;
  if (mapped == NULL) return send_file_pages(socket_fd, head, head_length, file_fd, at, length);
  struct way way = choose_way(length);
  ssize_t sent = !way.copies ? send_file_pages(socket_fd, head, head_length, file_fd, at, length)
                 : head_length > 0 ? send_parts(socket_fd, head, head_length, mapped, length, 0)
                                   : send_parts(socket_fd, mapped, length, NULL, 0, 0);
  note_way(way, sent);
  return sent;
}
