/* TCP echo with a detached thread per connection and blocking calls, like
 * ThreadingTCPServer, in plain system calls. */
#include "peer.h"

#include <pthread.h>
#include <stdint.h>

static void *serve(void *argument)
{
    int connection = (int)(intptr_t)argument;
    echo_to_the_end(connection);
    close(connection);
    return NULL;
}

int main(void)
{
    int server = serve_on_loopback(SOCK_STREAM);

    /* Detached threads free their resources when they end, without a join. */
    pthread_attr_t detached;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);

    for (;;) {
        int connection = accept4(server, NULL, NULL, SOCK_CLOEXEC);
        if (connection < 0) {
            if (accept_can_continue(errno))
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
