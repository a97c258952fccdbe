/* UDP echo with one thread, one receive and one send per datagram. */
#include "udp_echo.h"

int main(void)
{
    echo_datagrams(serve_on_loopback(SOCK_DGRAM));
}
