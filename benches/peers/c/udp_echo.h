/* The UDP loop of udp_loop.c and udp_threads.c. */
#ifndef UDP_ECHO_H
#define UDP_ECHO_H

#include "peer.h"

__attribute__((noreturn)) static inline void echo_datagrams(int server)
{
    static _Thread_local char buffer[BUFFER_SIZE];

    for (;;) {
        struct sockaddr_storage client;
        socklen_t length = sizeof client;
        ssize_t received =
            recvfrom(server, buffer, sizeof buffer, 0, (struct sockaddr *)&client, &length);
        if (received < 0) {
            if (errno == EINTR)
                continue;
            die("recvfrom");
        }
        /* Errors are ignored, because UDP permits the loss of a datagram. */
        (void)sendto(server, buffer, (size_t)received, 0, (struct sockaddr *)&client, length);
    }
}

#endif
