/* UDP echo with several threads that use the same socket.
 * Usage: udp_threads THREADS */
#include "udp_echo.h"

#include <pthread.h>
#include <stdint.h>

static void *serve(void *argument)
{
    echo_datagrams((int)(intptr_t)argument);
}

int main(int argc, char **argv)
{
    int threads = argc == 2 ? atoi(argv[1]) : 0;
    if (threads < 1) {
        fprintf(stderr, "usage: %s THREADS\n", argv[0]);
        return EXIT_FAILURE;
    }
    int server = serve_on_loopback(SOCK_DGRAM);

    /* The main thread is the first of the threads. */
    for (int i = 1; i < threads; i++) {
        pthread_t thread;
        int error = pthread_create(&thread, NULL, serve, (void *)(intptr_t)server);
        if (error != 0) {
            errno = error;
            die("pthread_create");
        }
    }
    serve((void *)(intptr_t)server);
}
