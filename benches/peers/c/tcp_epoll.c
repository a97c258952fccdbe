/* TCP echo with one thread and level-triggered epoll: the fewest system calls
 * for a server of many connections.
 *
 * The part of a reply that does not fit into the socket buffer is stored. Until
 * it is sent, the connection is watched for writing and not for reading, because
 * a client that does not read must not make the stored part grow. */
#include "peer.h"

#include <string.h>
#include <sys/epoll.h>

enum { EVENTS = 256 };

struct connection {
    int fd;
    char *pending; /* the unsent part of a reply, or NULL */
    size_t start, length;
};

static void watch(int epoll, struct connection *connection, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};
    if (epoll_ctl(epoll, EPOLL_CTL_MOD, connection->fd, &event) < 0)
        die("epoll_ctl: modify");
}

static void accept_one(int epoll, int server)
{
    int fd = accept4(server, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (accept_can_continue(errno))
            return;
        die("accept4");
    }

    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        die("calloc");
    connection->fd = fd;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        die("epoll_ctl: add");
}

static void close_connection(struct connection *connection)
{
    close(connection->fd); /* also removes it from the epoll set */
    free(connection->pending);
    free(connection);
}

/* Stores the unsent part of a reply and waits until the socket is writable. */
static void hold(int epoll, struct connection *connection, const char *rest, size_t length)
{
    connection->pending = malloc(length);
    if (connection->pending == NULL)
        die("malloc");
    memcpy(connection->pending, rest, length);
    connection->start = 0;
    connection->length = length;
    watch(epoll, connection, EPOLLOUT);
}

/* Returns the number of bytes sent: 0 if the socket buffer is full, -1 on an error. */
static ssize_t send_some(int fd, const char *data, size_t length)
{
    ssize_t sent = send(fd, data, length, 0);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    return sent;
}

static void echo(int epoll, struct connection *connection)
{
    static char buffer[BUFFER_SIZE]; /* shared by all connections of the only thread */

    ssize_t received = recv(connection->fd, buffer, sizeof buffer, 0);
    if (received < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (received <= 0) {
        close_connection(connection);
        return;
    }

    ssize_t sent = send_some(connection->fd, buffer, (size_t)received);
    if (sent < 0)
        close_connection(connection);
    else if (sent < received)
        hold(epoll, connection, buffer + sent, (size_t)(received - sent));
}

static void send_pending(int epoll, struct connection *connection)
{
    size_t rest = connection->length - connection->start;
    ssize_t sent = send_some(connection->fd, connection->pending + connection->start, rest);
    if (sent < 0) {
        close_connection(connection);
        return;
    }
    connection->start += (size_t)sent;
    if (connection->start == connection->length) {
        free(connection->pending);
        connection->pending = NULL;
        watch(epoll, connection, EPOLLIN);
    }
}

int main(void)
{
    int server = serve_on_loopback(SOCK_STREAM);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        die("epoll_create1");

    /* The entry with a NULL pointer is the listener. */
    struct epoll_event listener = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, server, &listener) < 0)
        die("epoll_ctl: listener");

    for (;;) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        if (ready < 0 && errno != EINTR)
            die("epoll_wait");
        for (int i = 0; i < ready; i++) {
            struct connection *connection = events[i].data.ptr;
            if (connection == NULL)
                accept_one(epoll, server);
            else if (connection->pending != NULL)
                send_pending(epoll, connection);
            else
                echo(epoll, connection);
        }
    }
}
