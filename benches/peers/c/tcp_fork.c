/* TCP echo with a child process per connection, like ForkingTCPServer, in plain
 * system calls. Child processes are reaped before each accept, and at most 40
 * run at a time. */
#include "peer.h"

#include <sys/wait.h>

static void serve(int connection)
{
    echo_to_the_end(connection);
    shutdown(connection, SHUT_WR);
    close(connection);
}

int main(void)
{
    int server = serve_on_loopback(SOCK_STREAM);
    int children = 0;

    for (;;) {
        while (children > 0 && waitpid(-1, NULL, children < 40 ? WNOHANG : 0) > 0)
            children--;

        int connection = accept4(server, NULL, NULL, SOCK_CLOEXEC);
        if (connection < 0) {
            if (accept_can_continue(errno))
                continue;
            die("accept4");
        }

        pid_t child = fork();
        if (child < 0)
            die("fork");
        if (child == 0) {
            close(server);
            serve(connection);
            _exit(EXIT_SUCCESS);
        }
        children++;
        close(connection);
    }
}
