//go:build linux

package image

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/roomgate/roomgate/auth"
	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/secrecy"
	"github.com/roomgate/roomgate/internal/wstest"
)

// inRoot makes the image's root this process's own, for reading only, and becomes its user with what is
// left of the arguments: what a runtime does, but for processes, network and cgroups, which stay the machine's.
const inRoot = `mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && user=$1 && shift && ` +
	`exec setpriv --no-new-privs chroot --userspec="$user" --groups= "$0" "$@"`

// command runs args in the image, as its user and with its environment, and environ.
func (i *image) command(t testing.TB, environ []string, args ...string) *exec.Cmd {
	cmd := exec.Command("unshare", append([]string{"--mount", "--propagation", "private", "sh", "-c", inRoot, i.root, i.Settings.User}, args...)...)
	cmd.Env = append(slices.Clone(i.Settings.Env), environ...)
	cmd.Stdout, cmd.Stderr = secrecy.Writer(t), secrecy.Writer(t)
	return cmd
}

// health runs the image's own health check: the exit code and what it says.
func (i *image) health(t testing.TB, environ []string) (code int, said string) {
	t.Helper()
	test := i.Settings.Healthcheck.Test
	if len(test) < 2 || test[0] != "CMD" {
		t.Fatalf("its health check is %q, want CMD and a command", test)
	}
	cmd := i.command(t, environ, test[1:]...)
	cmd.Stdout, cmd.Stderr = nil, nil
	out, err := cmd.CombinedOutput()
	secrecy.Text(t, string(out))
	if cmd.ProcessState == nil {
		t.Fatalf("running the health check: %v", err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

func TestImageRelaysIsHealthyAndStops(t *testing.T) {
	i := theImage(t)
	redis := redistest.Start(t)
	front, admin := "127.0.0.1:"+redistest.FreePort(t), "127.0.0.1:"+redistest.FreePort(t)
	environ := []string{"JWT_SECRET=" + secret, "REDIS_URL=" + redis.URL(), "ROOMGATE_HTTP_ADDR=" + front, "ROOMGATE_ADMIN_ADDR=" + admin,
		"ROOMGATE_DRAIN_DELAY=0", "ROOMGATE_DRAIN_PERIOD=0", "ROOMGATE_REDIS_CANARY_INTERVAL=50ms"}

	if code, said := i.health(t, environ); code != 1 || !strings.Contains(said, "nothing serves there") {
		t.Errorf("before it runs, health exits with %d and says %q, want 1 and that nothing serves there", code, said)
	}

	gateway := i.command(t, environ, i.Settings.Entrypoint...)
	if err := gateway.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = gateway.Wait(); close(ended) }() // its exit code is looked at below
	t.Cleanup(func() { _ = gateway.Process.Kill(); <-ended })

	var code int
	var said string
	for deadline := time.Now().Add(wstest.Patience); ; time.Sleep(10 * time.Millisecond) {
		if code, said = i.health(t, environ); code == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("it is not healthy: health exits with %d and says %q", code, said)
		}
	}
	wantConfined(t, gateway.Process.Pid, i.Settings.User)

	client := wstest.Dial(t, "ws://"+front+"/ws", "Sec-WebSocket-Protocol: roomgate.v1", "Authorization: Bearer "+token(t, "42"))
	client.WantType("hello")
	if err := redis.Client().Publish(t.Context(), "room:42", `{"text":"hi"}`).Err(); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(client.WantType("message")["data"]), "map[text:hi]"; got != want {
		t.Errorf("the client got %s, want %s", got, want)
	}

	if err := gateway.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	client.WantType("bye")
	client.WantClose(4201)
	client.Drop()
	select {
	case <-ended:
	case <-time.After(wstest.Patience):
		t.Fatal("it does not end on SIGTERM")
	}
	if got := gateway.ProcessState.ExitCode(); got != 0 {
		t.Errorf("on SIGTERM it exits with %d, want 0", got)
	}
	if code, said := i.health(t, environ); code != 1 {
		t.Errorf("after its end health exits with %d and says %q, want 1", code, said)
	}
}

// wantConfined expects a process to be user, without capabilities or a way to more, with a root that cannot be written.
func wantConfined(t testing.TB, pid int, user string) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	uid, gid, _ := strings.Cut(user, ":")
	for name, want := range map[string]string{
		"Name": "roomgate", "Uid": strings.Repeat("\t"+uid, 4)[1:], "Gid": strings.Repeat("\t"+gid, 4)[1:], "Groups": "",
		"CapPrm": "0000000000000000", "CapEff": "0000000000000000", "NoNewPrivs": "1",
	} {
		_, rest, _ := strings.Cut("\n"+string(status), "\n"+name+":")
		if got, _, _ := strings.Cut(rest, "\n"); strings.TrimSpace(got) != want {
			t.Errorf("of the process, %s is %q, want %q", name, strings.TrimSpace(got), want)
		}
	}
	var root syscall.Statfs_t
	if err := syscall.Statfs(fmt.Sprintf("/proc/%d/root", pid), &root); err != nil {
		t.Fatal(err)
	}
	const readOnly = 1 // ST_RDONLY
	if root.Flags&readOnly == 0 {
		t.Error("its root can be written")
	}
}

// token is good for an hour, and for one room.
func token(t testing.TB, room string) string {
	t.Helper()
	signed, err := auth.Sign([]byte(secret), map[string]any{"sub": "u1", "rooms": []string{room}, "exp": json.Number(fmt.Sprint(time.Now().Add(time.Hour).Unix()))})
	if err != nil {
		t.Fatal(err)
	}
	return signed
}
