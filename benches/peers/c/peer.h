/* What every C peer shares: a loopback socket on a free port, the line that
 * tells the runner which port that is, and one way to give up. */
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

/* As large as a UDP datagram can be, and the size every peer reads with. */
enum { BUFFER_SIZE = 64 * 1024 };

__attribute__((noreturn)) static inline void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

/* Bind 127.0.0.1:0, listen where the type has connections, and announce it. */
static inline int serve_on_loopback(int type)
{
    /* A runner that is killed cannot clean up; the kernel then does. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        die("prctl");
    /* A client that leaves early is an error of one write, not the end. */
    signal(SIGPIPE, SIG_IGN);

    int server = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    if (server < 0)
        die("socket");

    int on = 1;
    if (type == SOCK_STREAM && setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
        die("SO_REUSEADDR");
    /* Connections inherit it: small replies never wait for an acknowledgement. */
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

/* Send all of it, whatever signals come. */
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

/* Send back what comes, until no more does. */
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

/* Does a failed accept(2) concern only the connection that it was about? */
static inline int accept_may_go_on(int error)
{
    return error == EINTR || error == ECONNABORTED || error == EAGAIN;
}

#endif
