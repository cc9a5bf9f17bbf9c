/* Publishes the messages of a file over and over, as fast as it can or at an even rate, and loses none: where the
 * subscriber does not keep up, it waits.
 *
 *     publisher FILE COUNT RATE        RATE in messages a second, 0 for no limit
 *
 * FILE holds records of bench/src/pool.rs: four numbers of 32 bits (length of topic, length of body, where in the body
 * the message's number belongs, where the time), topic, body. 0 is nowhere: no body has either at its start.
 *
 * Says its address, then "subscribed" when somebody has; sends after a line on standard input, and says how long it took.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <zmq.h>

/* Numbers of messages and times, in microseconds since 1970, always have these many digits. */
enum { NUMBER = 12, TIME = 16 };

struct message {
    uint32_t topic_len, body_len, number_at, time_at;
    char *topic, *body;
};

static void die(const char *what) {
    fprintf(stderr, "publisher: %s: %s\n", what, zmq_strerror(zmq_errno()));
    exit(1);
}

static int64_t now_us(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

static void write_digits(char *to, int digits, int64_t value) {
    while (digits-- > 0) {
        to[digits] = (char)('0' + value % 10);
        value /= 10;
    }
}

static struct message *read_messages(const char *path, size_t *count) {
    FILE *file = fopen(path, "rb");
    if (!file) die(path);
    struct message *all = NULL, one;
    *count = 0;
    while (fread(&one, sizeof(uint32_t), 4, file) == 4) {
        one.topic = malloc((size_t)one.topic_len + one.body_len);
        all = realloc(all, (*count + 1) * sizeof one);
        if (!one.topic || !all) die("memory");
        one.body = one.topic + one.topic_len;
        if (fread(one.topic, 1, (size_t)one.topic_len + one.body_len, file) != (size_t)one.topic_len + one.body_len)
            die("a record is cut off");
        all[(*count)++] = one;
    }
    fclose(file);
    if (!*count) die("no messages");
    return all;
}

static void sleep_until(int64_t at_us) {
    int64_t left = at_us - now_us(CLOCK_MONOTONIC);
    if (left <= 0) return;
    struct timespec t = {left / 1000000, left % 1000000 * 1000};
    nanosleep(&t, NULL);
}

int main(int argc, char **argv) {
    if (argc != 4) die("usage: publisher FILE COUNT RATE");
    size_t known;
    struct message *messages = read_messages(argv[1], &known);
    int64_t count = atoll(argv[2]), rate = atoll(argv[3]);
    /* Otherwise a short sleep is 50 microseconds longer than asked for. */
    prctl(PR_SET_TIMERSLACK, 1UL);

    void *context = zmq_ctx_new(), *socket = zmq_socket(context, ZMQ_XPUB);
    int wait_when_full = 1, high_water_mark = 10000, linger = -1;
    zmq_setsockopt(socket, ZMQ_XPUB_NODROP, &wait_when_full, sizeof wait_when_full);
    zmq_setsockopt(socket, ZMQ_SNDHWM, &high_water_mark, sizeof high_water_mark);
    zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
    if (zmq_bind(socket, "tcp://127.0.0.1:*")) die("bind");
    char address[64], answer[64];
    size_t len = sizeof address;
    if (zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, address, &len)) die("address");
    puts(address);
    fflush(stdout);
    if (zmq_recv(socket, answer, sizeof answer, 0) < 0) die("subscription");
    puts("subscribed");
    fflush(stdout);
    if (!fgets(answer, sizeof answer, stdin)) return 0;

    int64_t start = now_us(CLOCK_MONOTONIC);
    for (int64_t i = 0; i < count; i++) {
        struct message *m = &messages[(size_t)i % known];
        if (m->number_at) write_digits(m->body + m->number_at, NUMBER, i);
        if (rate) {
            sleep_until(start + i * 1000000 / rate);
            if (m->time_at) write_digits(m->body + m->time_at, TIME, now_us(CLOCK_REALTIME));
        }
        if (zmq_send(socket, m->topic, m->topic_len, ZMQ_SNDMORE) < 0) die("send");
        if (zmq_send(socket, m->body, m->body_len, 0) < 0) die("send");
    }
    printf("{\"sent\": %lld, \"seconds\": %.6f}\n", (long long)count, (double)(now_us(CLOCK_MONOTONIC) - start) / 1e6);
    fflush(stdout);
    zmq_close(socket);
    zmq_ctx_term(context);
    return 0;
}
