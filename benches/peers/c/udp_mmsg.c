/* UDP echo with one thread and up to 32 datagrams per system call.
 *
 * MSG_WAITFORONE waits for the first datagram only and then takes the others
 * that have arrived, so a single datagram is answered immediately. */
#include "peer.h"

enum { BATCH = 32 };

int main(void)
{
    static char buffers[BATCH][BUFFER_SIZE];
    static struct sockaddr_storage clients[BATCH];
    static struct iovec parts[BATCH];
    static struct mmsghdr messages[BATCH];

    int server = serve_on_loopback(SOCK_DGRAM);
    for (;;) {
        /* Sets the lengths again, because the kernel and the reply below
         * overwrite them. */
        for (int i = 0; i < BATCH; i++) {
            parts[i] = (struct iovec){buffers[i], BUFFER_SIZE};
            messages[i].msg_hdr = (struct msghdr){
                .msg_name = &clients[i],
                .msg_namelen = sizeof clients[i],
                .msg_iov = &parts[i],
                .msg_iovlen = 1,
            };
        }
        int received = recvmmsg(server, messages, BATCH, MSG_WAITFORONE, NULL);
        if (received < 0) {
            if (errno == EINTR)
                continue;
            die("recvmmsg");
        }

        for (int i = 0; i < received; i++)
            parts[i].iov_len = messages[i].msg_len;
        /* A call may send fewer datagrams than requested. A datagram that cannot
         * be sent is dropped, because UDP permits the loss of a datagram. */
        for (int done = 0; done < received;) {
            int sent = sendmmsg(server, messages + done, (unsigned)(received - done), 0);
            done += sent > 0 ? sent : 1;
        }
    }
}
