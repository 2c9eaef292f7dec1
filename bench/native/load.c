/*
 * load: the generator of the data plane's benchmark. One thread, epoll, HTTP/1.1 with one request in flight a connection.
 *
 * Closed loop by default: each connection asks again as soon as it has its answer. With --rate it is an open loop: requests
 * are due at even intervals whatever the server does, and a latency is counted from the moment at which its request was due,
 * so that a server that stalls is charged for everybody who waited (no coordinated omission).
 *
 * A target file has one request a line: METHOD, a space, the path, and any headers after tabs. "{n}" in a line becomes a
 * number that is never used twice in a run, so that a cold read stays cold.
 *
 * Latencies are kept in a histogram with 128 steps an octave (0.8 % wide), in nanoseconds. CPU seconds of server processes
 * are read at both edges of the measured interval. The result is one line of JSON.
 *
 * With --sequence, one run has many measured windows on the same connections: before each one its letter is sent to the Unix socket
 * of --switch, whose owner puts the server into the state that the letter stands for and answers with a byte; --warm seconds later
 * the window begins. The letter "f" asks for whatever work is still owed: before the window, and at its end as a part of it.
 *
 *   load --endpoint PORT=FILE [--endpoint PORT=FILE ...] [--conns N] [--secs S] [--warm S] [--order random|cycle|once]
 *        [--range SIZE:OBJECT] [--first N] [--rate R] [--requests N] [--discard] [--body BYTES] [--slow BYTES_A_SECOND]
 *        [--pids A,B,...] [--seed N] [--switch SOCKET --sequence LETTERS]
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { MAX_ENDPOINTS = 8, MAX_PIDS = 64, HEAD_BYTES = 8192, STEPS = 256, OCTAVES = 48 };

typedef struct { char *text; size_t length; char *number; } Target; /* number: where "{n}" stands, or NULL */
typedef struct { int port; Target *targets; size_t count; size_t next; int exhausted; } Endpoint;
typedef struct {
  int fd, endpoint, busy, in_head, first_seen, wants_write, keep, chunked;
  char tail[5]; /* the last bytes of a chunked body: it ends with "0\r\n\r\n" */
  char head[HEAD_BYTES];
  size_t head_length;
  uint64_t left, body_left, started;
  size_t out_length, out_sent;
  char out[HEAD_BYTES];
} Connection;
typedef struct { uint64_t count[STEPS * OCTAVES], total, max; } Histogram;

static Endpoint endpoints[MAX_ENDPOINTS];
static int endpoint_count = 0, conns = 16, discard_bodies = 0, epoll_fd;
static enum { RANDOM, CYCLE, ONCE } order = RANDOM;
static double secs = 1, warm = 0, rate = 0, slow = 0;
static uint64_t range_bytes = 0, object_bytes = 0, first = 0, max_requests = 0, body_bytes = 0, seed = 88172645463325252ull;
static int pids[MAX_PIDS], pid_count = 0;
static uint64_t requests = 0, bytes = 0, errors = 0, reconnects = 0, sent_total = 0, number = 0;
static int measuring = 0, stopping = 0;
static Histogram whole, first_byte;
static char bad[256] = "";
static char *buffer, *body;
static const char *switch_path, *sequence;
static int switch_fd = -1, switched = 0;
static const size_t buffer_bytes = 256 * 1024;

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static uint64_t next_random(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  return seed ^= seed << 17;
}

static void record(Histogram *h, uint64_t ns) {
  unsigned index;
  if (ns < STEPS) index = (unsigned)ns;
  else {
    int octave = 63 - __builtin_clzll(ns) - 7; /* ns >> octave lies in [128, 256) */
    index = (unsigned)octave * (STEPS / 2) + (unsigned)(ns >> octave);
  }
  if (index >= STEPS * OCTAVES) index = STEPS * OCTAVES - 1;
  h->count[index]++;
  h->total++;
  if (ns > h->max) h->max = ns;
}

/* The upper edge of the step in which the quantile lies. */
static uint64_t quantile(const Histogram *h, double q) {
  uint64_t wanted = (uint64_t)(q * (double)h->total + 0.9999999), seen = 0;
  for (unsigned index = 0; index < STEPS * OCTAVES; index++) {
    seen += h->count[index];
    if (seen < wanted || seen == 0) continue;
    if (index < STEPS) return index;
    unsigned octave = index / (STEPS / 2) - 1, step = index - octave * (STEPS / 2);
    return ((uint64_t)(step + 1) << octave) - 1;
  }
  return h->max;
}

static void die(const char *what) {
  fprintf(stderr, "load: %s\n", what);
  exit(1);
}

static void read_targets(Endpoint *e, const char *file) {
  FILE *in = fopen(file, "r");
  if (!in) die("cannot open a target file");
  char *line = NULL;
  size_t room = 0, capacity = 0;
  ssize_t length;
  while ((length = getline(&line, &room, in)) > 0) {
    if (line[length - 1] == '\n') line[--length] = 0;
    if (length == 0) continue;
    if (e->count == capacity) e->targets = realloc(e->targets, (capacity = capacity ? capacity * 2 : 1024) * sizeof(Target));
    char *text = malloc((size_t)length * 2 + 128), *out = text;
    char *headers = strchr(line, '\t');
    size_t request = headers ? (size_t)(headers - line) : (size_t)length;
    memcpy(out, line, request);
    out += request;
    out += sprintf(out, " HTTP/1.1\r\n");
    if (!strcasestr(line, "\thost:")) out += sprintf(out, "Host: 127.0.0.1:%d\r\n", e->port);
    for (char *h = headers ? strtok(headers + 1, "\t") : NULL; h; h = strtok(NULL, "\t")) out += sprintf(out, "%s\r\n", h);
    *out = 0;
    e->targets[e->count].text = text;
    e->targets[e->count].length = (size_t)(out - text);
    e->targets[e->count++].number = strstr(text, "{n}");
  }
  free(line);
  fclose(in);
  if (!e->count) die("a target file is empty");
}

static void watch(Connection *c, int writing) {
  if (c->wants_write == writing) return;
  struct epoll_event e = {.events = EPOLLIN | (writing ? EPOLLOUT : 0u), .data.ptr = c};
  epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
  c->wants_write = writing;
}

static void open_connection(Connection *c) {
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (slow > 0) {
    int small = 64 * 1024;
    setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  }
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)endpoints[c->endpoint].port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (connect(c->fd, (struct sockaddr *)&to, sizeof to)) die("nobody listens on the port");
  int one = 1;
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &e);
  c->wants_write = 0;
  c->busy = 0;
}

static void note_bad(const char *line) {
  errors++;
  if (!bad[0]) {
    size_t n = strcspn(line, "\r\n");
    snprintf(bad, sizeof bad, "%.*s", (int)(n > 200 ? 200 : n), line);
    for (char *p = bad; *p; p++)
      if (*p == '"' || *p == '\\' || *p < ' ') *p = '\'';
  }
}

static void flush_out(Connection *c) {
  while (c->out_sent < c->out_length) {
    ssize_t n = send(c->fd, c->out + c->out_sent, c->out_length - c->out_sent, MSG_NOSIGNAL | (c->body_left ? MSG_MORE : 0));
    if (n < 0) {
      if (errno == EAGAIN) { watch(c, 1); return; }
      return; /* the read side meets the end of the connection */
    }
    c->out_sent += (size_t)n;
  }
  while (c->body_left) {
    uint64_t want = c->body_left < (1u << 20) ? c->body_left : (1u << 20);
    ssize_t n = send(c->fd, body, want, MSG_NOSIGNAL);
    if (n < 0) {
      if (errno == EAGAIN) { watch(c, 1); return; }
      c->body_left = 0;
      return;
    }
    c->body_left -= (uint64_t)n;
    if (measuring) bytes += (uint64_t)n;
  }
  watch(c, 0);
}

/* Sends the next request of the connection's endpoint; 0 when there is none. */
static int ask(Connection *c, uint64_t started) {
  Endpoint *e = &endpoints[c->endpoint];
  if (stopping || e->exhausted || (max_requests && sent_total >= max_requests)) return 0;
  Target *t;
  if (order == RANDOM) t = &e->targets[next_random() % e->count];
  else {
    if (e->next == e->count) {
      if (order == ONCE) { e->exhausted = 1; return 0; }
      e->next = 0;
    }
    t = &e->targets[e->next++];
  }
  if (t->length + 256 > HEAD_BYTES) die("a request head is too long");
  char *out = c->out;
  if (t->number) {
    size_t before = (size_t)(t->number - t->text);
    memcpy(out, t->text, before);
    out += before;
    out += sprintf(out, "%llu", (unsigned long long)(first + number++));
    memcpy(out, t->number + 3, t->length - before - 3);
    out += t->length - before - 3;
  } else {
    memcpy(out, t->text, t->length);
    out += t->length;
  }
  if (range_bytes) {
    uint64_t from = (next_random() % (object_bytes / range_bytes)) * range_bytes;
    out += sprintf(out, "Range: bytes=%llu-%llu\r\n", (unsigned long long)from, (unsigned long long)(from + range_bytes - 1));
  }
  if (body_bytes) out += sprintf(out, "Content-Length: %llu\r\n", (unsigned long long)body_bytes);
  memcpy(out, "\r\n", 2);
  c->out_length = (size_t)(out + 2 - c->out);
  c->out_sent = 0;
  c->body_left = body_bytes;
  c->busy = c->in_head = 1;
  c->chunked = 0;
  c->first_seen = 0;
  c->head_length = 0;
  c->started = started;
  sent_total++;
  flush_out(c);
  return 1;
}

static void finished(Connection *c) {
  uint64_t at = now_ns();
  c->busy = 0;
  if (measuring) {
    requests++;
    record(&whole, at - c->started);
  }
  if (!c->keep) {
    close(c->fd);
    reconnects++;
    open_connection(c);
  }
  if (rate == 0) ask(c, at);
}

/* Whether a chunked body ends with these bytes. One request is in flight, so nothing comes behind it. */
static int chunks_end(Connection *c, const char *p, size_t n) {
  if (n >= sizeof c->tail) memcpy(c->tail, p + n - sizeof c->tail, sizeof c->tail);
  else {
    memmove(c->tail, c->tail + n, sizeof c->tail - n);
    memcpy(c->tail + sizeof c->tail - n, p, n);
  }
  return !memcmp(c->tail, "0\r\n\r\n", sizeof c->tail);
}

/* Takes the head apart once it is complete. Returns how many of the `n` bytes were the head's. */
static size_t take_head(Connection *c, const char *from, size_t n) {
  size_t room = HEAD_BYTES - 1 - c->head_length, k = n < room ? n : room, old = c->head_length;
  memcpy(c->head + old, from, k);
  c->head[old + k] = 0;
  size_t scan = old > 3 ? old - 3 : 0;
  char *end = memmem(c->head + scan, old + k - scan, "\r\n\r\n", 4);
  if (!end) {
    if (k == room) die("an answer's head is too long");
    c->head_length += k;
    return k;
  }
  size_t used = (size_t)(end + 4 - c->head) - old;
  *end = 0;
  if (c->head[9] != '2') note_bad(c->head);
  char *length = strcasestr(c->head, "\r\ncontent-length:");
  char *closing = strcasestr(c->head, "\r\nconnection: close");
  c->chunked = strcasestr(c->head, "\r\ntransfer-encoding:") != NULL;
  memset(c->tail, 0, sizeof c->tail);
  c->keep = closing == NULL;
  c->left = length && !c->chunked ? strtoull(length + 17, NULL, 10) : 0;
  c->in_head = 0;
  if (range_bytes && c->head[9] == '2' && c->left != range_bytes) note_bad("an answer that is not the range asked for");
  return used;
}

static void receive(Connection *c) {
  for (int turn = 0; turn < 8; turn++) {
    int dropping = discard_bodies && !c->in_head && c->left > 0;
    size_t want = dropping ? (c->left > (8u << 20) ? (8u << 20) : c->left) : discard_bodies && c->in_head ? 1024 : buffer_bytes;
    ssize_t n = recv(c->fd, buffer, want, dropping ? MSG_TRUNC : 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
      if (c->busy) note_bad("the connection was cut");
      close(c->fd);
      reconnects++;
      open_connection(c);
      if (rate == 0) ask(c, now_ns());
      return;
    }
    if (measuring && !body_bytes) bytes += (uint64_t)n;
    if (!c->first_seen && c->busy) {
      c->first_seen = 1;
      if (measuring) record(&first_byte, now_ns() - c->started);
    }
    if (dropping) {
      if (!(c->left -= (uint64_t)n)) { finished(c); return; }
      continue;
    }
    const char *p = buffer;
    size_t rest = (size_t)n;
    while (rest && c->busy) {
      if (c->in_head) {
        size_t used = take_head(c, p, rest);
        p += used;
        rest -= used;
        if (!c->in_head && !c->left && !c->chunked) { finished(c); return; }
      } else if (c->chunked) {
        if (chunks_end(c, p, rest)) { finished(c); return; }
        break;
      } else {
        uint64_t k = rest < c->left ? rest : c->left;
        c->left -= k;
        p += k;
        rest -= k;
        if (!c->left) { finished(c); return; }
      }
    }
    if ((size_t)n < want && !discard_bodies) return;
  }
}

/* User and system time of a process, all its threads, seconds; 0 when it is gone. To the nanosecond: short rounds need it. */
static double cpu_of(int pid) {
  clockid_t clock;
  struct timespec used;
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0) return 0;
  return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static double own_cpu(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void slow_readers(Connection *all) {
  uint64_t end = now_ns() + (uint64_t)(secs * 1e9);
  size_t share = (size_t)(slow / 100) + 1;
  if (share > buffer_bytes) share = buffer_bytes;
  while (now_ns() < end) {
    for (int i = 0; i < conns; i++) {
      ssize_t n = recv(all[i].fd, buffer, share, 0);
      if (n > 0) {
        if (!all[i].first_seen && (n < 12 || buffer[9] != '2')) note_bad(buffer);
        all[i].first_seen = 1;
        bytes += (uint64_t)n;
      } else if (n == 0 || errno != EAGAIN) {
        note_bad("the connection was cut");
        close(all[i].fd);
        open_connection(&all[i]);
        ask(&all[i], now_ns());
      }
    }
    struct timespec pause = {.tv_nsec = 10000000};
    nanosleep(&pause, NULL);
  }
}

/* Waits for events, for 20 ms at most or not at all, and does what they ask for. */
static void turn(int timeout) {
  struct epoll_event events[256];
  int n = epoll_wait(epoll_fd, events, 256, timeout);
  for (int i = 0; i < n; i++) {
    Connection *c = events[i].data.ptr;
    if (!c) {
      char answer;
      if (recv(switch_fd, &answer, 1, 0) != 1) die("the switch was closed");
      switched = 1;
      continue;
    }
    if (events[i].events & EPOLLOUT) flush_out(c);
    if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(c);
  }
}

static void open_switch(void) {
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  if (!switch_path || strlen(switch_path) >= sizeof to.sun_path) die("--sequence needs --switch, a short path");
  strcpy(to.sun_path, switch_path);
  switch_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(switch_fd, (struct sockaddr *)&to, sizeof to)) die("nobody listens at the switch");
  struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, switch_fd, &e);
}

/* Sends a letter to the switch, and goes on with the load until it is answered. */
static void tell(char letter) {
  uint64_t patience = now_ns() + 30000000000ull;
  switched = 0;
  if (send(switch_fd, &letter, 1, MSG_NOSIGNAL) != 1) die("the switch was closed");
  while (!switched) {
    turn(20);
    if (now_ns() > patience) die("the switch does not answer");
  }
}

static void load_until(uint64_t end) {
  while (now_ns() < end) turn(20);
}

static void windows(void) {
  double before[MAX_PIDS];
  open_switch();
  printf("{\"windows\":[");
  for (const char *letter = sequence; *letter; letter++) {
    tell(*letter);
    load_until(now_ns() + (uint64_t)(warm * 1e9));
    tell('f');
    for (int p = 0; p < pid_count; p++) before[p] = cpu_of(pids[p]);
    requests = 0;
    measuring = 1;
    uint64_t begun = now_ns();
    load_until(begun + (uint64_t)(secs * 1e9));
    tell('f');
    measuring = 0;
    printf("%s{\"requests\":%llu,\"seconds\":%.6f,\"cpu\":[", letter == sequence ? "" : ",", (unsigned long long)requests,
           (double)(now_ns() - begun) / 1e9);
    for (int p = 0; p < pid_count; p++) printf("%s%.6f", p ? "," : "", cpu_of(pids[p]) - before[p]);
    printf("]}");
  }
  printf("],\"errors\":%llu,\"bad\":\"%s\"}\n", (unsigned long long)errors, bad);
}

static uint64_t number_of(const char *text) { return strtoull(text, NULL, 10); }

static void options(int argc, char **argv) {
  static const struct option known[] = {
      {"endpoint", 1, 0, 'e'}, {"conns", 1, 0, 'c'}, {"secs", 1, 0, 's'},   {"warm", 1, 0, 'w'},    {"order", 1, 0, 'o'},
      {"range", 1, 0, 'r'},    {"first", 1, 0, 'f'}, {"rate", 1, 0, 'R'},   {"requests", 1, 0, 'n'}, {"discard", 0, 0, 'd'},
      {"body", 1, 0, 'b'},     {"slow", 1, 0, 'S'},  {"pids", 1, 0, 'p'},   {"seed", 1, 0, 'x'},
      {"switch", 1, 0, 'W'},   {"sequence", 1, 0, 'q'}, {0, 0, 0, 0}};
  int o;
  while ((o = getopt_long(argc, argv, "", known, NULL)) != -1) switch (o) {
      case 'e': {
        char *equals = strchr(optarg, '=');
        if (!equals || endpoint_count == MAX_ENDPOINTS) die("--endpoint needs PORT=FILE");
        endpoints[endpoint_count].port = atoi(optarg);
        read_targets(&endpoints[endpoint_count++], equals + 1);
        break;
      }
      case 'c': conns = atoi(optarg); break;
      case 's': secs = atof(optarg); break;
      case 'w': warm = atof(optarg); break;
      case 'o': order = !strcmp(optarg, "once") ? ONCE : !strcmp(optarg, "cycle") ? CYCLE : RANDOM; break;
      case 'r': {
        char *colon = strchr(optarg, ':');
        if (!colon) die("--range needs SIZE:OBJECT");
        range_bytes = number_of(optarg);
        object_bytes = number_of(colon + 1);
        break;
      }
      case 'f': first = number_of(optarg); break;
      case 'R': rate = atof(optarg); break;
      case 'n': max_requests = number_of(optarg); break;
      case 'd': discard_bodies = 1; break;
      case 'b': body_bytes = number_of(optarg); break;
      case 'S': slow = atof(optarg); break;
      case 'p':
        for (char *p = strtok(optarg, ","); p && pid_count < MAX_PIDS; p = strtok(NULL, ",")) pids[pid_count++] = atoi(p);
        break;
      case 'W': switch_path = optarg; break;
      case 'q': sequence = optarg; break;
      case 'x': seed = number_of(optarg) * 2654435761u + 88172645463325252ull; break;
      default: exit(2);
    }
  if (!endpoint_count || conns < 1) die("--endpoint PORT=FILE is needed");
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  options(argc, argv);
  buffer = malloc(buffer_bytes + 1);
  body = malloc(1 << 20);
  for (size_t i = 0; i < (1 << 20); i += 8) {
    uint64_t r = next_random();
    memcpy(body + i, &r, 8);
  }
  memset(buffer, 0, buffer_bytes + 1);
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  Connection *all = calloc((size_t)conns, sizeof *all);
  for (int i = 0; i < conns; i++) {
    all[i].endpoint = i % endpoint_count;
    open_connection(&all[i]);
  }
  double cpu_before[MAX_PIDS], own_before = 0;
  uint64_t start = now_ns(), begun = start, end = 0, due_count = 0, late = 0;
  uint64_t measured_from = start + (uint64_t)(warm * 1e9), until = measured_from + (uint64_t)(secs * 1e9);
  double interval = rate > 0 ? 1e9 / rate : 0;
  if (rate == 0 || slow > 0)
    for (int i = 0; i < conns; i++) ask(&all[i], now_ns());
  if (sequence) {
    windows();
    return 0;
  }
  int next_idle = 0;
  if (warm <= 0 || slow > 0) {
    measuring = 1;
    for (int p = 0; p < pid_count; p++) cpu_before[p] = cpu_of(pids[p]);
    own_before = own_cpu();
  }
  if (slow > 0) {
    slow_readers(all);
  } else
    for (;;) {
      uint64_t at = now_ns();
      if (!measuring && at >= measured_from) {
        for (int p = 0; p < pid_count; p++) cpu_before[p] = cpu_of(pids[p]);
        own_before = own_cpu();
        begun = now_ns();
        until = begun + (uint64_t)(secs * 1e9);
        measuring = 1;
      }
      if (measuring && at >= until) break;
      if (rate > 0) {
        /* Whoever is idle takes what is due; what finds nobody idle stays due and its wait counts. */
        uint64_t due = start + (uint64_t)((double)due_count * interval);
        for (int tried = 0; due <= at && tried < conns; tried++) {
          Connection *c = &all[next_idle];
          next_idle = (next_idle + 1) % conns;
          if (c->busy) continue;
          if (measuring && at - due > 1000000) late++;
          if (!ask(c, due)) break;
          due = start + (uint64_t)((double)++due_count * interval);
          tried = -1;
        }
      } else if (max_requests || order == ONCE) {
        int busy = 0;
        for (int i = 0; i < conns && !busy; i++) busy = all[i].busy;
        if (!busy) break;
      }
      turn(rate > 0 ? 0 : 20);
    }
  end = now_ns();
  double wall = (double)(end - begun) / 1e9;
  printf("{\"requests\":%llu,\"bytes\":%llu,\"seconds\":%.6f,\"errors\":%llu,\"bad\":\"%s\",\"reconnects\":%llu,\"late\":%llu,\"generatorCpu\":%.4f,",
         (unsigned long long)requests, (unsigned long long)bytes, wall, (unsigned long long)errors, bad,
         (unsigned long long)reconnects, (unsigned long long)late, own_cpu() - own_before);
  printf("\"numbers\":%llu,\"p50\":%llu,\"p90\":%llu,\"p99\":%llu,\"p999\":%llu,\"max\":%llu,", (unsigned long long)number,
         (unsigned long long)quantile(&whole, 0.5), (unsigned long long)quantile(&whole, 0.9), (unsigned long long)quantile(&whole, 0.99),
         (unsigned long long)quantile(&whole, 0.999), (unsigned long long)whole.max);
  printf("\"firstByteP50\":%llu,\"firstByteP99\":%llu,\"cpu\":[", (unsigned long long)quantile(&first_byte, 0.5),
         (unsigned long long)quantile(&first_byte, 0.99));
  for (int p = 0; p < pid_count; p++) printf("%s%.6f", p ? "," : "", cpu_of(pids[p]) - cpu_before[p]);
  printf("]}\n");
  return 0;
}
