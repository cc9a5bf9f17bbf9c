/* The least that a subscriber can do: receives messages of two frames and counts them. What a hub is measured by.
 *
 *     subscriber ADDRESS COUNT TIMED   TIMED is 1 when messages carry the time they were sent at
 *
 * Says a line of JSON, as the plugin tests/plugins/recorder/src/meter.rs does, when all have come, and stays until it is
 * killed, so that what it used can be read from /proc.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

static void die(const char *what) {
    fprintf(stderr, "subscriber: %s: %s\n", what, zmq_strerror(zmq_errno()));
    exit(1);
}

static int64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

int main(int argc, char **argv) {
    if (argc != 4) die("usage: subscriber ADDRESS COUNT TIMED");
    int64_t count = atoll(argv[2]), first = 0;
    int timed = atoi(argv[3]);
    int64_t *late = timed ? malloc((size_t)count * sizeof *late) : NULL;
    if (timed && !late) die("memory");

    void *context = zmq_ctx_new(), *socket = zmq_socket(context, ZMQ_SUB);
    int high_water_mark = 10000; /* as the hub's */
    zmq_setsockopt(socket, ZMQ_RCVHWM, &high_water_mark, sizeof high_water_mark);
    zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0);
    if (zmq_connect(socket, argv[1])) die("connect");

    zmq_msg_t frame;
    zmq_msg_init(&frame);
    unsigned long long bytes = 0;
    for (int64_t i = 0; i < count; i++) {
        if (zmq_msg_recv(&frame, socket, 0) < 0) die("topic");
        if (!zmq_msg_more(&frame)) die("a message of one frame");
        if (zmq_msg_recv(&frame, socket, 0) < 0) die("body");
        if (zmq_msg_more(&frame)) die("a message of three frames");
        bytes += zmq_msg_size(&frame);
        if (i == 0) first = now_us();
        if (timed) {
            char *sent = memmem(zmq_msg_data(&frame), zmq_msg_size(&frame), "\"sent\":", 7);
            if (!sent) die("a message without a time");
            late[i] = now_us() - strtoll(sent + 7, NULL, 10);
        }
    }
    printf("{\"count\": %lld, \"bytes\": %llu, \"first_us\": %lld, \"last_us\": %lld, \"late_us\": [",
           (long long)count, bytes, (long long)first, (long long)now_us());
    for (int64_t i = 0; timed && i < count; i++) printf("%s%lld", i ? "," : "", (long long)late[i]);
    puts("]}");
    fflush(stdout);
    pause();
    return 0;
}
