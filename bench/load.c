/* Asks a server on 127.0.0.1 the same question many times and says, as JSON, how it answered.
 *
 *   load --port N --path /p --body FILE [--header 'Name: value']... --seconds S [--grace S]
 *        [--connections N] [--requests N] [--ramp MS]      closed loop: each connection asks again
 *        [--rate R]                                        open loop: R questions a second, come what may
 *        [--stream] [--events N]                           good: [DONE] seen and at least N events
 *        [--expect TEXT]                                   good: TEXT in the body (not streamed)
 *
 * Open loop counts latency from the moment a question was due, not from when it could be sent.
 * It sends to no other address, and it ends: after --seconds it asks no more, after --grace it leaves.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { MOST_CONNECTIONS = 4096, MOST_SECONDS = 120, MOST_RATE = 50000, MOST_ERRORS = 2000, HEAD = 16384, KEPT = 8192 };
enum body { LENGTH, CHUNKED, TO_END };
enum chunk { SIZE, SIZE_REST, DATA, DATA_END, TRAILER };

typedef struct {
    int fd;
    bool open, busy, answering, wants_out, closing, done;
    int64_t due, starts;              /* microseconds */
    size_t sent, head_len, left, kept_len, line_len;
    enum body body;
    enum chunk chunk;
    int status, events;
    int64_t first;
    char head[HEAD + 1], kept[KEPT + 1], line[16];
} conn;

typedef struct { int64_t *at; size_t n, cap; } times;

static struct {
    int port, connections;
    const char *path, *expect;
    char *request;
    size_t request_len;
    double seconds, grace, rate;
    long requests, ramp_ms;
    int events;
    bool stream;
} want = {.connections = 1, .grace = 5, .path = "/", .expect = "\"choices\""};

static conn *conns;
static times latency, first;
static int epoll, timer, in_flight, waiting, idle_n, *idle;
static int64_t began, ends, gone;
static long asked, good, bad, errors, events_seen, statuses[6];
static unsigned long bytes_seen;
static char sample[512];

static void answered(conn *c);

static int64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static void die(const char *what) {
    fprintf(stderr, "load: %s\n", what);
    exit(2);
}

static void *need(void *memory) {
    if (!memory) die("out of memory");
    return memory;
}

static void note(times *t, int64_t value) {
    if (t->n == t->cap) t->at = need(realloc(t->at, (t->cap = t->cap ? t->cap * 2 : 4096) * sizeof *t->at));
    t->at[t->n++] = value;
}

/* ---- asking ---- */

static void watch(conn *c, bool out) {
    struct epoll_event e = {EPOLLIN | EPOLLRDHUP | (out ? EPOLLOUT : 0), {.ptr = c}};
    if (out != c->wants_out) epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &e);
    c->wants_out = out;
}

static void hang_up(conn *c) {
    if (c->open) close(c->fd);
    c->open = c->wants_out = false;
}

static void start_at(conn *c, int64_t when) {
    waiting += (when != INT64_MAX) - (c->starts != INT64_MAX);
    c->starts = when;
}

static void failed(conn *c) {
    hang_up(c);
    if (!c->busy) return;
    c->busy = false;
    in_flight--;
    errors++;
    if (want.rate > 0) idle[idle_n++] = c - conns;
    else start_at(c, now_us() + 20000); /* a server that refuses is not hammered */
}

static void send_rest(conn *c) {
    while (c->sent < want.request_len) {
        ssize_t n = send(c->fd, want.request + c->sent, want.request_len - c->sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN) return failed(c);
        if (n < 0) return watch(c, true);
        c->sent += n;
    }
    watch(c, false);
}

static bool dial(conn *c) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(want.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) die("no more sockets");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->open = true;
    if (connect(c->fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS) return false;
    struct epoll_event e = {EPOLLIN | EPOLLRDHUP | EPOLLOUT, {.ptr = c}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &e);
    c->wants_out = true;
    return true;
}

static void ask(conn *c, int64_t due) {
    c->busy = true;
    c->answering = c->closing = c->done = false;
    c->due = due;
    c->sent = c->head_len = c->kept_len = c->line_len = 0;
    c->events = 0;
    c->first = 0;
    asked++;
    in_flight++;
    if (c->open) send_rest(c);
    else if (!dial(c)) failed(c);
}

/* ---- hearing ---- */

static void whole_line(conn *c) {
    if (c->line_len >= 5 && !memcmp(c->line, "data:", 5)) {
        if (!c->events++) c->first = now_us();
        if (c->line_len >= 11 && strstr(c->line, "[DONE]")) c->done = true;
    }
    c->line_len = 0;
}

static void hear_events(conn *c, const char *from, size_t len) {
    while (len) {
        const char *end = memchr(from, '\n', len);
        size_t part = end ? (size_t)(end - from) : len, room = sizeof c->line - 1 - c->line_len;
        size_t copied = part < room ? part : room;
        memcpy(c->line + c->line_len, from, copied);
        c->line[c->line_len += copied] = 0;
        if (!end) return;
        whole_line(c);
        len -= part + 1;
        from = end + 1;
    }
}

static void hear_body(conn *c, const char *from, size_t len) {
    size_t room = KEPT - c->kept_len, part = len < room ? len : room;
    bytes_seen += len;
    memcpy(c->kept + c->kept_len, from, part);
    c->kept[c->kept_len += part] = 0;
    if (want.stream) hear_events(c, from, len);
}

static int hex(char ch) {
    if (ch >= '0' && ch <= '9') return ch - '0';
    ch |= 32;
    return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

/* A line of the framing ended; true when it was the last of the body. */
static bool framing_line(conn *c) {
    if (c->chunk == TRAILER) return true;
    bool was_size = c->chunk != DATA_END;
    c->chunk = !was_size ? SIZE : c->left ? DATA : TRAILER;
    return false;
}

/* Takes what of `from` belongs to the chunked body; true at its end. */
static bool hear_chunks(conn *c, const char *from, size_t len) {
    for (size_t i = 0; i < len;) {
        if (c->chunk == DATA) {
            size_t part = len - i < c->left ? len - i : c->left;
            hear_body(c, from + i, part);
            i += part;
            if (!(c->left -= part)) c->chunk = DATA_END;
            continue;
        }
        char ch = from[i++];
        int digit = c->chunk == SIZE ? hex(ch) : -1;
        if (digit >= 0) c->left = c->left * 16 + digit;
        else if (ch == '\n' && framing_line(c)) return true;
        else if (c->chunk == SIZE && ch != '\n') c->chunk = SIZE_REST;
    }
    return false;
}

static bool hear_more(conn *c, const char *from, size_t len) {
    if (c->body == CHUNKED) return hear_chunks(c, from, len);
    if (c->body == LENGTH && len > c->left) len = c->left;
    hear_body(c, from, len);
    if (c->body == LENGTH) c->left -= len;
    return c->body == LENGTH && !c->left;
}

/* The head is whole: how does the body end? */
static void read_head(conn *c) {
    const char *length = strcasestr(c->head, "\r\ncontent-length:");
    c->answering = true;
    c->status = atoi(c->head + 9);
    c->closing = strcasestr(c->head, "\r\nconnection: close") || !strncmp(c->head, "HTTP/1.0", 8);
    c->body = strcasestr(c->head, "\r\ntransfer-encoding: chunked") ? CHUNKED : length ? LENGTH : TO_END;
    c->left = c->body == LENGTH ? strtoul(length + 17, NULL, 10) : 0;
    c->chunk = SIZE;
}

static void hear(conn *c, const char *from, size_t len) {
    if (!c->answering) {
        size_t room = HEAD - c->head_len, part = len < room ? len : room;
        memcpy(c->head + c->head_len, from, part);
        c->head[c->head_len + part] = 0;
        char *end = strstr(c->head, "\r\n\r\n");
        if (!end && c->head_len + part == HEAD) return failed(c);
        if (!end) { c->head_len += part; return; }
        size_t used = end + 4 - c->head - c->head_len;
        end[2] = 0;
        read_head(c);
        from += used;
        len -= used;
    }
    if (hear_more(c, from, len)) answered(c);
}

/* ---- counting ---- */

static bool is_good(const conn *c) {
    if (c->status != 200) return false;
    return want.stream ? c->done && c->events >= want.events : strstr(c->kept, want.expect) != NULL;
}

static void keep_sample(const conn *c) {
    size_t n = 0;
    for (const char *p = c->kept; *p && n < 400; p++) {
        if (*p == '"' || *p == '\\') sample[n++] = '\\';
        sample[n++] = *p < ' ' ? ' ' : *p;
    }
    sample[n] = 0;
}

static void answered(conn *c) {
    int64_t now = now_us();
    c->busy = false;
    in_flight--;
    events_seen += c->events;
    statuses[c->status / 100 % 6]++;
    if (is_good(c)) {
        good++;
        note(&latency, now - c->due);
        if (c->first) note(&first, c->first - c->due);
    } else {
        bad++;
        if (!*sample) keep_sample(c);
    }
    if (c->closing) hang_up(c);
    if (want.rate > 0) idle[idle_n++] = c - conns;
    else if (now < ends && (!want.requests || asked < want.requests)) ask(c, now);
}

static void ready(conn *c, uint32_t what) {
    static char buffer[65536];
    if (c->open && what & EPOLLOUT) send_rest(c);
    while (c->open && what & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        ssize_t n = recv(c->fd, buffer, sizeof buffer, 0);
        if (n < 0 && errno == EAGAIN) return;
        if (n == 0 && c->busy && c->answering && c->body == TO_END) {
            hang_up(c);
            return answered(c);
        }
        if (n <= 0) return failed(c);
        if (c->busy) hear(c, buffer, n);
        if (n < (ssize_t)sizeof buffer && !(what & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))) return;
    }
}

/* ---- when to ask ---- */

static int64_t due_of(long n) { return began + (int64_t)(n * 1e6 / want.rate); }

static void ask_open(int64_t now) {
    while (due_of(asked) <= now && due_of(asked) < ends && idle_n) ask(&conns[idle[--idle_n]], due_of(asked));
}

static void ask_closed(int64_t now) {
    for (int i = 0; i < want.connections; i++)
        if (!conns[i].busy && conns[i].starts <= now && now < ends && (!want.requests || asked < want.requests)) {
            start_at(&conns[i], INT64_MAX);
            ask(&conns[i], now);
        }
}

static int64_t next_closed(int64_t now) {
    int64_t next = INT64_MAX;
    if (!waiting || (want.requests && asked >= want.requests)) return next;
    for (int i = 0; i < want.connections; i++)
        if (!conns[i].busy && conns[i].starts < next) next = conns[i].starts;
    return next < now ? now : next;
}

static void set_timer(int64_t now) {
    bool more = want.rate > 0 ? due_of(asked) < ends : now < ends;
    int64_t next = !more ? gone : want.rate > 0 ? (idle_n ? due_of(asked) : gone) : next_closed(now);
    static int64_t set;
    if (next > gone) next = gone;
    if (next == set && next > now) return;
    set = next;
    struct itimerspec at = {{0, 0}, {next / 1000000, next % 1000000 * 1000 + 1}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
}

static bool over(int64_t now) {
    if (now >= gone || errors > MOST_ERRORS) return true;
    if (in_flight) return false;
    if (want.rate > 0) return due_of(asked) >= ends;
    return now >= ends || (want.requests && asked >= want.requests);
}

static void run(void) {
    struct epoll_event events[256];
    uint64_t ticks;
    for (int64_t now = now_us(); !over(now); now = now_us()) {
        if (want.rate > 0) ask_open(now);
        else if (next_closed(now) <= now) ask_closed(now);
        set_timer(now);
        int n = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr) ready(events[i].data.ptr, events[i].events);
            else if (read(timer, &ticks, sizeof ticks) < 0) continue;
        }
    }
}

/* ---- saying ---- */

static int by_size(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Nearest rank: the smallest value that at least p percent do not exceed. */
static long percentile(const times *t, double p) {
    size_t rank = (size_t)(p / 100 * t->n + 0.999999);
    return t->n ? t->at[rank ? rank - 1 : 0] : 0;
}

static void say_times(const char *name, times *t) {
    if (t->n) qsort(t->at, t->n, sizeof *t->at, by_size);
    printf("\"%s\":{\"n\":%zu,\"p50\":%ld,\"p90\":%ld,\"p99\":%ld,\"max\":%ld},", name, t->n,
           percentile(t, 50), percentile(t, 90), percentile(t, 99), percentile(t, 100));
}

static void say(int64_t end) {
    long never = want.rate > 0 ? (long)(want.rate * want.seconds) - asked : want.requests ? want.requests - asked : 0;
    for (int i = 0; i < want.connections; i++)
        if (conns[i].busy) events_seen += conns[i].events;
    printf("{\"good\":%ld,\"bad\":%ld,\"errors\":%ld,\"unfinished\":%ld,", good, bad, errors, in_flight + (never > 0 ? never : 0));
    printf("\"asked\":%ld,\"events\":%ld,\"bytes\":%lu,\"seconds\":%.6f,", asked, events_seen, bytes_seen, (end - began) / 1e6);
    printf("\"statuses\":{\"2xx\":%ld,\"3xx\":%ld,\"4xx\":%ld,\"5xx\":%ld},", statuses[2], statuses[3], statuses[4], statuses[5]);
    say_times("latency_us", &latency);
    say_times("first_us", &first);
    printf("\"sample\":\"%s\"}\n", sample);
}

/* ---- what was asked of us ---- */

static char *contents(const char *file, size_t *len) {
    struct stat s;
    int fd = open(file, O_RDONLY);
    if (fd < 0 || fstat(fd, &s)) die("cannot read the file given with --body");
    char *text = need(malloc(s.st_size + 1));
    if (read(fd, text, s.st_size) != s.st_size) die("cannot read the file given with --body");
    close(fd);
    *len = s.st_size;
    return text;
}

static void build_request(const char *body_file, const char *headers) {
    size_t len, head = strlen(headers) + strlen(want.path) + 256;
    char *body = contents(body_file, &len);
    want.request = need(malloc(head + len));
    int n = snprintf(want.request, head, "POST %s HTTP/1.1\r\nhost: 127.0.0.1:%d\r\ncontent-type: application/json\r\n"
                     "content-length: %zu\r\n%s\r\n", want.path, want.port, len, headers);
    memcpy(want.request + n, body, len);
    want.request_len = n + len;
    free(body);
}

static void add_header(char *to, size_t room, const char *header) {
    size_t at = strlen(to);
    if (at + strlen(header) + 3 > room) die("too many headers");
    sprintf(to + at, "%s\r\n", header);
}

static bool option(int which, const char *value) {
    switch (which) {
    case 'p': want.port = atoi(value); return true;
    case 'P': want.path = value; return true;
    case 's': want.seconds = atof(value); return true;
    case 'g': want.grace = atof(value); return true;
    case 'c': want.connections = atoi(value); return true;
    case 'n': want.requests = atol(value); return true;
    case 'm': want.ramp_ms = atol(value); return true;
    case 'r': want.rate = atof(value); return true;
    case 'e': want.events = atoi(value); return true;
    case 'x': want.expect = value; return true;
    case 'S': return want.stream = true;
    default: return false;
    }
}

static void check(const char *body_file) {
    if (!body_file || want.port <= 0 || want.port > 65535) die("--port and --body are needed; see the top of load.c");
    if (want.seconds <= 0 || want.seconds > MOST_SECONDS || want.grace < 0 || want.grace > MOST_SECONDS)
        die("--seconds and --grace are at most 120");
    if (want.connections < 1 || want.connections > MOST_CONNECTIONS) die("--connections is 1 to 4096");
    if (want.rate < 0 || want.rate > MOST_RATE) die("--rate is at most 50000");
}

static void options(int argc, char **argv) {
    static const struct option known[] = {
        {"port", 1, 0, 'p'}, {"path", 1, 0, 'P'}, {"body", 1, 0, 'b'}, {"header", 1, 0, 'h'}, {"seconds", 1, 0, 's'},
        {"grace", 1, 0, 'g'}, {"connections", 1, 0, 'c'}, {"requests", 1, 0, 'n'}, {"ramp", 1, 0, 'm'}, {"rate", 1, 0, 'r'},
        {"stream", 0, 0, 'S'}, {"events", 1, 0, 'e'}, {"expect", 1, 0, 'x'}, {0, 0, 0, 0}};
    static char headers[8192];
    const char *body_file = NULL;
    for (int which; (which = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (which == 'b') body_file = optarg;
        else if (which == 'h') add_header(headers, sizeof headers, optarg);
        else if (!option(which, optarg)) die("unknown option; see the top of load.c");
    }
    check(body_file);
    build_request(body_file, headers);
}

static void get_ready(void) {
    struct epoll_event e = {EPOLLIN, {.ptr = NULL}};
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_TIMERSLACK, 1UL, 0, 0, 0);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &e);
    conns = need(calloc(want.connections, sizeof *conns));
    idle = need(calloc(want.connections, sizeof *idle));
    began = now_us();
    ends = began + (int64_t)(want.seconds * 1e6);
    gone = ends + (int64_t)(want.grace * 1e6);
    for (int i = want.connections; i--;) {
        conns[i].starts = INT64_MAX;
        start_at(&conns[i], began + want.ramp_ms * 1000 * i / want.connections);
        idle[idle_n++] = i;
    }
}

int main(int argc, char **argv) {
    options(argc, argv);
    get_ready();
    run();
    say(now_us());
    return 0;
}
