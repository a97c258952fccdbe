/* UDP echo, one thread, up to 32 datagrams per system call.
 *
 * MSG_WAITFORONE: wait for the first datagram only and take whatever else has
 * arrived, so that a lone datagram is answered at once. */
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
        /* The kernel and the reply below overwrite the lengths: set them anew. */
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
        /* A call may send fewer than asked; a datagram that fails first in its
         * call is dropped, as a datagram may be. */
        for (int done = 0; done < received;) {
            int sent = sendmmsg(server, messages + done, (unsigned)(received - done), 0);
            done += sent > 0 ? sent : 1;
        }
    }
}
