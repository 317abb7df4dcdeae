//go:build linux

package main

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"time"
	"unsafe"
)

// measureFloor returns the CPU per delivery of a process that does nothing but send.
func measureFloor(l load) (time.Duration, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.Command(self, "floor", "-members", strconv.Itoa(l.members), "-size", strconv.Itoa(l.size))
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	p := &process{cmd: cmd}
	defer p.stop()
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return 0, err
	}
	req, err := request("bench")
	if err != nil {
		return 0, err
	}
	c, err := dialClients(addr[:len(addr)-1], l.members, req)
	if err != nil {
		return 0, err
	}
	defer c.close()
	return l.measure(p, c, func() error { _, err := in.Write([]byte{'.'}); return err })
}

// floor is that process: it upgrades its members, and sends each of them one prebuilt frame
// for every byte that it reads on stdin, from one thread.
func floor(l load) error {
	runtime.LockOSThread()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(ln.Addr())
	var fds []int32
	for range l.members {
		fd, err := upgrade(ln)
		if err != nil {
			return err
		}
		fds = append(fds, fd)
	}
	frame := append(l.header(), bytes.Repeat([]byte("x"), l.size)...)
	one := make([]byte, 1)
	for {
		if n, err := syscall.Read(0, one); n != 1 {
			return err // the end of stdin is the end of the measurement
		}
		for _, fd := range fds {
			_, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&frame[0])),
				uintptr(len(frame)), syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, 0, 0)
			if errno != 0 {
				return errno
			}
		}
	}
}

// kept holds the floor's connections, whose descriptors are used without them.
var kept []net.Conn

// upgrade accepts one client.
func upgrade(ln net.Listener) (fd int32, err error) {
	nc, err := ln.Accept()
	if err != nil {
		return 0, err
	}
	kept = append(kept, nc)
	br := bufio.NewReader(nc)
	key := ""
	for {
		line, err := br.ReadString('\n')
		if err != nil {
			return 0, err
		}
		if line == "\r\n" {
			break
		}
		if k, ok := bytes.CutPrefix([]byte(line), []byte("Sec-WebSocket-Key: ")); ok {
			key = string(bytes.TrimSpace(k))
		}
	}
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	_, err = io.WriteString(nc, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "+
		base64.StdEncoding.EncodeToString(sum[:])+"\r\n\r\n")
	if err != nil {
		return 0, err
	}
	rc, err := nc.(*net.TCPConn).SyscallConn()
	if err != nil {
		return 0, err
	}
	return fd, rc.Control(func(p uintptr) { fd = int32(p) })
}
