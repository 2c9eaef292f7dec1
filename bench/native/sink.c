/*
 * sink: an S3 store that keeps nothing and costs next to nothing, to measure by what a worker spends on a PUT. One thread,
 * epoll, HTTP/1.1: the body of every request is dropped in the kernel by its Content-Length, and answered with an ETag; a
 * GET is answered with the listing of an empty bucket.
 *
 *   sink PORT
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 256, MAX_FD = 65536, MAX_HEAD = 16384 };

struct connection {
  char head[MAX_HEAD];
  int length;
  /* Bytes of the body to come; the answer goes out at 0. */
  long long left;
  int in_body;
};
static struct connection *connections[MAX_FD];

static const char PUT_ANSWER[] = "HTTP/1.1 200 OK\r\nETag: \"0123456789abcdef0123456789abcdef\"\r\nContent-Length: 0\r\n\r\n";
static const char LISTING[] = "<?xml version=\"1.0\"?><ListBucketResult><Name>sink</Name><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>";
static char listing_answer[512];

static int answer(int fd, const char *head) {
  const char *text = strncmp(head, "GET", 3) == 0 ? listing_answer : PUT_ANSWER;
  return send(fd, text, strlen(text), MSG_NOSIGNAL) < 0 ? -1 : 0;
}

/* Takes what has come. @returns -1 when the connection is over */
static int serve(int fd, struct connection *it) {
  for (;;) {
    if (it->in_body) {
      while (it->left > 0) {
        ssize_t got = recv(fd, NULL, it->left > 1 << 20 ? 1 << 20 : (size_t)it->left, MSG_TRUNC | MSG_DONTWAIT);
        if (got < 0) return errno == EAGAIN ? 0 : -1;
        if (got == 0) return -1;
        it->left -= got;
      }
      if (answer(fd, it->head) < 0) return -1;
      it->in_body = 0;
      it->length = 0;
    }
    ssize_t got = recv(fd, it->head + it->length, MAX_HEAD - 1 - it->length, MSG_PEEK | MSG_DONTWAIT);
    if (got < 0) return errno == EAGAIN ? 0 : -1;
    if (got == 0) return -1;
    it->head[it->length + got] = 0;
    char *end = strstr(it->head, "\r\n\r\n");
    ssize_t take = end ? end + 4 - it->head - it->length : got;
    if (recv(fd, it->head + it->length, take, 0) != take) return -1;
    it->length += take;
    if (!end) {
      if (it->length >= MAX_HEAD - 1) return -1;
      continue;
    }
    it->head[it->length] = 0;
    const char *field = strcasestr(it->head, "\r\ncontent-length:");
    it->left = field ? atoll(field + 17) : 0;
    it->in_body = 1;
  }
}

int main(int argc, char **argv) {
  if (argc != 2) return fprintf(stderr, "usage: sink PORT\n"), 2;
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  signal(SIGPIPE, SIG_IGN);
  sprintf(listing_answer, "HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: %zu\r\n\r\n%s", strlen(LISTING), LISTING);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 1024) < 0) return perror("listen"), 1;
  int queue = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[EVENTS];
  epoll_ctl(queue, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    int count = epoll_wait(queue, events, EVENTS, -1);
    for (int at_event = 0; at_event < count; at_event++) {
      int fd = events[at_event].data.fd;
      if (fd == listener) {
        int client = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        if (client < 0) continue;
        if (client >= MAX_FD) {
          close(client);
          continue;
        }
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (!connections[client]) connections[client] = malloc(sizeof(struct connection));
        connections[client]->length = connections[client]->in_body = 0;
        struct epoll_event more = {.events = EPOLLIN, .data.fd = client};
        epoll_ctl(queue, EPOLL_CTL_ADD, client, &more);
      } else if (serve(fd, connections[fd]) < 0) close(fd);
    }
  }
}
