/* A stand-in for a model server: OpenAI chat and completions on 127.0.0.1, one thread, epoll.
 *
 *   upstream PORT
 *
 * Every gateway passes `max_tokens` and `seed` through, so a request says how it wants to be
 * answered: `max_tokens` is the number of chunks, `seed` the milliseconds between them (0: at once;
 * not streamed: the answer comes after max_tokens x seed). GET /stats tells what happened so far.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { PIECES = 4096, MOST_IN = 8 << 20, WHEEL = 4096, BATCH = 256, CHAT = 0, TEXT = 1 };

typedef struct conn {
    struct conn *next, **link; /* in a slot of the wheel; link is NULL when in none */
    int64_t due;               /* milliseconds */
    int64_t began;
    char *in, *out;
    size_t in_len, in_cap, out_len, out_off, out_cap;
    int fd, kind, prompt, total, sent, pace;
    bool busy, stream, usage, wants_out, gone, last;
} conn;

typedef struct { char *bytes; size_t len; } blob;

static const char *const lines[] = {
    "    row%d = rows[index + %d]\n",
    "    if row%d.amount > limit * %d:\n",
    "        total += row%d.amount - %d\n",
    "    weights.append(weigh(row%d, scale=%d))\n",
    "    for part%d in row.parts[:%d]:\n",
    "        seen.add((part%d.name, %d))\n",
    "    log.debug(\"kept %d of %d rows\")\n",
    "    limit = max(limit, row%d.price * %d)\n",
};

static blob piece_event[2][PIECES], role_event, last_event[2], done_event, ends;
static char code[PIECES * 24];          /* the answer's text, ready to stand in a JSON string */
static size_t code_end[PIECES + 1];     /* where its n-th piece ends */
static conn *wheel[WHEEL], *graves;
static int64_t wheel_at;
static int epoll, timers, open_now;
static unsigned long requests, streams, chunks, aborted, refused;

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void die(const char *what) {
    fprintf(stderr, "upstream: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void *need(void *memory) {
    if (!memory) die("out of memory");
    return memory;
}

/* ---- the text, and the events that carry it ---- */

static size_t escaped(char *to, const char *from, size_t len) {
    char *at = to;
    for (size_t i = 0; i < len; i++) {
        if (from[i] == '\n' || from[i] == '"') *at++ = '\\';
        *at++ = from[i] == '\n' ? 'n' : from[i];
    }
    return at - to;
}

/* The next token-sized piece: blanks and a word, or one mark. */
static size_t piece_of(const char *text) {
    size_t n = strspn(text, " ");
    size_t word = strspn(text + n, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    return n + (word ? word : text[n] != 0);
}

static blob event(const char *json, size_t len) {
    blob e = {need(malloc(len + 48)), 0};
    e.len = sprintf(e.bytes, "%zx\r\ndata: ", len + 8);
    memcpy(e.bytes + e.len, json, len);
    e.len += len;
    memcpy(e.bytes + e.len, "\n\n\r\n", 4);
    e.len += 4;
    return e;
}

#define CHAT_HEAD "{\"id\":\"chatcmpl-5d0c7e41b2a98f36\",\"object\":\"chat.completion%s\",\"created\":1795464423,\"model\":\"bench\",\"choices\":["
#define TEXT_HEAD "{\"id\":\"cmpl-5d0c7e41b2a98f36\",\"object\":\"text_completion\",\"created\":1795464423,\"model\":\"bench\",\"choices\":["

static blob delta(int kind, const char *text, int len, const char *finish) {
    char json[512];
    int n = kind == CHAT
        ? sprintf(json, CHAT_HEAD "{\"index\":0,\"delta\":{%.*s},\"logprobs\":null,\"finish_reason\":%s,\"token_ids\":null}]}",
                  ".chunk", len, text, finish)
        : sprintf(json, TEXT_HEAD "{\"index\":0,\"text\":\"%.*s\",\"logprobs\":null,\"finish_reason\":%s,\"stop_reason\":null,\"token_ids\":null}]}",
                  len, text, finish);
    return event(json, n);
}

static void build_piece(int n, const char *text, size_t len) {
    char plain[64], chat[96];
    size_t plain_len = escaped(plain, text, len);
    int chat_len = sprintf(chat, "\"content\":\"%.*s\"", (int)plain_len, plain);
    memcpy(code + code_end[n], plain, plain_len);
    code_end[n + 1] = code_end[n] + plain_len;
    piece_event[CHAT][n] = delta(CHAT, chat, chat_len, "null");
    piece_event[TEXT][n] = delta(TEXT, plain, plain_len, "null");
}

static void build_events(void) {
    static const char role[] = "\"role\":\"assistant\",\"content\":\"\"";
    char line[96];
    const char *at = "";
    for (int n = 0, row = 0; n < PIECES; n++) {
        if (!*at) {
            snprintf(line, sizeof line, lines[row % 8], row + 1, row % 89 + 2);
            at = line;
            row++;
        }
        size_t len = piece_of(at);
        build_piece(n, at, len);
        at += len;
    }
    role_event = delta(CHAT, role, sizeof role - 1, "null");
    last_event[CHAT] = delta(CHAT, "", 0, "\"length\"");
    last_event[TEXT] = delta(TEXT, "", 0, "\"length\"");
    done_event = event("[DONE]", 6);
    ends = (blob){"0\r\n\r\n", 5};
}

/* ---- connections ---- */

static void off_wheel(conn *c) {
    if (!c->link) return;
    if (c->next) c->next->link = c->link;
    *c->link = c->next;
    c->link = NULL;
    timers--;
}

static void on_wheel(conn *c) {
    conn **slot = &wheel[c->due % WHEEL];
    c->next = *slot;
    c->link = slot;
    if (c->next) c->next->link = &c->next;
    *slot = c;
    timers++;
}

static void hang_up(conn *c) {
    if (c->gone) return;
    off_wheel(c);
    aborted += c->busy;
    open_now--;
    close(c->fd);
    c->gone = true; /* and freed when nobody up the stack looks at it any more */
    c->next = graves;
    graves = c;
}

static void put(conn *c, const char *bytes, size_t len) {
    if (c->out_len + len > c->out_cap) {
        c->out_cap = (c->out_len + len) * 2;
        c->out = need(realloc(c->out, c->out_cap));
    }
    memcpy(c->out + c->out_len, bytes, len);
    c->out_len += len;
}

static void put_event(conn *c, blob e) {
    put(c, e.bytes, e.len);
    chunks++;
}

static void flush(conn *c) {
    while (c->out_off < c->out_len) {
        ssize_t n = send(c->fd, c->out + c->out_off, c->out_len - c->out_off, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) break;
        if (n < 0) {
            hang_up(c);
            return;
        }
        c->out_off += n;
    }
    bool rest = c->out_off < c->out_len;
    if (!rest) c->out_off = c->out_len = 0;
    if (rest != c->wants_out) {
        struct epoll_event e = {EPOLLIN | EPOLLRDHUP | (rest ? EPOLLOUT : 0), {.ptr = c}};
        epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &e);
        c->wants_out = rest;
    }
    if (!rest && c->last && !c->busy) hang_up(c);
}

/* ---- what a request asks for ---- */

/* The value of the first "key" that does not stand, with escaped quotes, inside a string. */
static const char *value_of(const char *body, size_t len, const char *key) {
    size_t key_len = strlen(key);
    const char *at = body, *end = body + len;
    while ((at = memmem(at, end - at, key, key_len))) {
        const char *value = at + key_len;
        bool inside = at > body && at[-1] == '\\';
        while (value < end && (*value == ' ' || *value == ':')) value++;
        if (!inside && value < end) return value;
        at += key_len;
    }
    return NULL;
}

static int number_of(const char *body, size_t len, const char *key, int otherwise) {
    const char *value = value_of(body, len, key);
    int n = value ? atoi(value) : 0;
    return value && n >= 0 && *value >= '0' && *value <= '9' ? n : otherwise;
}

static bool true_in(const char *body, size_t len, const char *key) {
    const char *value = value_of(body, len, key);
    return value && *value == 't';
}

static void usage_json(char *to, const conn *c) {
    sprintf(to, "{\"prompt_tokens\":%d,\"total_tokens\":%d,\"completion_tokens\":%d}", c->prompt, c->prompt + c->total, c->total);
}

/* ---- answers ---- */

static void answer_json(conn *c, const char *status, const char *json, size_t len) {
    char head[160];
    int n = sprintf(head, "HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n", status, len);
    put(c, head, n);
    put(c, json, len);
}

static void answer_stats(conn *c) {
    char json[256];
    int n = sprintf(json, "{\"requests\":%lu,\"streams\":%lu,\"chunks\":%lu,\"open\":%d,\"aborted\":%lu,\"refused\":%lu}",
                    requests, streams, chunks, open_now, aborted, refused);
    answer_json(c, "200 OK", json, n);
}

static void answer_whole(conn *c) {
    static char json[sizeof code + 2048];
    char usage[128];
    usage_json(usage, c);
    int n = c->kind == CHAT
        ? sprintf(json, CHAT_HEAD "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"", "")
        : sprintf(json, TEXT_HEAD "{\"index\":0,\"text\":\"");
    memcpy(json + n, code, code_end[c->total]);
    n += code_end[c->total];
    n += sprintf(json + n, "%s,\"logprobs\":null,\"finish_reason\":\"length\",\"stop_reason\":null,\"token_ids\":null}],"
                 "\"service_tier\":null,\"system_fingerprint\":\"bench-1\",\"usage\":%s,\"kv_transfer_params\":null}",
                 c->kind == CHAT ? "\",\"refusal\":null,\"tool_calls\":[]}" : "\"", usage);
    answer_json(c, "200 OK", json, n);
    c->busy = false;
}

static void put_usage(conn *c) {
    char json[512], usage[128];
    usage_json(usage, c);
    int n = c->kind == CHAT ? sprintf(json, CHAT_HEAD "],\"usage\":%s}", ".chunk", usage)
                            : sprintf(json, TEXT_HEAD "],\"usage\":%s}", usage);
    blob e = event(json, n);
    put_event(c, e);
    free(e.bytes);
}

static void finish_stream(conn *c) {
    put_event(c, last_event[c->kind]);
    if (c->usage) put_usage(c);
    put(c, done_event.bytes, done_event.len);
    put(c, ends.bytes, ends.len);
    c->busy = false;
}

static void stream_on(conn *c, int64_t now) {
    while (c->sent < c->total && (!c->pace || c->began + (int64_t)c->sent * c->pace <= now))
        put_event(c, piece_event[c->kind][c->sent++ % PIECES]);
    if (c->sent == c->total) {
        finish_stream(c);
        return;
    }
    c->due = c->began + (int64_t)c->sent * c->pace;
    on_wheel(c);
}

static void begin(conn *c, int kind, const char *body, size_t len) {
    int asked = number_of(body, len, "\"max_completion_tokens\"", 16);
    c->kind = kind;
    c->prompt = len / 4; /* tokens have about four characters */
    c->total = number_of(body, len, "\"max_tokens\"", asked);
    c->pace = number_of(body, len, "\"seed\"", 0);
    c->stream = true_in(body, len, "\"stream\"");
    c->usage = true_in(body, len, "\"include_usage\"");
    c->busy = true;
    c->sent = 0;
    c->began = now_ms();
    requests++;
    if (c->stream) {
        static const char head[] = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
                                   "transfer-encoding: chunked\r\n\r\n";
        streams++;
        put(c, head, sizeof head - 1);
        if (kind == CHAT) put_event(c, role_event);
        stream_on(c, c->began);
        return;
    }
    if (c->total > PIECES) c->total = PIECES;
    c->due = c->began + (int64_t)c->total * c->pace;
    if (c->pace) on_wheel(c);
    else answer_whole(c);
}

/* ---- reading requests ---- */

/* Where a chunked body ends, 0 while it is not all there; with `join` its chunks move together. */
static size_t chunked_end(char *body, size_t len, bool join, size_t *body_len) {
    size_t at = 0;
    *body_len = 0;
    while (at < len) {
        char *line = memmem(body + at, len - at, "\r\n", 2);
        if (!line) return 0;
        size_t size = strtoul(body + at, NULL, 16), start = line + 2 - body;
        if (size > MOST_IN || start + size + 2 > len) return 0;
        if (join) memmove(body + *body_len, body + start, size);
        *body_len += size;
        at = start + size + 2;
        if (!size) return at;
    }
    return 0;
}

static const char *header(const char *head, const char *name) {
    const char *found = strcasestr(head, name);
    return found ? found + strlen(name) : NULL;
}

static void route(conn *c, const char *head, const char *body, size_t len) {
    static const char models[] = "{\"object\":\"list\",\"data\":[{\"id\":\"bench\",\"object\":\"model\",\"created\":1795464423,"
                                 "\"owned_by\":\"bench\",\"max_model_len\":32768}]}";
    static const char nothing[] = "{\"error\":{\"message\":\"no such path\",\"type\":\"NotFoundError\",\"code\":404}}";
    if (!strncmp(head, "POST /v1/chat/completions ", 26)) begin(c, CHAT, body, len);
    else if (!strncmp(head, "POST /v1/completions ", 21)) begin(c, TEXT, body, len);
    else if (!strncmp(head, "GET /v1/models ", 15)) answer_json(c, "200 OK", models, sizeof models - 1);
    else if (!strncmp(head, "GET /health ", 12)) answer_json(c, "200 OK", "{}", 2);
    else if (!strncmp(head, "GET /stats ", 11)) answer_stats(c);
    else {
        refused++;
        answer_json(c, "404 Not Found", nothing, sizeof nothing - 1);
    }
}

/* How many bytes of `left` the body takes; SIZE_MAX: not all there yet. */
static size_t body_of(const char *head, char *body, size_t left, size_t *len) {
    const char *length = header(head, "\r\ncontent-length:");
    if (header(head, "\r\ntransfer-encoding: chunked")) {
        size_t taken = chunked_end(body, left, false, len);
        return taken ? chunked_end(body, left, true, len) : SIZE_MAX;
    }
    *len = length ? strtoul(length, NULL, 10) : 0;
    return *len <= left ? *len : SIZE_MAX;
}

/* Answers one request of the input buffer, if it is whole; how many bytes it took. */
static size_t take(conn *c) {
    char *end = memmem(c->in, c->in_len, "\r\n\r\n", 4);
    if (!end) return 0;
    char *body = end + 4;
    size_t len;
    end[2] = 0; /* the head becomes a string */
    size_t taken = body_of(c->in, body, c->in + c->in_len - body, &len);
    c->last = header(c->in, "\r\nconnection: close");
    end[2] = '\r';
    if (taken == SIZE_MAX) return 0;
    route(c, c->in, body, len);
    return body + taken - c->in;
}

static void serve(conn *c) {
    while (!c->gone && !c->busy && c->in_len) {
        size_t taken = take(c);
        if (!taken) break;
        c->in_len -= taken;
        memmove(c->in, c->in + taken, c->in_len);
    }
    if (!c->gone) flush(c);
}

static void hear(conn *c) {
    if (c->in_len + 16384 > c->in_cap) {
        c->in_cap = c->in_len + 65536;
        c->in = need(realloc(c->in, c->in_cap + 1));
    }
    ssize_t n = recv(c->fd, c->in + c->in_len, c->in_cap - c->in_len, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0 || c->in_len + n > MOST_IN) {
        hang_up(c);
        return;
    }
    c->in_len += n;
    c->in[c->in_len] = 0;
    if (!c->busy) serve(c);
}

static void welcome(int listener) {
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        conn *c = need(calloc(1, sizeof *c));
        struct epoll_event e = {EPOLLIN | EPOLLRDHUP, {.ptr = c}};
        c->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
        open_now++;
    }
}

/* ---- time ---- */

static void fire(conn *c, int64_t now) {
    off_wheel(c);
    if (c->stream) stream_on(c, now);
    else answer_whole(c);
    if (c->busy) flush(c);
    else serve(c);
}

static void tick(int64_t now) {
    if (now - wheel_at > WHEEL) wheel_at = now - WHEEL;
    for (; wheel_at <= now; wheel_at++)
        for (conn *c = wheel[wheel_at % WHEEL], *next; c; c = next) {
            next = c->next;
            if (c->due <= now) fire(c, now);
        }
}

static int pause_ms(int64_t now) {
    if (!timers) {
        wheel_at = now;
        return -1;
    }
    for (int64_t at = wheel_at; at < wheel_at + WHEEL; at++)
        if (wheel[at % WHEEL]) return at > now ? (int)(at - now) : 0;
    return WHEEL;
}

static int listen_on(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 4096)) die("cannot listen on 127.0.0.1");
    struct epoll_event e = {EPOLLIN, {.ptr = NULL}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
    return fd;
}

static void meet(struct epoll_event e, int listener) {
    conn *c = e.data.ptr;
    if (!c) welcome(listener);
    else if (!c->gone) {
        if (e.events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) hear(c);
        if (!c->gone && e.events & EPOLLOUT) flush(c);
    }
}

static void bury(void) {
    for (conn *c; (c = graves);) {
        graves = c->next;
        free(c->in);
        free(c->out);
        free(c);
    }
}

int main(int argc, char **argv) {
    if (argc != 2 || atoi(argv[1]) <= 0) {
        fprintf(stderr, "usage: upstream PORT\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    build_events();
    epoll = epoll_create1(EPOLL_CLOEXEC);
    int listener = listen_on(atoi(argv[1]));
    wheel_at = now_ms();
    for (;;) {
        struct epoll_event events[BATCH];
        int n = epoll_wait(epoll, events, BATCH, pause_ms(now_ms()));
        for (int i = 0; i < n; i++) meet(events[i], listener);
        tick(now_ms());
        bury();
    }
}
