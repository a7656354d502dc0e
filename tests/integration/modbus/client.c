/* A poller on libmodbus: every device in its own time, one after the other, nothing but reading.
 *
 *   client FIRST_PORT PORTS PERIOD_S WARM_S MEASURE_S TABLE ADDRESS COUNT [TABLE ADDRESS COUNT]...
 *
 * At most 1,000 devices, for libmodbus selects. Tables are input and holding. Prints what was measured after WARM_S seconds as one line:
 *   polls failures cpu_s wall_s p50_s p99_s
 * The lag of a poll runs from the moment it was due until its last word is there.
 */
#include <modbus/modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { MOST_DEVICES = 1000, MOST_LAGS = 1 << 20, MOST_BLOCKS = 16 };

static modbus_t *devices[MOST_DEVICES];
static double lags[MOST_LAGS];

static double now_s(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec + at.tv_nsec / 1e9;
}

static double cpu_s(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void sleep_until(double at_s) {
    double left_s = at_s - now_s();
    if (left_s <= 0) return;
    struct timespec left = {.tv_sec = (time_t)left_s, .tv_nsec = (left_s - (time_t)left_s) * 1e9};
    nanosleep(&left, NULL);
}

static int ascending(const void *one, const void *other) {
    double difference = *(const double *)one - *(const double *)other;
    return (difference > 0) - (difference < 0);
}

static int poll_once(modbus_t *device, int count, char **blocks) {
    uint16_t words[MODBUS_MAX_READ_REGISTERS];
    for (int i = 0; i < count; i++) {
        int address = atoi(blocks[3 * i + 1]), size = atoi(blocks[3 * i + 2]);
        int got = strcmp(blocks[3 * i], "input") ? modbus_read_registers(device, address, size, words)
                                                 : modbus_read_input_registers(device, address, size, words);
        if (got != size) return -1;
    }
    return 0;
}

int main(int count, char **words) {
    if (count < 9 || count % 3) return 2;
    int first = atoi(words[1]), ports = atoi(words[2]), blocks = (count - 6) / 3, polls = 0, failures = 0;
    double period_s = atof(words[3]), warm_s = atof(words[4]), measure_s = atof(words[5]), began_s = now_s();
    if (ports < 1 || ports > MOST_DEVICES || blocks > MOST_BLOCKS) return 2;
    for (int i = 0; i < ports; i++) {
        devices[i] = modbus_new_tcp("127.0.0.1", first + i);
        modbus_set_slave(devices[i], 1);
        if (modbus_connect(devices[i])) {
            fprintf(stderr, "port %d: no connection\n", first + i);
            return 1;
        }
    }
    double cpu_before_s = 0, wall_before_s = 0;
    for (long turn = 0;; turn++) {
        double due_s = began_s + 1.0 + turn * period_s / ports;
        if (due_s >= began_s + warm_s + measure_s) break;
        sleep_until(due_s);
        int measured = due_s >= began_s + warm_s;
        if (measured && wall_before_s == 0) cpu_before_s = cpu_s(), wall_before_s = now_s();
        if (poll_once(devices[turn % ports], blocks, words + 6)) {
            failures += measured;
        } else if (measured && polls < MOST_LAGS) {
            lags[polls++] = now_s() - due_s;
        }
    }
    double used_s = cpu_s() - cpu_before_s, wall_s = now_s() - wall_before_s;
    qsort(lags, polls, sizeof *lags, ascending);
    printf("%d %d %f %f %f %f\n", polls, failures, used_s, wall_s, lags[polls / 2], lags[(int)(polls * 0.99)]);
    return 0;
}
