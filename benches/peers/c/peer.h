/* Code shared by the C peers: opens a loopback socket on a free port, prints
 * the line that reports the port to the runner, and exits on errors. */
#ifndef PEER_H
#define PEER_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* accept4, recvmmsg, sendmmsg */
#endif

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Read size of every peer; no UDP datagram is larger. */
enum { BUFFER_SIZE = 64 * 1024 };

__attribute__((noreturn)) static inline void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

/* Binds 127.0.0.1:0, listens if the type has connections, and prints the address. */
static inline int serve_on_loopback(int type)
{
    /* The kernel kills this process when the runner is killed. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        die("prctl");
    /* A write to a closed connection then fails with EPIPE instead of a signal. */
    signal(SIGPIPE, SIG_IGN);

    int server = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    if (server < 0)
        die("socket");

    int on = 1;
    if (type == SOCK_STREAM && setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
        die("SO_REUSEADDR");
    /* Accepted connections inherit the option. Without it, small replies wait
     * for an acknowledgement. */
    if (type == SOCK_STREAM && setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0)
        die("TCP_NODELAY");

    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    socklen_t length = sizeof address;
    if (bind(server, (struct sockaddr *)&address, length) < 0)
        die("bind");
    if (type == SOCK_STREAM && listen(server, SOMAXCONN) < 0)
        die("listen");
    if (getsockname(server, (struct sockaddr *)&address, &length) < 0)
        die("getsockname");

    printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    if (fflush(stdout) != 0)
        die("stdout");
    return server;
}

/* Sends all bytes; retries after a signal. */
static inline int send_all(int connection, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(connection, data, length, 0);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return -1;
        data += sent;
        length -= (size_t)sent;
    }
    return 0;
}

/* Sends back what it receives, until the end of the stream or an error. */
static inline void echo_to_the_end(int connection)
{
    char buffer[BUFFER_SIZE];

    for (;;) {
        ssize_t received = recv(connection, buffer, sizeof buffer, 0);
        if (received < 0 && errno == EINTR)
            continue;
        if (received <= 0 || send_all(connection, buffer, (size_t)received) < 0)
            break;
    }
}

/* Whether an error of accept(2) leaves the listener usable. */
static inline int accept_can_continue(int error)
{
    return error == EINTR || error == ECONNABORTED || error == EAGAIN;
}

#endif
