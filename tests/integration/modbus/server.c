/* A Modbus TCP server on libmodbus: devices whose words are given as text, and that know nothing of the product.
 *
 *   server FIRST_PORT PORTS          listens on 127.0.0.1, on that many ports from the first (0: any free one);
 *                                    libmodbus selects, so a process can have no more than 300
 *
 * It reads commands from standard input, one a line, and answers each with "done" or "bad ...":
 *   set UNIT TABLE ADDRESS WORD...   words there are; tables: coil discrete input holding
 *   lock UNIT TABLE ADDRESS          writes there are refused with exception 3
 *   fail UNIT CODE                   the unit answers every request with this exception; 0: no longer
 *   stall UNIT 0|1                   the unit takes requests and answers none
 *   hang FIRST_PORT PORTS            nobody answers on these ports
 *   cut                              breaks every connection
 * Every write that reaches a device is printed before it is answered: "write UNIT TABLE ADDRESS WORD...".
 * Words that were never set do not exist (exception 2), and units without words are silent.
 */
#include <errno.h>
#include <modbus/modbus.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SIZE = 65536, UNITS = 256, MOST_PORTS = 300, MOST_FDS = FD_SETSIZE - 8 };
enum { COIL, DISCRETE, INPUT, HOLDING, TABLES };
static const char *const NAMES[TABLES] = {"coil", "discrete", "input", "holding"};

typedef struct {
    modbus_mapping_t *words;
    uint8_t known[TABLES][SIZE], locked[TABLES][SIZE];
    int fails, stalls;
} unit_t;

static unit_t *units[UNITS];
static struct pollfd fds[MOST_FDS];
static int port_of[MOST_FDS], hangs[SIZE], used, ports;

static int table_named(const char *name) {
    for (int table = 0; table < TABLES; table++)
        if (!strcmp(name, NAMES[table])) return table;
    return -1;
}

static unit_t *unit_for(int id) {
    if (id < 0 || id >= UNITS) return NULL;
    if (!units[id]) {
        units[id] = calloc(1, sizeof(unit_t));
        units[id]->words = modbus_mapping_new(SIZE, SIZE, SIZE, SIZE);
    }
    return units[id];
}

static void put(unit_t *unit, int table, int address, int word) {
    unit->known[table][address] = 1;
    if (table == COIL) unit->words->tab_bits[address] = word != 0;
    if (table == DISCRETE) unit->words->tab_input_bits[address] = word != 0;
    if (table == INPUT) unit->words->tab_input_registers[address] = word;
    if (table == HOLDING) unit->words->tab_registers[address] = word;
}

static void drop(int place) {
    close(fds[place].fd);
    used--;
    fds[place] = fds[used];
    port_of[place] = port_of[used];
}

static int set(char *rest) {
    int id, address, word, read;
    char name[16];
    if (sscanf(rest, "%d %15s %i%n", &id, name, &address, &read) != 3) return -1;
    int table = table_named(name);
    unit_t *unit = unit_for(id);
    if (!unit || table < 0) return -1;
    for (rest += read; sscanf(rest, " %i%n", &word, &read) == 1; rest += read) {
        if (address < 0 || address >= SIZE) return -1;
        put(unit, table, address++, word);
    }
    return 0;
}

static int command(char *line) {
    int id, number;
    char name[16];
    if (!strncmp(line, "set ", 4)) return set(line + 4);
    if (sscanf(line, "lock %d %15s %i", &id, name, &number) == 3) {
        int table = table_named(name);
        if (table < 0 || !unit_for(id) || number < 0 || number >= SIZE) return -1;
        units[id]->locked[table][number] = units[id]->known[table][number] = 1;
        return 0;
    }
    if (sscanf(line, "fail %d %d", &id, &number) == 2 && unit_for(id)) return units[id]->fails = number, 0;
    if (sscanf(line, "stall %d %d", &id, &number) == 2 && unit_for(id)) return units[id]->stalls = number, 0;
    if (sscanf(line, "hang %d %d", &id, &number) == 2) {
        for (int port = id; port < id + number && port < SIZE; port++) hangs[port] = 1;
        return 0;
    }
    if (!strncmp(line, "cut", 3)) {
        while (used > 1 + ports) drop(used - 1);
        return 0;
    }
    return -1;
}

/* The words a write carries, printed; a device that was told keeps no secret of it. */
static void tell(int id, int table, int address, int count, const uint8_t *pdu) {
    printf("write %d %s %d", id, NAMES[table], address);
    for (int i = 0; i < count; i++) {
        int word;
        if (pdu[0] == 5 || pdu[0] == 6) word = table == COIL ? pdu[3] != 0 : pdu[3] << 8 | pdu[4];
        else if (table == COIL) word = pdu[6 + i / 8] >> i % 8 & 1;
        else word = pdu[6 + 2 * i] << 8 | pdu[7 + 2 * i];
        printf(" %d", word);
    }
    printf("\n");
    fflush(stdout);
}

static int exception_for(unit_t *unit, int id, const uint8_t *pdu) {
    static const int OF[17] = {[1] = COIL, [2] = DISCRETE, [3] = HOLDING, [4] = INPUT,
                               [5] = COIL, [6] = HOLDING, [15] = COIL, [16] = HOLDING};
    int function = pdu[0], writes = function == 5 || function == 6 || function == 15 || function == 16;
    if (unit->fails) return unit->fails;
    if (!writes && (function < 1 || function > 4)) return MODBUS_EXCEPTION_ILLEGAL_FUNCTION;
    int table = OF[function], address = pdu[1] << 8 | pdu[2];
    int count = function == 5 || function == 6 ? 1 : pdu[3] << 8 | pdu[4];
    if (count < 1 || count > 2000) return MODBUS_EXCEPTION_ILLEGAL_DATA_VALUE;
    if (writes) tell(id, table, address, count, pdu);
    for (int i = address; i < address + count; i++) {
        if (i >= SIZE || !unit->known[table][i]) return MODBUS_EXCEPTION_ILLEGAL_DATA_ADDRESS;
        if (writes && unit->locked[table][i]) return MODBUS_EXCEPTION_ILLEGAL_DATA_VALUE;
    }
    return 0;
}

static int serve(modbus_t *bus, int fd, int port) {
    uint8_t request[MODBUS_TCP_MAX_ADU_LENGTH];
    modbus_set_socket(bus, fd);
    int size = modbus_receive(bus, request);
    if (size <= 0) return size;
    int id = request[6];
    unit_t *unit = units[id];
    if (!unit || unit->stalls || hangs[port]) return 0;
    int code = exception_for(unit, id, request + 7);
    return code ? modbus_reply_exception(bus, request, code) : modbus_reply(bus, request, size, unit->words);
}

static int listening(int port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&at, size) || listen(fd, 16) || getsockname(fd, (struct sockaddr *)&at, &size)) {
        fprintf(stderr, "port %d: %s\n", port, strerror(errno));
        exit(1);
    }
    port_of[used] = ntohs(at.sin_port);
    fds[used++] = (struct pollfd){.fd = fd, .events = POLLIN};
    return ntohs(at.sin_port);
}

static void commands(void) {
    static char buffer[1 << 16];
    static size_t filled;
    ssize_t got = read(0, buffer + filled, sizeof buffer - filled - 1);
    if (got <= 0) exit(0);
    filled += got;
    buffer[filled] = 0;
    char *line = buffer, *end;
    for (; (end = strchr(line, '\n')); line = end + 1) {
        *end = 0;
        printf(command(line) ? "bad %s\n" : "done\n", line);
    }
    fflush(stdout);
    filled -= line - buffer;
    memmove(buffer, line, filled);
}

int main(int count, char **words) {
    if (count != 3 || (ports = atoi(words[2])) < 1 || ports > MOST_PORTS) return 2;
    modbus_t *bus = modbus_new_tcp("127.0.0.1", 1);
    fds[used++] = (struct pollfd){.fd = 0, .events = POLLIN};
    int first = listening(atoi(words[1]));
    for (int i = 1; i < ports; i++) listening(first + i);
    printf("ready %d\n", first);
    fflush(stdout);
    while (poll(fds, used, -1) > 0) {
        for (int place = used - 1; place > ports; place--)
            if (fds[place].revents && serve(bus, fds[place].fd, port_of[place]) < 0) drop(place);
        for (int place = 1; place <= ports; place++) {
            if (!fds[place].revents) continue;
            int fd = accept(fds[place].fd, NULL, NULL);
            if (fd >= 0 && used == MOST_FDS) close(fd);
            else if (fd >= 0) port_of[used] = port_of[place], fds[used++] = (struct pollfd){.fd = fd, .events = POLLIN};
        }
        if (fds[0].revents) commands();
    }
    return 1;
}
