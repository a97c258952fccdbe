// TCP echo with Go's net package, a goroutine per connection.
package main

import (
	"fmt"
	"log"
	"net"
	"syscall"
)

const bufferSize = 64 * 1024

func echo(connection net.Conn) {
	defer connection.Close() // TCP_NODELAY is Go's default
	buffer := make([]byte, bufferSize)
	for {
		received, err := connection.Read(buffer)
		if err != nil {
			return
		}
		if _, err := connection.Write(buffer[:received]); err != nil {
			return
		}
	}
}

func main() {
	// The kernel kills this process when the runner is killed.
	syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0)

	// Go listens with a backlog of net.core.somaxconn, the largest that the system allows.
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on %v\n", listener.Addr())
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go echo(connection)
	}
}
