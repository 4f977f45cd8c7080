package netns_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"tradewind/localstack/internal/netns"
)

func TestMain(m *testing.M) {
	netns.Main()
	if len(os.Args) > 1 && os.Args[1] == "serve-inside" {
		if err := serve(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// serve answers one connection from outside with what a listener on all interfaces
// inside, which is the one thing it dials, says.
func serve() error {
	if !netns.Inside() {
		return fmt.Errorf("not inside")
	}
	everywhere, err := net.Listen("tcp", ":0")
	if err != nil {
		return err
	}
	go func() {
		c, err := everywhere.Accept()
		if err != nil {
			return
		}
		capabilities, _ := exec.Command("grep", "CapAmb", "/proc/self/status").Output()
		fmt.Fprintf(c, "uid %d %s", os.Getuid(), capabilities)
		c.Close()
	}()
	outside, err := net.FileListener(netns.Handed(0))
	if err != nil {
		return err
	}
	fmt.Println(everywhere.Addr().(*net.TCPAddr).Port)
	in, err := outside.Accept()
	if err != nil {
		return err
	}
	defer in.Close()
	own, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", everywhere.Addr().(*net.TCPAddr).Port))
	if err != nil {
		return err
	}
	_, err = io.Copy(in, own)
	return err
}

func TestAListenerIsTheOnlyWayIn(t *testing.T) {
	if err := netns.Check(t.Context()); err != nil {
		t.Skip(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout := os.Stdout
	os.Stdout = writer
	defer func() { os.Stdout = stdout }()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- netns.Run(ctx, []string{"serve-inside"}, file) }()

	port, err := bufio.NewReader(reader).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	port = strings.TrimSpace(port)
	if c, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
		c.Close()
		t.Errorf("port %s inside is reached from outside", port)
	}
	c, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	said, err := io.ReadAll(c)
	if want := fmt.Sprintf("uid %d CapAmb:\t0000000000000000\n", os.Getuid()); err != nil || string(said) != want {
		t.Errorf("said %q, %v; want %q", said, err, want)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
