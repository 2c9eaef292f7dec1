/* See send.c. Lengths in bytes; what is returned are the bytes that went, of head and body, or -errno where none did. */
#include <stddef.h>
#include <sys/types.h>

/* A body up to this size goes out with its head in one send(2): cheaper than two system calls and a splice. */
#define SMALL_BYTES (16 << 10)
#define MAX_SMALL_HEAD 4096

/* Page files that are mapped, by descriptor. Whoever closes one unmaps it first: the descriptor is another file's afterwards. */
#define MAX_MAPPED_FD 65536
struct mapping {
  char *bytes;
  size_t length;
};
extern struct mapping mappings[MAX_MAPPED_FD];

/* An answer with a head of at most MAX_SMALL_HEAD and a body of at most SMALL_BYTES. */
ssize_t send_small(int socket_fd, const char *head, size_t head_length, int file_fd, off_t at, size_t length);
/* Any other part of an answer. */
ssize_t send_pages(int socket_fd, const char *head, size_t head_length, int file_fd, off_t at, size_t length);
