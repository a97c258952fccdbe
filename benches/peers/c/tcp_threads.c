/* TCP echo, a detached thread per connection, blocking calls: what
 * ThreadingTCPServer does, with nothing in between. */
#include "peer.h"

#include <pthread.h>
#include <stdint.h>

static int send_all(int connection, const char *data, size_t length)
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

static void *serve(void *argument)
{
    int connection = (int)(intptr_t)argument;
    char buffer[BUFFER_SIZE];

    for (;;) {
        ssize_t received = recv(connection, buffer, sizeof buffer, 0);
        if (received < 0 && errno == EINTR)
            continue;
        if (received <= 0 || send_all(connection, buffer, (size_t)received) < 0)
            break;
    }
    close(connection);
    return NULL;
}

int main(void)
{
    int server = serve_on_loopback(SOCK_STREAM);

    /* Detached from the start: nobody joins, so nothing piles up. */
    pthread_attr_t detached;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);

    for (;;) {
        int connection = accept4(server, NULL, NULL, SOCK_CLOEXEC);
        if (connection < 0) {
            if (accept_may_go_on(errno))
                continue;
            die("accept4");
        }

        pthread_t thread;
        int error = pthread_create(&thread, &detached, serve, (void *)(intptr_t)connection);
        if (error != 0) {
            errno = error;
            die("pthread_create");
        }
    }
}
