/*
 * null: a target that costs next to nothing, to measure load generators by. One thread, epoll, HTTP/1.1: every request, whatever it
 * is, is answered at once with a body of fixed size; nothing is parsed but the empty line that ends it.
 *
 *   null PORT BODY_BYTES
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <signal.h>
#include <unistd.h>

enum { EVENTS = 256, MAX_FD = 65536 };
/* How much of "\r\n\r\n" each connection has sent. */
static unsigned char ended[MAX_FD];

int main(int argc, char **argv) {
  if (argc != 3) return fprintf(stderr, "usage: null PORT BODY_BYTES\n"), 2;
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  signal(SIGPIPE, SIG_IGN);
  size_t body = (size_t)atoi(argv[2]);
  char *answer = malloc(256 + body);
  int head = sprintf(answer, "HTTP/1.1 206 Partial Content\r\ncontent-type: application/octet-stream\r\ncontent-length: %zu\r\n\r\n", body);
  memset(answer + head, 'x', body);
  size_t length = (size_t)head + body;
  int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 4096) < 0) return perror("null"), 1;
  int poll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[EVENTS];
  epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
  static char buffer[65536];
  for (;;) {
    int ready = epoll_wait(poll, events, EVENTS, -1);
    for (int i = 0; i < ready; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        int accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (accepted < 0) continue;
        if (accepted >= MAX_FD) { close(accepted); continue; }
        setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        ended[accepted] = 0;
        event.events = EPOLLIN;
        event.data.fd = accepted;
        epoll_ctl(poll, EPOLL_CTL_ADD, accepted, &event);
        continue;
      }
      ssize_t got = read(fd, buffer, sizeof buffer);
      if (got <= 0) { close(fd); continue; }
      for (ssize_t at = 0; at < got; at++) {
        if (buffer[at] == (ended[fd] % 2 ? '\n' : '\r')) ended[fd]++;
        else ended[fd] = buffer[at] == '\r';
        if (ended[fd] < 4) continue;
        ended[fd] = 0;
        /* Sockets block: a client that does not read holds everybody up, and generators under measurement do read. */
        for (size_t sent = 0; sent < length;) {
          ssize_t wrote = write(fd, answer + sent, length - sent);
          if (wrote <= 0) break;
          sent += (size_t)wrote;
        }
      }
    }
  }
}
